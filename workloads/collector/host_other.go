//go:build !(tinygo && gc.custom)

package collector

// Elsewhere there is no host; the tests of the heap set these.
var (
	hostMalloc    func(size uint32) uintptr
	hostFree      func(address uintptr)
	markReachable func(*heap)
)
