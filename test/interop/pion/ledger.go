// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"sync"
	"time"
)

type tally struct {
	Messages int `json:"messages"`
	Bytes    int `json:"bytes"`
}

// ledger keeps what was sent until its echo comes, and counts every way in which an echo can be
// wrong. Its methods may be called from any goroutine.
type ledger struct {
	mutex       sync.Mutex
	ordered     bool
	outstanding []*message // In the order of sending.
	expired     []*message // Given up; a late echo is still an arrival.
	last        int
	progress    time.Time
	sent        tally
	received    tally
	damaged     int
	duplicated  int
	outOfOrder  int
}

func newLedger(ordered bool) *ledger {
	return &ledger{ordered: ordered, last: -1, progress: time.Now()}
}

func (l *ledger) note(m *message) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	m.at = time.Now()
	l.outstanding = append(l.outstanding, m)
	l.sent.Messages++
	l.sent.Bytes += len(m.data)
}

func (l *ledger) accept(text bool, data []byte) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.progress = time.Now()
	m := l.find(text, data)
	if m == nil {
		return
	}
	l.outstanding = without(l.outstanding, m)
	l.expired = without(l.expired, m)
	l.received.Messages++
	l.received.Bytes += len(data)
	if l.ordered && m.index < l.last {
		l.outOfOrder++
	}
	l.last = max(l.last, m.index)
}

// find matches a message too short for a tag with the oldest of the same content, preferably one
// that is in order.
func (l *ledger) find(text bool, data []byte) *message {
	tag := tagOf(text, data)
	var late *message
	for _, pending := range [][]*message{l.outstanding, l.expired} {
		for _, m := range pending {
			if m.text != text || !bytes.Equal(m.data, data) {
				continue
			}
			if m.index == tag || m.index > l.last {
				return m
			}
			if late == nil {
				late = m
			}
		}
	}
	if late == nil {
		if tag >= 0 && tag < l.sent.Messages && !l.pending(tag) {
			l.duplicated++
		} else {
			l.damaged++
		}
	}
	return late
}

func (l *ledger) pending(index int) bool {
	for _, m := range append(l.outstanding[:len(l.outstanding):len(l.outstanding)], l.expired...) {
		if m.index == index {
			return true
		}
	}
	return false
}

func (l *ledger) expire(age time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for len(l.outstanding) > 0 && time.Since(l.outstanding[0].at) > age {
		l.expired = append(l.expired, l.outstanding[0])
		l.outstanding = l.outstanding[1:]
	}
}

// state returns how many messages and bytes are outstanding, and since when nothing has come.
func (l *ledger) state() (messages, size int, idle time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, m := range l.outstanding {
		size += len(m.data)
	}
	return len(l.outstanding), size, time.Since(l.progress)
}

func without(list []*message, gone *message) []*message {
	for i, m := range list {
		if m == gone {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}
