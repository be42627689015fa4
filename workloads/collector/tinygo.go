//go:build tinygo && gc.custom

package collector

import (
	"runtime"
	"unsafe"
)

// theHeap is all of the program's heap.
var theHeap heap

// nothing is what every object without a length is.
var nothing byte

// pointerless is what the compiler gives as the layout of an object without pointers.
const pointerless = 3

//go:wasmimport env ext_allocator_malloc_version_1
func hostMallocVersion1(size uint32) uintptr

//go:wasmimport env ext_allocator_free_version_1
func hostFreeVersion1(address uintptr)

func hostMalloc(size uint32) uintptr { return hostMallocVersion1(size) }
func hostFree(address uintptr)       { hostFreeVersion1(address) }

// markReachable calls markRoots for the stack, where the compiler keeps a copy of every live pointer,
// and for the globals.
func markReachable(*heap) { runtimeMarkReachable() }

//go:linkname runtimeMarkReachable runtime.gcMarkReachable
func runtimeMarkReachable()

// The compiler's runtime calls what follows.

// markRoots leaves out the collector's own numbers, which would look like references.
//
//go:linkname markRoots runtime.markRoots
func markRoots(start, end uintptr) {
	own := uintptr(unsafe.Pointer(&theHeap))
	if start <= own && own < end {
		theHeap.markRange(start, own)
		start = own + unsafe.Sizeof(theHeap)
	}
	theHeap.markRange(start, end)
}

//go:linkname initHeap runtime.initHeap
func initHeap() {}

//go:noinline
//go:linkname alloc runtime.alloc
func alloc(size uintptr, layout unsafe.Pointer) unsafe.Pointer {
	if size == 0 {
		return unsafe.Pointer(&nothing)
	}
	return unsafe.Pointer(theHeap.alloc(size, uintptr(layout) == pointerless))
}

// free leaves an object to the next cycle: nothing says that no one else refers to it.
//
//go:linkname free runtime.free
func free(unsafe.Pointer) {}

// collectNow is runtime.GC.
//
//go:noinline
//go:linkname collectNow runtime.GC
func collectNow() { theHeap.collect() }

// setFinalizer does nothing, which the documentation of runtime.SetFinalizer allows.
//
//go:linkname setFinalizer runtime.SetFinalizer
func setFinalizer(obj, finalizer interface{}) {}

//go:linkname readMemStats runtime.ReadMemStats
func readMemStats(m *runtime.MemStats) {
	counts := theHeap.exact()
	m.Mallocs, m.Frees = counts.mallocs, counts.frees
	m.HeapObjects = counts.mallocs - counts.frees
	m.TotalAlloc = counts.allocated
	m.Alloc, m.HeapAlloc = counts.live(), counts.live()
	m.HeapSys = counts.fromHost
	m.HeapInuse, m.HeapIdle, m.HeapReleased = counts.live(), counts.fromHost-counts.live(), 0
	m.GCSys = counts.bookkeeping
	m.Sys = counts.fromHost + counts.bookkeeping
}

// Cycles is the number of collections so far.
func Cycles() uint32 { return theHeap.counts.cycles }

// exportedCycles is Cycles for the host.
//
//export lithify_gc_cycles
func exportedCycles() uint32 { return Cycles() }
