//go:build tinygo

// Command guest is the module that the collector is tested with: it keeps a graph alive while it
// allocates garbage, and says whether the graph came through.
package main

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"lithify/collector"
)

func main() {}

//export _initialize
func initialize()

var booted bool

// boot runs what a host would run if it knew of initialisers.
func boot() {
	if !booted {
		booted = true
		initialize()
	}
}

// A node has bytes that follow from its number, and two ways to the next: by pointer and by slice.
type node struct {
	number  uint32
	payload []byte
	next    *node
	others  []*node
}

func content(number uint32, offset int) byte { return byte(number*31 + uint32(offset)*7) }

func newNode(number uint32) *node {
	n := &node{number: number, payload: make([]byte, 1+number*37%500)}
	for i := range n.payload {
		n.payload[i] = content(number, i)
	}
	return n
}

// bad counts the bytes of a list that are not what they should be.
func (n *node) bad() uint32 {
	bad := uint32(0)
	for ; n != nil; n = n.next {
		if len(n.payload) != int(1+n.number*37%500) {
			bad++
		}
		for i, b := range n.payload {
			if b != content(n.number, i) {
				bad++
			}
		}
		for _, other := range n.others {
			if len(other.payload) == 0 || other.payload[0] != content(other.number, 0) {
				bad++
			}
		}
	}
	return bad
}

// inGlobal is alive by a global, the rest by the stack alone.
var inGlobal *node

const liveNodes = 500

// live_graph takes the bytes of garbage to make, a u64, and returns the bytes found wrong, u32, the
// cycles, u32, and the objects made and freed, u64.
//
//export live_graph
func liveGraph(address, length uint32) uint64 {
	boot()
	garbage := binary.LittleEndian.Uint64(unsafe.Slice((*byte)(memory(address)), length))
	bad := churn(garbage)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	output := make([]byte, 24)
	binary.LittleEndian.PutUint32(output, bad)
	binary.LittleEndian.PutUint32(output[4:], collector.Cycles())
	binary.LittleEndian.PutUint64(output[8:], stats.Mallocs)
	binary.LittleEndian.PutUint64(output[16:], stats.Frees)
	return uint64(len(output))<<32 | uint64(uintptr(unsafe.Pointer(&output[0])))
}

// drop_graph does the same, drops all and collects: what the host has given is back then but for
// what the stack still happens to refer to.
//
//export drop_graph
func dropGraph(address, length uint32) uint64 {
	output := liveGraph(address, length)
	inGlobal = nil
	scrub(0)
	runtime.GC()
	return output
}

// scrub overwrites what calls left behind on the stack.
//
//go:noinline
func scrub(depth int) (sum int) {
	var words [64]int
	for i := range words {
		words[i] = depth + i
	}
	if depth < 32 {
		sum = scrub(depth + 1)
	}
	for _, word := range words {
		sum += word
	}
	return sum
}

//go:noinline
func churn(garbage uint64) uint32 {
	var first *node
	byName := map[string]*node{}
	for number := range uint32(liveNodes) {
		n := newNode(number)
		n.next, first = first, n
		if first.next != nil && number%3 == 0 {
			n.others = append(n.others, n.next, n)
		}
		byName[name(number)] = n
	}
	inGlobal = newNode(liveNodes)
	inGlobal.next = newNode(liveNodes + 1)

	bad := uint32(0)
	for made, round := uint64(0), uint32(0); made < garbage; round++ {
		made += makeGarbage(round)
		// The live graph changes: one node gives way to its equal.
		number := round % liveNodes
		old := byName[name(number)]
		fresh := newNode(number)
		old.payload, fresh.payload = fresh.payload, nil
		if round%4096 == 0 {
			bad += first.bad()
		}
	}
	for number := range uint32(liveNodes) {
		if n := byName[name(number)]; n == nil || n.number != number {
			bad++
		}
	}
	if len(byName) != liveNodes {
		bad++
	}
	return bad + first.bad() + inGlobal.bad()
}

func name(number uint32) string {
	digits := [8]byte{}
	for i := range digits {
		digits[i] = 'a' + byte(number>>(4*i)&15)
	}
	return string(digits[:])
}

var sink *node

// makeGarbage makes some objects of many lengths, a cycle among them, and returns their bytes.
func makeGarbage(round uint32) uint64 {
	size := 16 + round*1237%3000
	switch round % 512 {
	case 1:
		size = 150_000
	case 2:
		size = 30_000
	}
	a, b := &node{number: round, payload: make([]byte, size)}, &node{number: round}
	for i := range a.payload {
		a.payload[i] = 0xff
	}
	a.next, b.next = b, a
	b.others = []*node{a, b}
	sink = b
	sink = nil
	return uint64(size) + 2*uint64(unsafe.Sizeof(*a)) + 8
}

// memory is a pointer to what the host has written.
func memory(address uint32) unsafe.Pointer {
	at := uintptr(address)
	return *(*unsafe.Pointer)(unsafe.Pointer(&at))
}
