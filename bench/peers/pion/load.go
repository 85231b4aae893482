// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	openTime  = 30 * time.Second
	patience  = 10 * time.Second // How long to wait at the end for what is missing.
	askAgain  = 500 * time.Millisecond
	stalled   = time.Second // An unreliable channel that is silent for so long has lost its window.
	checkTime = 5 * time.Millisecond
)

// run is one run of the load.
type run struct {
	config   *config
	stack    *stack
	http     *http.Client
	measures measures
	channels []*loadChannel
	control  *loadChannel
	dropped  atomic.Int64

	mutex       sync.Mutex // Guards what follows.
	connections []*webrtc.PeerConnection
	setup       histogram
	errors      []string

	clientCPU float64
	serverCPU *float64
}

func (r *run) note(err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.errors) < 8 {
		r.errors = append(r.errors, err.Error())
	}
}

func (r *run) open(pc *webrtc.PeerConnection, label string, init *webrtc.DataChannelInit, opened chan<- *loadChannel) error {
	dc, err := pc.CreateDataChannel(label, init)
	if err != nil {
		return err
	}
	onLink(dc, func(l *link) {
		channel := newLoadChannel(l, r.config, &r.measures)
		go channel.read()
		opened <- channel
	})
	return nil
}

func (r *run) post(offer string) (string, error) {
	response, err := r.http.Post(r.config.target, "application/sdp", strings.NewReader(offer))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusCreated {
		err = fmt.Errorf("the offer was answered with %s: %s", response.Status, answer)
	}
	return string(answer), err
}

// dial opens a connection with all its channels; the time counts from before the POST.
func (r *run) dial() (pc *webrtc.PeerConnection, channels []*loadChannel, took time.Duration, err error) {
	if pc, err = r.stack.connect(); err != nil {
		return nil, nil, 0, err
	}
	defer func() {
		if err != nil {
			_ = pc.Close()
		}
	}()
	opened := make(chan *loadChannel, r.config.channels)
	init := &webrtc.DataChannelInit{Ordered: &r.config.ordered, MaxRetransmits: r.config.maxRetransmits}
	for range r.config.channels {
		if err := r.open(pc, r.config.label(), init, opened); err != nil {
			return nil, nil, 0, err
		}
	}
	local, err := pc.CreateOffer(nil)
	if err != nil {
		return nil, nil, 0, err
	}
	offer, err := gathered(pc, local)
	if err != nil {
		return nil, nil, 0, err
	}
	start := now()
	answer, err := r.post(offer)
	if err != nil {
		return nil, nil, 0, err
	}
	err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	if err != nil {
		return nil, nil, 0, err
	}
	limit := time.NewTimer(openTime)
	defer limit.Stop()
	for range r.config.channels {
		select {
		case channel := <-opened:
			channels = append(channels, channel)
		case <-limit.C:
			return nil, nil, 0, errors.New("time-out: a channel opening")
		}
	}
	return pc, channels, now() - start, nil
}

func (r *run) dialOne() {
	pc, channels, took, err := r.dial()
	if err != nil {
		r.note(err)
		return
	}
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
			r.dropped.Add(1)
		}
	})
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.connections = append(r.connections, pc)
	r.channels = append(r.channels, channels...)
	r.setup.record(took)
}

func (r *run) dialAll() {
	var workers sync.WaitGroup
	var next atomic.Int64
	for range min(r.config.dialling, r.config.connections) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for next.Add(1) <= int64(r.config.connections) {
				r.dialOne()
			}
		}()
	}
	workers.Wait()
}

// openControl opens the channel on which the server is asked for its CPU time.
func (r *run) openControl() {
	if len(r.connections) == 0 {
		return
	}
	opened := make(chan *loadChannel, 1)
	if err := r.open(r.connections[0], "sink", nil, opened); err != nil {
		r.note(err)
		return
	}
	select {
	case r.control = <-opened:
	case <-time.After(openTime):
		r.note(errors.New("time-out: the control channel opening"))
	}
}

// sleepUntil is precise to some microseconds, which the runtime's timers are not.
func sleepUntil(at time.Duration) {
	for left := at - now(); left > 0; left = at - now() {
		wait := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&wait, nil)
	}
}

// pace sends at the rate, whether or not echoes come.
func (r *run) pace(start, to time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const timerSlack = 29 // PR_SET_TIMERSLACK
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, timerSlack, 1, 0)
	interval := float64(time.Second) / r.config.rate
	for i := 0; ; i++ {
		at := start + time.Duration(float64(i)*interval)
		if at >= to {
			return
		}
		sleepUntil(at)
		channel := r.channels[i%len(r.channels)]
		channel.mutex.Lock()
		_ = channel.send(at)
		channel.mutex.Unlock()
	}
}

