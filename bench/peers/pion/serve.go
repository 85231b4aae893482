// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	maxOffer   = 65536
	gatherTime = 10 * time.Second
)

// sinkReport is the answer to "report" on a sink.
type sinkReport struct {
	Messages   uint64  `json:"messages"`
	Bytes      uint64  `json:"bytes"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func echo(l *link) {
	l.readAll(func(text bool, data []byte) {
		if text {
			_ = l.sendText(string(data))
		} else {
			_ = l.send(data)
		}
	})
}

func sink(l *link) {
	var count sinkReport
	var start time.Time
	l.readAll(func(text bool, data []byte) {
		if !text || string(data) != "report" {
			if count.Messages == 0 {
				start = time.Now()
			}
			count.Messages++
			count.Bytes += uint64(len(data))
			return
		}
		if count.Messages > 0 {
			count.Seconds = time.Since(start).Seconds()
		}
		count.CPUSeconds = cpuSeconds()
		report, _ := json.Marshal(count)
		_ = l.sendText(string(report))
	})
}

func serveChannel(dc *webrtc.DataChannel) {
	label := dc.Label()
	onLink(dc, func(l *link) {
		switch {
		case strings.HasPrefix(label, "echo"):
			go echo(l)
		case strings.HasPrefix(label, "sink"):
			go sink(l)
		default:
			go l.readAll(func(bool, []byte) {})
		}
	})
}

// gathered sets a local description and returns it with all its candidates.
func gathered(pc *webrtc.PeerConnection, local webrtc.SessionDescription) (string, error) {
	complete := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(local); err != nil {
		return "", err
	}
	select {
	case <-complete:
		return pc.LocalDescription().SDP, nil
	case <-time.After(gatherTime):
		return "", errors.New("time-out: gathering")
	}
}

// server holds the sessions of one listening endpoint.
type server struct {
	stack    *stack
	mutex    sync.Mutex
	serial   int
	sessions map[string]*webrtc.PeerConnection
}

func (s *server) take(id string) *webrtc.PeerConnection {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	pc := s.sessions[id]
	delete(s.sessions, id)
	return pc
}

func (s *server) answer(offer string) (id, sdp string, err error) {
	pc, err := s.stack.connect()
	if err != nil {
		return "", "", err
	}
	s.mutex.Lock()
	s.serial++
	id = strconv.Itoa(s.serial)
	s.sessions[id] = pc
	s.mutex.Unlock()
	pc.OnDataChannel(serveChannel)
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed && s.take(id) != nil {
			_ = pc.Close()
		}
	})
	err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer})
	var local webrtc.SessionDescription
	if err == nil {
		local, err = pc.CreateAnswer(nil)
	}
	if err == nil {
		sdp, err = gathered(pc, local)
	}
	if err != nil && s.take(id) != nil {
		_ = pc.Close()
	}
	return id, sdp, err
}

func (s *server) post(w http.ResponseWriter, request *http.Request) {
	offer, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxOffer))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	id, sdp, err := s.answer(string(offer))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", "/session/"+id)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, sdp)
}

func (s *server) remove(w http.ResponseWriter, request *http.Request) {
	pc := s.take(request.PathValue("id"))
	if pc == nil {
		http.NotFound(w, request)
		return
	}
	_ = pc.Close()
}

// serve answers offers until it is told to stop.
func serve(address, host string) error {
	stack, err := newStack(host)
	if err != nil {
		return err
	}
	s := &server{stack: stack, sessions: map[string]*webrtc.PeerConnection{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /offer", s.post)
	mux.HandleFunc("DELETE /session/{id}", s.remove)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, mux) }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	fmt.Println("ready")
	<-stop
	return nil
}
