// SPDX-License-Identifier: Apache-2.0

// The pion/webrtc peer of the interoperability suite: see ../README.md.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"
)

const (
	maxMessage  = 262144
	socketBytes = 4 << 20
)

var modes = []string{"reliable-ordered", "reliable-unordered", "unreliable-ordered", "unreliable-unordered"}

// roomyNet gives sockets large buffers: pion's bursts overflow the default of 208 KiB, and then 15 %
// of unreliable messages are lost on a clean loopback.
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

// newAPI makes peers whose only candidates are of the address `media`.
func newAPI(snap bool, media net.IP) (*webrtc.API, error) {
	std, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	var engine webrtc.SettingEngine
	engine.SetNet(roomyNet{std})
	engine.SetIncludeLoopbackCandidate(media.IsLoopback())
	engine.SetIPFilter(media.Equal)
	family := webrtc.NetworkTypeUDP6
	if media.To4() != nil {
		family = webrtc.NetworkTypeUDP4
	}
	engine.SetNetworkTypes([]webrtc.NetworkType{family})
	engine.SetSCTPMaxMessageSize(maxMessage)
	engine.EnableSctpSnap(snap)
	return webrtc.NewAPI(webrtc.WithSettingEngine(engine)), nil
}

func fail(code int, problem any) {
	fmt.Fprintln(os.Stderr, "pion:", problem)
	os.Exit(code)
}

func main() {
	if len(os.Args) < 2 {
		fail(2, "say client or server")
	}
	var o options
	flags := flag.NewFlagSet("pion", flag.ExitOnError)
	flags.StringVar(&o.target, "target", "", "URL of the offer endpoint")
	flags.StringVar(&o.label, "label", "echo", "label of the channel")
	flags.IntVar(&o.messages, "messages", 1000, "messages to send")
	flags.IntVar(&o.outstanding, "outstanding", 8, "messages without echo at once")
	flags.IntVar(&o.maxSize, "max-size", maxMessage, "largest message")
	flags.StringVar(&o.mode, "mode", modes[0], strings.Join(modes, ", "))
	flags.UintVar(&o.seed, "seed", 1, "seed of the messages")
	flags.BoolVar(&o.noEmpty, "no-empty", false, "send no empty messages")
	flags.BoolVar(&o.fixed, "fixed", false, "all messages are of the largest size")
	flags.Bool("json", false, "the verdict is always JSON")
	port := flags.Int("port", 0, "port of the server")
	listen := flags.String("listen", "127.0.0.1", "address of the server's HTTP")
	media := flags.String("media", "127.0.0.1", "address of all candidates")
	snap := flags.Bool("snap", false, "signal INIT in the SDP (a=sctp-init)")
	_ = flags.Parse(os.Args[2:])
	address := net.ParseIP(*media)
	if address == nil {
		fail(2, "no address: "+*media)
	}
	api, err := newAPI(*snap, address)
	if err != nil {
		fail(1, err)
	}
	switch {
	case os.Args[1] == "server":
		if err := serve(api, net.JoinHostPort(*listen, strconv.Itoa(*port))); err != nil {
			fail(1, err)
		}
	case os.Args[1] == "client" && o.target != "" && slices.Contains(modes, o.mode):
		if !runClient(api, o) {
			os.Exit(1)
		}
	default:
		fail(2, "say server, or client with --target and one of the modes")
	}
}
