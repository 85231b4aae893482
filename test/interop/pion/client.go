// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	openTime        = 60 * time.Second
	closeTime       = 60 * time.Second
	idleTime        = 60 * time.Second // No echo for so long: the run has stalled.
	expiry          = 4 * time.Second  // An unreliable message that is this old is given up.
	linger          = 300 * time.Millisecond
	unreliableBytes = 327680 // Outstanding at once where a burst that overflows a socket buffer is lost.
)

type options struct {
	target, label, mode            string
	messages, outstanding, maxSize int
	seed                           uint
	noEmpty, fixed                 bool
}

func (o options) reliable() bool { return strings.HasPrefix(o.mode, "reliable") }
func (o options) ordered() bool  { return strings.HasSuffix(o.mode, "-ordered") }

// verdict is the one line that a client prints.
type verdict struct {
	Peer       string  `json:"peer"`
	Role       string  `json:"role"`
	Mode       string  `json:"mode"`
	Label      string  `json:"label"`
	Seed       uint    `json:"seed"`
	MaxSize    int     `json:"max_size"`
	Sent       tally   `json:"sent"`
	Received   tally   `json:"received"`
	Missing    int     `json:"missing"`
	Damaged    int     `json:"damaged"`
	Duplicated int     `json:"duplicated"`
	OutOfOrder int     `json:"out_of_order"`
	Closed     bool    `json:"closed"`
	Reopened   bool    `json:"reopened"`
	Seconds    float64 `json:"seconds"`
	OK         bool    `json:"ok"`
	Error      string  `json:"error"`
}

// channel is a data channel with its life as Go channels.
type channel struct {
	*webrtc.DataChannel
	opened, closed chan struct{}
	arrivals       chan webrtc.DataChannelMessage
}

// run is one client's session with a server: dial, echo, close, open again, hang up.
type run struct {
	options
	pc               *webrtc.PeerConnection
	ledger           *ledger
	location         *url.URL
	closed, reopened bool
}

func await(event <-chan struct{}, limit time.Duration, what string) error {
	select {
	case <-event:
		return nil
	case <-time.After(limit):
		return errors.New("time-out: " + what)
	}
}

// limitOf follows RFC 8841 §6.1: without the attribute 65536 bytes are allowed, and 0 means any size.
func limitOf(sdp string) int {
	match := regexp.MustCompile(`(?m)^a=max-message-size:(\d+)`).FindStringSubmatch(sdp)
	if match == nil {
		return 65536
	}
	if limit, err := strconv.Atoi(match[1]); err == nil && limit > 0 {
		return limit
	}
	return maxMessage
}

func (r *run) open() (*channel, error) {
	ordered := r.ordered()
	init := &webrtc.DataChannelInit{Ordered: &ordered}
	if !r.reliable() {
		init.MaxRetransmits = new(uint16)
	}
	dc, err := r.pc.CreateDataChannel(r.label, init)
	if err != nil {
		return nil, err
	}
	c := &channel{dc, make(chan struct{}), make(chan struct{}), make(chan webrtc.DataChannelMessage, 64)}
	dc.OnOpen(func() { close(c.opened) })
	dc.OnClose(func() { close(c.closed) })
	dc.OnMessage(func(m webrtc.DataChannelMessage) { c.arrivals <- m })
	return c, nil
}

func (r *run) post(offer string) (string, error) {
	response, err := http.Post(r.target, "application/sdp", strings.NewReader(offer))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("POST: %s %s", response.Status, answer)
	}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/sdp") {
		return "", errors.New("POST: no SDP")
	}
	r.location, err = response.Location()
	return string(answer), err
}

func (r *run) dial() (*channel, error) {
	c, err := r.open()
	if err != nil {
		return nil, err
	}
	offer, err := r.pc.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	gathered := webrtc.GatheringCompletePromise(r.pc)
	if err := r.pc.SetLocalDescription(offer); err != nil {
		return nil, err
	}
	if err := await(gathered, openTime, "gathering"); err != nil {
		return nil, err
	}
	answer, err := r.post(r.pc.LocalDescription().SDP)
	if err != nil {
		return nil, err
	}
	r.maxSize = min(r.maxSize, maxMessage, limitOf(answer))
	if err := r.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return nil, err
	}
	return c, await(c.opened, openTime, "the channel opening")
}

