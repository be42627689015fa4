//go:build native && !wasm && !tinygo

// Package host is the edge to a Polkadot host. Here that is in the same process, and one function of C
// reaches all of it.
package host

/*
#include <stddef.h>
#include <stdint.h>

// Calls a function with two spans of bytes; what it returns is a flag or a length, and goes to result.
typedef int64_t (*host_function)(uint32_t function, const void *a, size_t a_len, const void *b, size_t b_len,
                                 void *result);

static host_function function;

static void connect(void *to) { function = (host_function)to; }

static int64_t call(uint32_t which, const void *a, size_t a_len, const void *b, size_t b_len, void *result) {
	return function(which, a, a_len, b, b_len, result);
}
*/
import "C"

import "unsafe"

// What the host calls its functions; examples/workers/src/native_go.rs has the same list.
const (
	get = iota
	set
	clearKey
	exists
	appendItem
	stateRoot
	begin
	commit
	rollback
	orderedRoot
	blake2128
	blake2256
	twox64
	sr25519Verify
)

// Connect says where the host is: a host_function.
func Connect(function unsafe.Pointer) { C.connect(function) }

func call[A, B []byte | string](which C.uint32_t, a A, b B, result unsafe.Pointer) int64 {
	aStart, aLen := span(a)
	bStart, bLen := span(b)
	return int64(C.call(which, aStart, aLen, bStart, bLen, result))
}

func span[T []byte | string](bytes T) (unsafe.Pointer, C.size_t) {
	text := *(*string)(unsafe.Pointer(&bytes))
	return unsafe.Pointer(unsafe.StringData(text)), C.size_t(len(text))
}

// Get and what follows are described in host_guest.go.
func Get(key string) ([]byte, bool) {
	var value unsafe.Pointer
	length := call(get, key, "", unsafe.Pointer(&value))
	if length < 0 {
		return nil, false
	}
	// The host keeps it until the next Get.
	return append([]byte{}, unsafe.Slice((*byte)(value), length)...), true
}

func Set(key string, value []byte)   { call(set, key, value, nil) }
func Clear(key string)               { call(clearKey, key, "", nil) }
func Exists(key string) bool         { return call(exists, key, "", nil) != 0 }
func Append(key string, item []byte) { call(appendItem, key, item, nil) }
func Begin()                         { call(begin, "", "", nil) }
func Commit()                        { call(commit, "", "", nil) }
func Rollback()                      { call(rollback, "", "", nil) }
func StateRoot() (root [32]byte) {
	call(stateRoot, "", "", unsafe.Pointer(&root))
	return root
}
func OrderedRoot(list []byte) (root [32]byte) {
	call(orderedRoot, list, "", unsafe.Pointer(&root))
	return root
}
func Blake2128(data []byte) (hash [16]byte) {
	call(blake2128, data, "", unsafe.Pointer(&hash))
	return hash
}
func Blake2256(data []byte) (hash [32]byte) {
	call(blake2256, data, "", unsafe.Pointer(&hash))
	return hash
}
func Twox64(data []byte) (hash [8]byte) {
	call(twox64, data, "", unsafe.Pointer(&hash))
	return hash
}

func Sr25519Verify(signature, message, signer []byte) bool {
	return call(sr25519Verify, append(append([]byte{}, signature...), signer...), message, nil) != 0
}

func Trap(message string) { panic(message) }
