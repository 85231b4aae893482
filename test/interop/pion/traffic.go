// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"time"
)

const (
	tagged    = 8     // Messages of this size or more begin with their index.
	blockSize = 65521 // A prime: fragments that swap places never match by chance.
	alphabet  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)

type message struct {
	index int
	text  bool
	data  []byte
	at    time.Time
}

// traffic makes the messages of one run: a pure function of seed and index, so that any damage
// shows. README.md, "The messages", is the definition that all the peers follow.
type traffic struct {
	seed    uint32
	maxSize int
	empties bool
	fixed   bool // All are of the largest size.
	binary  []byte
	text    []byte
}

func mix(x uint32) uint32 {
	x = (x ^ x>>16) * 0x7feb352d
	x = (x ^ x>>15) * 0x846ca68b
	return x ^ x>>16
}

func newTraffic(seed uint32, maxSize int, empties bool) *traffic {
	t := &traffic{
		seed: seed, maxSize: maxSize, empties: empties,
		binary: make([]byte, blockSize), text: make([]byte, blockSize),
	}
	state := mix(seed) | 1
	for i := range t.binary {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		t.binary[i] = byte(state >> 24)
		t.text[i] = alphabet[t.binary[i]&63]
	}
	return t
}

func (t *traffic) random(index int) uint32 {
	return mix(t.seed ^ mix(uint32(index)+1))
}

func (t *traffic) size(index int) int {
	if t.fixed {
		return t.maxSize
	}
	random := t.random(index)
	switch index % 100 {
	case 25, 40:
		if t.empties {
			return 0
		}
		return 1
	case 26, 41:
		return 1
	case 50, 51:
		return t.maxSize
	}
	if index%40 == 3 {
		return 1 + int(random%uint32(t.maxSize))
	}
	power := uint32(1) << (random % 14)
	return min(int(power+(random>>8)%power), t.maxSize)
}

func (t *traffic) message(index int) *message {
	m := &message{index: index, text: index%2 == 0, data: make([]byte, t.size(index))}
	block := t.binary
	if m.text {
		block = t.text
	}
	filled := copy(m.data, block[t.random(index)%blockSize:])
	for filled < len(m.data) {
		filled += copy(m.data[filled:], block)
	}
	if len(m.data) >= tagged {
		if m.text {
			copy(m.data, fmt.Sprintf("%08x", index))
		} else {
			binary.BigEndian.PutUint32(m.data, uint32(index))
		}
	}
	if m.text && len(m.data) >= 32 {
		copy(m.data[8:], "é√😀") // Lengths in characters and in bytes must not be confused.
	}
	return m
}

// tagOf returns the index that a received message claims, or -1.
func tagOf(text bool, data []byte) int {
	if len(data) < tagged {
		return -1
	}
	if !text {
		return int(binary.BigEndian.Uint32(data))
	}
	tag := -1
	if _, err := fmt.Sscanf(string(data[:8]), "%08x", &tag); err != nil {
		return -1
	}
	return tag
}
