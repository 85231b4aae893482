// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/bits"
	"sync"
	"time"
)

const stampBytes = 16 // A message begins with its sequence number and the time it was meant to leave.

var origin = time.Now()

func now() time.Duration { return time.Since(origin) }

// histogram counts durations in buckets that are less than 1 % wide.
type histogram struct {
	buckets [64 * 128]uint64
	count   uint64
	largest uint64
}

func (h *histogram) record(value time.Duration) {
	v := uint64(max(value, 0))
	shift := max(bits.Len64(v)-8, 0)
	h.buckets[shift*128+int(v>>shift)]++
	h.count++
	h.largest = max(h.largest, v)
}

// percentile is in microseconds; 0 when nothing was recorded.
func (h *histogram) percentile(percent float64) float64 {
	if h.count == 0 {
		return 0
	}
	rank := max(uint64(math.Ceil(percent/100*float64(h.count))), 1)
	var sum uint64
	for i, n := range h.buckets {
		if sum += n; sum < rank {
			continue
		}
		shift := max(i/128-1, 0)
		upper := uint64(i-shift*128+1)<<shift - 1
		return float64(min(upper, h.largest)) / 1e3
	}
	return float64(h.largest) / 1e3
}

type tally struct {
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

func (t *tally) add(size int) {
	t.Messages++
	t.Bytes += uint64(size)
}

// measures are what a run has counted, over all channels; guarded by its mutex.
type measures struct {
	sync.Mutex
	from, to        time.Duration // The time measured.
	latency         histogram
	sent, delivered tally
	reordered       uint64
	damaged         uint64
}

func (m *measures) within(at time.Duration) bool { return at >= m.from && at < m.to }

// loadChannel is a channel of the load, and the account of its messages.
type loadChannel struct {
	*link
	config   *config
	measures *measures

	mutex      sync.Mutex // Guards what follows, and keeps messages in the order of their numbers.
	message    []byte
	sent       uint64
	received   uint64
	end        uint64 // One past the highest number that came back.
	writtenOff uint64 // Unreliable: below this nothing is waited for.
	progress   time.Duration
	reports    []sinkReport
	endReport  int // The reports before this one tell of the beginning, the others of the end.
	askedAt    time.Duration
}

func newLoadChannel(l *link, c *config, m *measures) *loadChannel {
	channel := &loadChannel{link: l, config: c, measures: m, message: make([]byte, c.size)}
	for i := range channel.message {
		channel.message[i] = byte(i*73 + 41)
	}
	return channel
}

// send sends the next message, meant to leave at `intended`. The mutex is held.
func (c *loadChannel) send(intended time.Duration) error {
	binary.LittleEndian.PutUint64(c.message, c.sent)
	binary.LittleEndian.PutUint64(c.message[8:], uint64(intended))
	if err := c.link.send(c.message); err != nil {
		return err
	}
	c.sent++
	c.measures.Lock()
	if c.measures.within(intended) {
		c.measures.sent.add(len(c.message))
	}
	c.measures.Unlock()
	return nil
}

func (c *loadChannel) outstanding() uint64 {
	settled := c.received
	if !c.config.reliable() {
		settled = max(c.end, c.writtenOff) // What was overtaken may be lost: nobody waits for it.
	}
	return c.sent - min(settled, c.sent)
}

// fill sends as much as the window takes. The mutex is held.
func (c *loadChannel) fill() {
	for c.outstanding() < uint64(c.config.outstanding) && now() < c.measures.to {
		if c.send(now()) != nil {
			return
		}
	}
}

func (c *loadChannel) takeEcho(data []byte) {
	at := now()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.received++
	c.progress = at
	c.measures.Lock()
	if len(data) != c.config.size || binary.LittleEndian.Uint64(data) >= c.sent {
		c.measures.damaged++
		c.measures.Unlock()
		return
	}
	sequence := binary.LittleEndian.Uint64(data)
	intended := time.Duration(binary.LittleEndian.Uint64(data[8:]))
	if sequence < c.end {
		c.measures.reordered++
	}
	c.end = max(c.end, sequence+1)
	counted := at
	if c.config.rate > 0 {
		counted = intended
	}
	if c.measures.within(counted) {
		c.measures.latency.record(at - intended)
		c.measures.delivered.add(len(data))
	}
	c.measures.Unlock()
	if c.config.rate == 0 {
		c.fill()
	}
}

func (c *loadChannel) takeReport(data []byte) {
	var report sinkReport
	if json.Unmarshal(data, &report) != nil {
		return
	}
	c.mutex.Lock()
	c.reports = append(c.reports, report)
	c.progress = now()
	c.mutex.Unlock()
}

// ask asks a sink for a report. On an ordered channel it counts what was sent before.
func (c *loadChannel) ask() {
	c.mutex.Lock()
	c.askedAt = now()
	c.mutex.Unlock()
	_ = c.sendText("report")
}

// upload sends as fast as the buffer empties, until `to`.
func (c *loadChannel) upload(to time.Duration) {
	for now() < to {
		if c.raw.BufferedAmount() > highWater {
			select {
			case <-c.writable:
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		c.mutex.Lock()
		err := c.send(now())
		c.mutex.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *loadChannel) read() {
	c.readAll(func(text bool, data []byte) {
		if text {
			c.takeReport(data)
		} else if c.config.pattern == "echo" {
			c.takeEcho(data)
		}
	})
}
