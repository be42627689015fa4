//go:build tinygo && !gc.custom

package main

import _ "unsafe"

// arenaLen is what a built-in collector gets, in bytes.
const arenaLen = 16 << 20

// heapStart and heapEnd are where the collector's memory lies.
//
//go:extern runtime.heapStart
var heapStart uintptr

//go:extern runtime.heapEnd
var heapEnd uintptr

//go:linkname initHeap runtime.initHeap
func initHeap()

// initAll runs the initialisers of all packages.
//
//go:linkname initAll runtime.initAll
func initAll()

//go:wasmimport env ext_allocator_malloc_version_1
func hostMalloc(size uint32) uintptr

var booted bool

// boot does what _initialize does, but in memory that the host has given: a built-in collector
// would take all of it from __heap_base on, where the host's own heap is. The leaking one relies on
// zeroed memory, which this is: no Polkadot host gives used memory as the first block of its length.
func boot() {
	if booted {
		return
	}
	booted = true
	arena := hostMalloc(arenaLen)
	heapStart, heapEnd = (arena+15)&^15, arena+arenaLen
	initHeap()
	initAll()
}