func (r *run) start(start, to time.Duration) {
	switch {
	case r.config.pattern == "upload":
		for _, channel := range r.channels {
			go channel.upload(to)
		}
	case r.config.pattern == "echo" && r.config.rate > 0:
		go r.pace(start, to)
	case r.config.pattern == "echo":
		for _, channel := range r.channels {
			channel.mutex.Lock()
			channel.progress = start
			channel.fill()
			channel.mutex.Unlock()
		}
	}
}

// revive gives up what an unreliable channel that has gone silent still waits for.
func (r *run) revive() {
	if r.config.pattern != "echo" || r.config.reliable() || r.config.rate > 0 {
		return
	}
	for _, channel := range r.channels {
		channel.mutex.Lock()
		if now()-channel.progress > stalled {
			channel.writtenOff, channel.progress = channel.sent, now()
			channel.fill()
		}
		channel.mutex.Unlock()
	}
}

// askAgain asks for the beginning where the question, or its answer, may have been lost.
func (r *run) askAgain() {
	if r.config.pattern != "upload" || r.config.reliable() {
		return
	}
	for _, channel := range r.channels {
		channel.mutex.Lock()
		none := len(channel.reports) == 0
		channel.mutex.Unlock()
		if none {
			channel.ask()
		}
	}
}

func (r *run) askAll() {
	if r.control != nil {
		r.control.ask()
	}
	if r.config.pattern == "upload" {
		for _, channel := range r.channels {
			channel.ask()
		}
	}
}

// missing says whether the end of a channel's traffic is still waited for; it asks again where the
// question may have been lost, or have overtaken data.
func (r *run) missing(c *loadChannel) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.closed.Load() || r.config.pattern == "idle" {
		return false
	}
	if r.config.pattern == "echo" {
		return r.config.reliable() && c.received < c.sent
	}
	n := len(c.reports)
	if n > c.endReport && (!r.config.reliable() || c.reports[n-1].Messages >= c.sent) {
		return false
	}
	if (!r.config.ordered || !r.config.reliable()) && now()-c.askedAt > askAgain {
		c.askedAt = now()
		_ = c.sendText("report")
	}
	return true
}

func (r *run) settle() {
	for deadline := now() + patience; now() < deadline; time.Sleep(checkTime) {
		waiting := false
		for _, channel := range r.channels {
			waiting = r.missing(channel) || waiting
		}
		if r.control != nil {
			r.control.mutex.Lock()
			waiting = waiting || len(r.control.reports) < 2
			r.control.mutex.Unlock()
		}
		if !waiting {
			break
		}
	}
	if r.config.pattern == "echo" && !r.config.reliable() {
		time.Sleep(askAgain) // Time for the last echoes.
	}
}

func (r *run) carry() {
	start := now()
	from := start + r.config.warmup
	to := from + r.config.duration
	r.measures.Lock()
	r.measures.from, r.measures.to = from, to
	r.measures.Unlock()
	r.start(start, to)
	for now() < from {
		time.Sleep(min(from-now(), stalled/4))
		r.revive()
	}
	cpu := cpuSeconds()
	r.askAll()
	for now() < to {
		time.Sleep(min(to-now(), stalled/4))
		r.revive()
		r.askAgain()
	}
	r.clientCPU = cpuSeconds() - cpu
	for _, channel := range r.channels {
		channel.mutex.Lock()
		channel.endReport = max(len(channel.reports), 1)
		channel.mutex.Unlock()
	}
	r.askAll()
	r.settle()
	if r.control == nil {
		return
	}
	r.control.mutex.Lock()
	defer r.control.mutex.Unlock()
	if reports := r.control.reports; len(reports) >= 2 {
		spent := reports[1].CPUSeconds - reports[0].CPUSeconds
		r.serverCPU = &spent
	}
}

// runLoad returns true when all connections opened and nothing was lost that must not be.
func runLoad(c *config) (bool, error) {
	stack, err := newStack("127.0.0.1")
	if err != nil {
		return false, err
	}
	client := &http.Client{
		Timeout:   openTime,
		Transport: &http.Transport{MaxIdleConnsPerHost: c.dialling},
	}
	r := &run{config: c, stack: stack, http: client}
	r.dialAll()
	r.openControl()
	if len(r.channels) > 0 {
		r.carry()
	}
	report := r.report()
	for _, text := range report.Errors {
		fmt.Fprintln(os.Stderr, "pion:", text)
	}
	return report.Good, writeReport(c.json, report)
}
