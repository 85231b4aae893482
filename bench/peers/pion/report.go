// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

type environment struct {
	CPU     string `json:"cpu"`
	CPUs    int    `json:"cpus"`
	Kernel  string `json:"kernel"`
	BackEnd string `json:"back_end"`
	Version string `json:"version"`
	Time    string `json:"time"`
}

type setup struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

type connections struct {
	Requested int   `json:"requested"`
	Opened    int   `json:"opened"`
	Failed    int   `json:"failed"`
	Dropped   int64 `json:"dropped"`
	SetupMs   setup `json:"setup_ms"`
}

type latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99.9"`
	P9999 float64 `json:"p99.99"`
	Max   float64 `json:"max"`
}

type cpu struct {
	Client float64  `json:"client_seconds"`
	Server *float64 `json:"server_seconds"`
}

type faults struct {
	Lost      uint64 `json:"lost"`
	Reordered uint64 `json:"reordered"`
	Damaged   uint64 `json:"damaged"`
}

// loadReport has the schema of `millrace load`.
type loadReport struct {
	Schema            int            `json:"schema"`
	Target            string         `json:"target"`
	Config            map[string]any `json:"config"`
	Environment       environment    `json:"environment"`
	Connections       connections    `json:"connections"`
	Sent              tally          `json:"sent"`
	Delivered         tally          `json:"delivered"`
	GoodputMbps       float64        `json:"goodput_mbps"`
	MessagesPerSecond float64        `json:"messages_per_second"`
	LatencyUs         latency        `json:"latency_us"`
	CPU               cpu            `json:"cpu"`
	Faults            faults         `json:"faults"`
	Good              bool           `json:"good"`
	Errors            []string       `json:"errors"`
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func stackVersion() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/pion/webrtc/v4" {
			return module.Version
		}
	}
	return ""
}

func thisMachine() environment {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return environment{
		CPU: cpuModel(), CPUs: runtime.NumCPU(), Kernel: strings.TrimSpace(string(kernel)), BackEnd: "pion",
		Version: stackVersion(), Time: time.Now().UTC().Format(time.RFC3339),
	}
}

func (c *config) asJSON() map[string]any {
	out := map[string]any{
		"pattern": c.pattern, "connections": c.connections, "channels": c.channels, "size": c.size, "rate": "max",
		"duration": c.duration.Seconds(), "warmup": c.warmup.Seconds(), "ordered": c.ordered,
		"max_retransmits": c.maxRetransmits, "outstanding": c.outstanding, "dialling": c.dialling,
	}
	if c.rate > 0 {
		out["rate"] = c.rate
	}
	return out
}

// account adds up what the sinks say between their first two reports, by their own clock.
func (r *run) account(report *loadReport) {
	for _, c := range r.channels {
		c.mutex.Lock()
		arrived := c.received
		if n := len(c.reports); n > 0 && r.config.pattern == "upload" {
			arrived = c.reports[n-1].Messages
		}
		if c.sent > arrived {
			report.Faults.Lost += c.sent - arrived
		}
		if len(c.reports) > c.endReport && r.config.pattern == "upload" {
			begin, end := c.reports[0], c.reports[c.endReport]
			messages, bytes := end.Messages-begin.Messages, end.Bytes-begin.Bytes
			report.Delivered.Messages += messages
			report.Delivered.Bytes += bytes
			if span := end.Seconds - begin.Seconds; span > 0 {
				report.MessagesPerSecond += float64(messages) / span
				report.GoodputMbps += float64(bytes) * 8e-6 / span
			}
		}
		c.mutex.Unlock()
	}
	if r.config.pattern == "echo" {
		report.MessagesPerSecond = float64(report.Delivered.Messages) / r.config.duration.Seconds()
		report.GoodputMbps = float64(report.Delivered.Bytes) * 8e-6 / r.config.duration.Seconds()
	}
}

func (r *run) report() *loadReport {
	m := &r.measures
	m.Lock()
	defer m.Unlock()
	h := &m.latency
	opened := len(r.connections)
	report := &loadReport{
		Schema: 1, Target: r.config.target, Config: r.config.asJSON(), Environment: thisMachine(),
		Connections: connections{
			Requested: r.config.connections, Opened: opened, Failed: r.config.connections - opened,
			Dropped: r.dropped.Load(),
			SetupMs: setup{
				r.setup.percentile(50) / 1e3, r.setup.percentile(99) / 1e3, r.setup.percentile(100) / 1e3,
			},
		},
		Sent: m.sent, Delivered: m.delivered,
		LatencyUs: latency{
			h.count, h.percentile(50), h.percentile(90), h.percentile(99), h.percentile(99.9),
			h.percentile(99.99), h.percentile(100),
		},
		CPU:    cpu{r.clientCPU, r.serverCPU},
		Faults: faults{Reordered: m.reordered, Damaged: m.damaged},
		Errors: append([]string{}, r.errors...),
	}
	r.account(report)
	lost := r.config.reliable() && report.Faults.Lost > 0
	reordered := r.config.ordered && m.reordered > 0
	report.Good = opened == r.config.connections && report.Connections.Dropped == 0 && m.damaged == 0 && !lost &&
		!reordered
	return report
}

func writeReport(path string, report *loadReport) error {
	text, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if path == "-" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
