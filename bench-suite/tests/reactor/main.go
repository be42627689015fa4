// A reactor of TinyGo, whose collector takes all of memory up to where memory.size says for its own.
//
// tinygo.wasm was made of this file by TinyGo 0.41.1 (workloads/toolchain/tinygo, with the target wasip1
// linked against the same builtins archive as the target polkadot):
//
//	tinygo build -target=wasip1 -buildmode=c-shared -scheduler=none -gc=precise -opt=2 -no-debug \
//	    -o tinygo.wasm .
package main

import "unsafe"

//go:wasmimport env ext_storage_get_version_1
func get(key uint64) uint64

//go:wasmimport env ext_hashing_blake2_256_version_1
func blake(data uint64) uint32

func fat(b []byte) uint64 {
	return uint64(len(b))<<32 | uint64(uintptr(unsafe.Pointer(&b[0])))
}

type node struct {
	next *node
	data []byte
	tag  byte
}

var out [12]byte

// Keeps `keep` KiB alive while it makes garbage and host results, and counts what was changed.
//
//go:wasmexport probe
func probe(ptr, n uint32) uint64 {
	input := unsafe.Slice((*byte)(unsafe.Pointer(uintptr(ptr))), n)
	first := input[0]
	keep := int(input[1]) * 64
	var list *node
	results := []uint32{}
	for i := 0; i < keep; i++ {
		b := make([]byte, 1024)
		for j := range b {
			b[j] = byte(i)
		}
		list = &node{list, b, byte(i)}
		_ = make([]byte, 512)
		if i%16 == 0 {
			results = append(results, blake(fat(b)))
			get(fat(b[:3]))
		}
	}
	bad := uint32(0)
	count := uint32(0)
	for l := list; l != nil; l = l.next {
		count++
		for _, c := range l.data {
			if c != l.tag {
				bad++
			}
		}
	}
	sum := uint32(0)
	for _, r := range results {
		h := unsafe.Slice((*byte)(unsafe.Pointer(uintptr(r))), 32)
		for _, c := range h {
			sum += uint32(c)
		}
	}
	if input[0] != first {
		bad++
	}
	for i := 0; i < 4; i++ {
		out[i] = byte(bad >> (8 * i))
		out[4+i] = byte(count >> (8 * i))
		out[8+i] = byte(sum >> (8 * i))
	}
	return fat(out[:])
}

func main() {}
