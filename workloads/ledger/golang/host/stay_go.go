//go:build wasm && !tinygo

package host

import "unsafe"

var last unsafe.Pointer

// stay has the compiler put what the host is to read on the heap. A stack moves when it grows, which
// may be in the call itself.
func stay(pointer unsafe.Pointer) { last = pointer }
