//go:build wasm || tinygo

// Package host is the edge to a Polkadot host: what the ledger calls, in Go's types.
//
// Bytes go to the host as address and length in one integer, the length in the high half. What it
// returns lies in a block of its own allocator; it is copied into Go's memory, and the block freed.
package host

import (
	"unsafe"

	"lithify/ledger/golang/scale"
)

//go:wasmimport env ext_allocator_free_version_1
func allocatorFree(address uint32)

//go:wasmimport env ext_storage_get_version_1
func storageGet(key uint64) uint64

//go:wasmimport env ext_storage_set_version_1
func storageSet(key, value uint64)

//go:wasmimport env ext_storage_clear_version_1
func storageClear(key uint64)

//go:wasmimport env ext_storage_exists_version_1
func storageExists(key uint64) uint32

//go:wasmimport env ext_storage_append_version_1
func storageAppend(key, value uint64)

//go:wasmimport env ext_storage_root_version_2
func storageRoot(version uint32) uint64

//go:wasmimport env ext_storage_start_transaction_version_1
func storageStartTransaction()

//go:wasmimport env ext_storage_commit_transaction_version_1
func storageCommitTransaction()

//go:wasmimport env ext_storage_rollback_transaction_version_1
func storageRollbackTransaction()

//go:wasmimport env ext_trie_blake2_256_ordered_root_version_2
func trieBlake2256OrderedRoot(input uint64, version uint32) uint32

//go:wasmimport env ext_hashing_blake2_128_version_1
func hashingBlake2128(data uint64) uint32

//go:wasmimport env ext_hashing_blake2_256_version_1
func hashingBlake2256(data uint64) uint32

//go:wasmimport env ext_hashing_twox_64_version_1
func hashingTwox64(data uint64) uint32

//go:wasmimport env ext_crypto_sr25519_verify_version_2
func cryptoSr25519Verify(signature uint32, message uint64, signer uint32) uint32

//go:wasmimport env ext_panic_handler_abort_on_panic_version_1
func panicHandlerAbort(message uint64)

// spanOf is bytes as the host takes them.
func spanOf[T []byte | string](bytes T) uint64 {
	if len(bytes) == 0 {
		return 0
	}
	return uint64(len(bytes))<<32 | uint64(address(unsafe.Pointer(unsafe.StringData(stringOf(bytes)))))
}

// stringOf is bytes without a copy.
func stringOf[T []byte | string](bytes T) string { return *(*string)(unsafe.Pointer(&bytes)) }

// address is where the host finds what pointer points to.
func address(pointer unsafe.Pointer) uint32 {
	stay(pointer)
	return uint32(uintptr(pointer))
}

// Memory is a part of memory that the host wrote, which Go knows nothing about.
func Memory(address, length uint32) []byte {
	if length == 0 {
		return nil
	}
	at := uintptr(address)
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), length)
}

// Output is an entry point's result as the host takes it.
func Output(bytes []byte) uint64 { return spanOf(bytes) }

// takeArray copies a result of known length and frees it.
func takeArray(to []byte, result uint32) {
	copy(to, Memory(result, uint32(len(to))))
	allocatorFree(result)
}

// Get returns the value of a key, if it has one.
func Get(key string) ([]byte, bool) {
	result := storageGet(spanOf(key))
	decoder := scale.NewDecoder(Memory(uint32(result), uint32(result>>32)))
	present := decoder.Bool()
	var value []byte
	if present {
		value = append([]byte{}, decoder.Bytes()...)
	}
	allocatorFree(uint32(result))
	return value, present
}

// Set sets the value of a key.
func Set(key string, value []byte) { storageSet(spanOf(key), spanOf(value)) }

// Clear removes a key.
func Clear(key string) { storageClear(spanOf(key)) }

// Exists is whether a key has a value.
func Exists(key string) bool { return storageExists(spanOf(key)) != 0 }

// Append appends an encoded item to the list at a key.
func Append(key string, item []byte) { storageAppend(spanOf(key), spanOf(item)) }

// StateRoot is the state root by the rules of state version 1.
func StateRoot() (root [32]byte) {
	takeArray(root[:], uint32(storageRoot(1)))
	return root
}

// Begin opens a storage transaction.
func Begin() { storageStartTransaction() }

// Commit keeps what the innermost storage transaction wrote.
func Commit() { storageCommitTransaction() }

// Rollback drops what the innermost storage transaction wrote.
func Rollback() { storageRollbackTransaction() }

// OrderedRoot is the root of an encoded list of bytes by the rules of state version 0.
func OrderedRoot(list []byte) (root [32]byte) {
	takeArray(root[:], trieBlake2256OrderedRoot(spanOf(list), 0))
	return root
}

// Blake2128 is BLAKE2b with 16 bytes of output.
func Blake2128(data []byte) (hash [16]byte) {
	takeArray(hash[:], hashingBlake2128(spanOf(data)))
	return hash
}

// Blake2256 is BLAKE2b with 32 bytes of output.
func Blake2256(data []byte) (hash [32]byte) {
	takeArray(hash[:], hashingBlake2256(spanOf(data)))
	return hash
}

// Twox64 is XXH64.
func Twox64(data []byte) (hash [8]byte) {
	takeArray(hash[:], hashingTwox64(spanOf(data)))
	return hash
}

// Sr25519Verify is whether signer, of 32 bytes, made signature, of 64, on a message.
func Sr25519Verify(signature, message, signer []byte) bool {
	return cryptoSr25519Verify(uint32(spanOf(signature)), spanOf(message), uint32(spanOf(signer))) != 0
}

// Trap stops the call.
func Trap(message string) {
	panicHandlerAbort(spanOf(message))
	panic(message)
}
