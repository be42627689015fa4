//go:build tinygo

package host

import "unsafe"

// stay does nothing: neither stack nor heap moves.
func stay(unsafe.Pointer) {}
