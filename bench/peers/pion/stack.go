// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync/atomic"

	"github.com/pion/datachannel"
	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
	"github.com/pion/webrtc/v4"
)

const (
	maxMessage   = 262144
	socketBytes  = 4 << 20
	receiveBytes = 8 << 20
	highWater    = 2 << 20
	lowWater     = 1 << 20
)

// roomyNet gives sockets large buffers: pion's bursts overflow the default of 208 KiB, which halves
// its window and loses unreliable messages.
type roomyNet struct{ *stdnet.Net }

func (n roomyNet) ListenUDP(network string, address *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := net.ListenUDP(network, address)
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadBuffer(socketBytes); err != nil {
		return nil, err
	}
	return conn, conn.SetWriteBuffer(socketBytes)
}

// stack makes peer connections, all with one certificate.
type stack struct {
	api         *webrtc.API
	certificate webrtc.Certificate
}

func newStack(host string) (*stack, error) {
	std, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, err
	}
	only := net.ParseIP(host)
	var engine webrtc.SettingEngine
	engine.SetNet(roomyNet{std})
	engine.SetIncludeLoopbackCandidate(true)
	engine.SetIPFilter(only.Equal)
	engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	engine.SetSCTPMaxMessageSize(maxMessage)
	engine.SetSCTPMaxReceiveBufferSize(receiveBytes)
	engine.EnableSCTPZeroChecksum(true)
	// Detached channels are read and written without a copy and a lock per message.
	engine.DetachDataChannels()
	return &stack{webrtc.NewAPI(webrtc.WithSettingEngine(engine)), *certificate}, nil
}

func (s *stack) connect() (*webrtc.PeerConnection, error) {
	return s.api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{s.certificate}})
}

// link is an open data channel.
type link struct {
	raw      *datachannel.DataChannel
	writable chan struct{} // Has an element after the buffer has run low.
	closed   atomic.Bool
}

// onLink calls back when a channel is open, with what is then to be read by `readAll`.
func onLink(dc *webrtc.DataChannel, opened func(*link)) {
	dc.OnOpen(func() {
		detached, err := dc.Detach()
		if err != nil {
			return
		}
		raw, ok := detached.(*datachannel.DataChannel)
		if !ok {
			return
		}
		l := &link{raw: raw, writable: make(chan struct{}, 1)}
		raw.SetBufferedAmountLowThreshold(lowWater)
		raw.OnBufferedAmountLow(func() {
			select {
			case l.writable <- struct{}{}:
			default:
			}
		})
		opened(l)
	})
}

func (l *link) send(data []byte) error {
	_, err := l.raw.WriteDataChannel(data, false)
	return err
}

func (l *link) sendText(text string) error {
	_, err := l.raw.WriteDataChannel([]byte(text), true)
	return err
}

// readAll hands over message by message until the channel ends. `data` is valid within the call.
func (l *link) readAll(take func(text bool, data []byte)) {
	buffer := make([]byte, 2048)
	for {
		n, text, err := l.raw.ReadDataChannel(buffer)
		if errors.Is(err, io.ErrShortBuffer) && len(buffer) < maxMessage {
			buffer = make([]byte, maxMessage) // The message is still there.
			continue
		}
		if err != nil {
			l.closed.Store(true)
			return
		}
		take(text, buffer[:n])
	}
}
