// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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
	maxOffer = 65536
	lowWater = 1 << 20 // A source keeps at most so many bytes in the stack.
)

func echo(dc *webrtc.DataChannel) {
	dc.OnMessage(func(m webrtc.DataChannelMessage) { _ = send(dc, m.IsString, m.Data) })
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func sink(dc *webrtc.DataChannel) {
	var count tally
	var start time.Time
	dc.OnMessage(func(m webrtc.DataChannelMessage) {
		if m.IsString && string(m.Data) == "report" {
			var seconds float64
			if !start.IsZero() {
				seconds = time.Since(start).Seconds()
			}
			report, _ := json.Marshal(map[string]any{
				"messages": count.Messages, "bytes": count.Bytes, "seconds": seconds, "cpu_seconds": cpuSeconds(),
			})
			_ = dc.SendText(string(report))
			return
		}
		if start.IsZero() {
			start = time.Now()
		}
		count.Messages++
		count.Bytes += len(m.Data)
	})
}

// source sends as the query asks: a count of 0 is endless, a rate of 0 as fast as the stack takes messages.
func source(dc *webrtc.DataChannel) {
	query, _ := url.ParseQuery(dc.Protocol())
	number := func(key string, otherwise float64) float64 {
		if value, err := strconv.ParseFloat(query.Get(key), 64); err == nil && value >= 0 {
			return value
		}
		return otherwise
	}
	data := make([]byte, min(int(number("size", 1000)), maxMessage))
	count, rate := int(number("count", 0)), number("rate", 0)
	start := time.Now()
	for sent := 0; count == 0 || sent < count; {
		late := rate > 0 && float64(sent) > time.Since(start).Seconds()*rate
		if late || dc.BufferedAmount() > lowWater {
			time.Sleep(time.Millisecond)
			continue
		}
		if dc.Send(data) != nil {
			return
		}
		sent++
	}
}

func serveChannel(dc *webrtc.DataChannel) {
	switch label := dc.Label(); {
	case strings.HasPrefix(label, "echo"):
		echo(dc)
	case strings.HasPrefix(label, "sink"):
		sink(dc)
	case strings.HasPrefix(label, "source"):
		dc.OnOpen(func() { go source(dc) })
	}
}

// server holds the sessions of one listening endpoint.
type server struct {
	api      *webrtc.API
	mutex    sync.Mutex
	serial   int
	sessions map[string]*webrtc.PeerConnection
}

func (s *server) answer(offer string) (*webrtc.PeerConnection, error) {
	pc, err := s.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	pc.OnDataChannel(serveChannel)
	gathered := webrtc.GatheringCompletePromise(pc)
	err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer})
	if err == nil {
		var answer webrtc.SessionDescription
		if answer, err = pc.CreateAnswer(nil); err == nil {
			err = pc.SetLocalDescription(answer)
		}
	}
	if err == nil {
		err = await(gathered, openTime, "gathering")
	}
	if err != nil {
		_ = pc.Close()
		return nil, err
	}
	return pc, nil
}

func (s *server) post(w http.ResponseWriter, request *http.Request) {
	offer, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxOffer))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	pc, err := s.answer(string(offer))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mutex.Lock()
	s.serial++
	id := strconv.Itoa(s.serial)
	s.sessions[id] = pc
	s.mutex.Unlock()
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", "/offer/"+id)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, pc.LocalDescription().SDP)
}

func (s *server) remove(w http.ResponseWriter, request *http.Request) {
	id := request.PathValue("id")
	s.mutex.Lock()
	pc := s.sessions[id]
	delete(s.sessions, id)
	s.mutex.Unlock()
	if pc == nil {
		http.NotFound(w, request)
		return
	}
	_ = pc.Close()
	w.WriteHeader(http.StatusNoContent)
}

// serve answers offers until SIGTERM.
func serve(api *webrtc.API, address string) error {
	s := &server{api: api, sessions: map[string]*webrtc.PeerConnection{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /offer", s.post)
	mux.HandleFunc("DELETE /offer/{id}", s.remove)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, mux) }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Printf("READY http://%s/offer\n", listener.Addr())
	<-stop
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, pc := range s.sessions {
		_ = pc.Close()
	}
	return nil
}
