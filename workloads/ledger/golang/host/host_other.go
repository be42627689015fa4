//go:build !wasm && !tinygo && !native

// Package host is the edge to a Polkadot host. Outside of WebAssembly there is none: what needs no
// host can be tested there, the rest stops.
package host

func none() { panic("there is no Polkadot host here") }

// Get and what follows are described in host_guest.go.
func Get(string) ([]byte, bool)          { none(); return nil, false }
func Set(string, []byte)                 { none() }
func Clear(string)                       { none() }
func Exists(string) bool                 { none(); return false }
func Append(string, []byte)              { none() }
func StateRoot() (root [32]byte)         { none(); return }
func Begin()                             { none() }
func Commit()                            { none() }
func Rollback()                          { none() }
func OrderedRoot([]byte) (root [32]byte) { none(); return }
func Blake2128([]byte) (hash [16]byte)   { none(); return }
func Blake2256([]byte) (hash [32]byte)   { none(); return }
func Twox64([]byte) (hash [8]byte)       { none(); return }
func Sr25519Verify(_, _, _ []byte) bool  { none(); return false }
func Trap(message string)                { panic(message) }
