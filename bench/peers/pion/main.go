// SPDX-License-Identifier: Apache-2.0

// The pion/webrtc peer of the comparison: see ../README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"
)

const (
	exitFailed = 1
	exitUsage  = 2
	exitLost   = 3
)

// config is the traffic that was asked for.
type config struct {
	target         string
	connections    int
	channels       int // Of each connection.
	pattern        string
	size           int
	rate           float64 // Messages a second over all channels; 0: as fast as possible.
	outstanding    int     // Echo at full rate: messages of a channel without their echo.
	duration       time.Duration
	warmup         time.Duration
	dialling       int
	ordered        bool
	maxRetransmits *uint16
	json           string
}

func (c *config) reliable() bool { return c.maxRetransmits == nil }

func (c *config) label() string {
	if c.pattern == "upload" {
		return "sink"
	}
	return "echo"
}

func seconds(to *time.Duration) func(string) error {
	return func(text string) error {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || value < 0 {
			return errors.New("expected seconds")
		}
		*to = time.Duration(value * float64(time.Second))
		return nil
	}
}

func parseLoad(arguments []string) (*config, error) {
	c := &config{duration: 10 * time.Second, warmup: time.Second}
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	flags.StringVar(&c.target, "target", "", "where offers are POSTed")
	flags.IntVar(&c.connections, "connections", 1, "connections to open")
	flags.IntVar(&c.channels, "channels", 1, "channels of each connection")
	flags.StringVar(&c.pattern, "pattern", "echo", "echo, upload or idle")
	flags.IntVar(&c.size, "size", 1000, "bytes of a message")
	rate := flags.String("rate", "max", "messages a second over all channels, or max")
	flags.IntVar(&c.outstanding, "outstanding", 16, "echo at full rate: messages of a channel on their way")
	flags.Func("duration", "seconds that are measured", seconds(&c.duration))
	flags.Func("warmup", "seconds of traffic before that", seconds(&c.warmup))
	flags.IntVar(&c.dialling, "dialling", 64, "connections being opened at once")
	unordered := flags.Bool("unordered", false, "messages may overtake each other")
	retransmits := flags.Int("max-retransmits", -1, "give a message up after so many retransmissions")
	flags.StringVar(&c.json, "json", "-", "write the report here; - is stdout")
	_ = flags.Parse(arguments)
	c.ordered = !*unordered
	if *retransmits >= 0 {
		limit := uint16(*retransmits)
		c.maxRetransmits = &limit
	}
	if *rate != "max" {
		value, err := strconv.ParseFloat(*rate, 64)
		if err != nil || value <= 0 {
			return nil, errors.New("--rate: expected max, or a number above 0")
		}
		c.rate = value
	}
	return c, c.check()
}

func (c *config) check() error {
	switch {
	case c.target == "":
		return errors.New("--target is missing")
	case c.pattern != "echo" && c.pattern != "upload" && c.pattern != "idle":
		return errors.New("--pattern: expected echo, upload or idle")
	case c.size < stampBytes || c.size > maxMessage:
		return fmt.Errorf("--size: expected %d to %d", stampBytes, maxMessage)
	case c.connections < 1 || c.channels < 1 || c.outstanding < 1 || c.dialling < 1:
		return errors.New("--connections, --channels, --outstanding and --dialling are at least 1")
	}
	return nil
}

func fail(code int, problem any) {
	fmt.Fprintln(os.Stderr, "pion:", problem)
	os.Exit(code)
}

func main() {
	if len(os.Args) < 2 {
		fail(exitUsage, "say serve or load")
	}
	switch os.Args[1] {
	case "serve":
		flags := flag.NewFlagSet("serve", flag.ExitOnError)
		address := flags.String("http", "127.0.0.1:8080", "where offers are taken")
		host := flags.String("udp-host", "127.0.0.1", "address of the sessions")
		_ = flags.Parse(os.Args[2:])
		if err := serve(*address, *host); err != nil {
			fail(exitFailed, err)
		}
	case "load":
		c, err := parseLoad(os.Args[2:])
		if err != nil {
			fail(exitUsage, err)
		}
		good, err := runLoad(c)
		if err != nil {
			fail(exitFailed, err)
		}
		if !good {
			os.Exit(exitLost)
		}
	default:
		fail(exitUsage, "say serve or load")
	}
}