func send(dc *webrtc.DataChannel, text bool, data []byte) error {
	if text {
		return dc.SendText(string(data))
	}
	return dc.Send(data)
}

func (r *run) pump(c *channel, t *traffic) error {
	for r.ledger.sent.Messages < r.messages {
		messages, size, _ := r.ledger.state()
		next := t.size(r.ledger.sent.Messages)
		if messages >= r.outstanding || (!r.reliable() && size+next > unreliableBytes) {
			return nil
		}
		m := t.message(r.ledger.sent.Messages)
		r.ledger.note(m)
		if err := send(c.DataChannel, m.text, m.data); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) echo(c *channel) error {
	t := newTraffic(uint32(r.seed), r.maxSize, !r.noEmpty)
	t.fixed = r.fixed
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := r.pump(c, t); err != nil {
			return err
		}
		messages, _, idle := r.ledger.state()
		if r.ledger.sent.Messages == r.messages && messages == 0 {
			break
		}
		select {
		case m := <-c.arrivals:
			r.ledger.accept(m.IsString, m.Data)
		case <-c.closed:
			return errors.New("the channel closed early")
		case <-tick.C:
			if idle > idleTime {
				return errors.New("stalled")
			}
			if !r.reliable() {
				r.ledger.expire(expiry)
			}
		}
	}
	for after := time.After(linger); ; { // Time for a duplicate to show.
		select {
		case m := <-c.arrivals:
			r.ledger.accept(m.IsString, m.Data)
		case <-after:
			return nil
		}
	}
}

func (r *run) close(c *channel) error {
	if err := c.Close(); err != nil {
		return err
	}
	return await(c.closed, closeTime, "the channel closing")
}

// reopen uses a second channel after the first has gone: the close left the association whole.
func (r *run) reopen() error {
	c, err := r.open()
	if err != nil {
		return err
	}
	if err := await(c.opened, openTime, "the second channel opening"); err != nil {
		return err
	}
	for start := time.Now(); ; {
		if err := c.SendText("again"); err != nil {
			return err
		}
		limit := idleTime
		if !r.reliable() {
			limit = time.Second
		}
		select {
		case m := <-c.arrivals:
			if !bytes.Equal(m.Data, []byte("again")) {
				return errors.New("the second channel damaged a message")
			}
			return r.close(c)
		case <-time.After(limit):
			if time.Since(start) >= idleTime {
				return errors.New("time-out: an echo on the second channel")
			}
		}
	}
}

func (r *run) hangUp() error {
	request, err := http.NewRequest(http.MethodDelete, r.location.String(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("DELETE: %s", response.Status)
	}
	return nil
}

func (r *run) session(api *webrtc.API) error {
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	defer pc.Close()
	r.pc = pc
	c, err := r.dial()
	if err != nil {
		return err
	}
	if err := r.echo(c); err != nil {
		return err
	}
	if err := r.close(c); err != nil {
		return err
	}
	r.closed = true
	if err := r.reopen(); err != nil {
		return err
	}
	r.reopened = true
	return r.hangUp()
}

// runClient prints the verdict as one line of JSON and says whether all was well.
func runClient(api *webrtc.API, o options) bool {
	r := &run{options: o, ledger: newLedger(o.ordered())}
	start := time.Now()
	err := r.session(api)
	l := r.ledger
	v := verdict{
		Peer: "pion", Role: "client", Mode: o.mode, Label: o.label, Seed: o.seed, MaxSize: r.maxSize,
		Sent: l.sent, Received: l.received, Missing: o.messages - l.received.Messages,
		Damaged: l.damaged, Duplicated: l.duplicated, OutOfOrder: l.outOfOrder,
		Closed: r.closed, Reopened: r.reopened, Seconds: time.Since(start).Seconds(),
	}
	allowed := 0
	if !o.reliable() {
		allowed = o.messages / 100
	}
	v.OK = err == nil && v.Damaged+v.Duplicated+v.OutOfOrder == 0 && v.Missing <= allowed
	if err != nil {
		v.Error = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(v)
	return v.OK
}
