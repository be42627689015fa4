package ledger

import (
	"lithify/ledger/golang/host"
	"lithify/ledger/golang/scale"
)

// A stored value that does not decode reads as absent. All of these read what is absent as zero.

func readU32(key string) uint32 {
	value, _ := host.Get(key)
	return scale.NewDecoder(value).U32()
}

func readU64(key string) uint64 {
	value, _ := host.Get(key)
	return scale.NewDecoder(value).U64()
}

func readU128(key string) scale.U128 {
	value, _ := host.Get(key)
	decoder := scale.NewDecoder(value)
	number := decoder.U128()
	if decoder.Failed() {
		return scale.U128{}
	}
	return number
}

func readBool(key string) bool {
	value, _ := host.Get(key)
	decoder := scale.NewDecoder(value)
	return decoder.Bool() && !decoder.Failed()
}

func writeU32(key string, value uint32)      { host.Set(key, scale.AppendU32(nil, value)) }
func writeU128(key string, value scale.U128) { host.Set(key, scale.AppendU128(nil, value)) }
func writeTrue(key string)                   { host.Set(key, []byte{1}) }

// twox64Concat is the key of an entry in a map by number.
func twox64Concat(prefix string, number uint32) string {
	encoded := scale.AppendU32(nil, number)
	hash := host.Twox64(encoded)
	return prefix + string(hash[:]) + string(encoded)
}

// blockHash is the hash of a block, if it is still known.
func blockHash(number uint32) (hash [32]byte, known bool) {
	value, _ := host.Get(twox64Concat(mapBlockHash, number))
	decoder := scale.NewDecoder(value)
	hash = decoder.Array32()
	return hash, !decoder.Failed()
}

func setBlockHash(number uint32, hash []byte) {
	host.Set(twox64Concat(mapBlockHash, number), hash)
}

// An accountID is an sr25519 public key.
type accountID [32]byte

// newAccountFlags marks accounts whose balances are of the present form.
var newAccountFlags = scale.U128{High: 1 << 63}

// An account is what is stored for one.
type account struct {
	id  accountID
	key string

	nonce, consumers, providers, sufficients uint32
	free, reserved, frozen, flags            scale.U128
}

func readAccount(id accountID) *account {
	hash := host.Blake2128(id[:])
	key := mapAccount + string(hash[:]) + string(id[:])
	value, _ := host.Get(key)
	d := scale.NewDecoder(value)
	a := &account{
		id: id, key: key,
		nonce: d.U32(), consumers: d.U32(), providers: d.U32(), sufficients: d.U32(),
		free: d.U128(), reserved: d.U128(), frozen: d.U128(), flags: d.U128(),
	}
	if d.Failed() {
		return &account{id: id, key: key, flags: newAccountFlags}
	}
	return a
}

func (a *account) exists() bool { return a.providers != 0 || a.sufficients != 0 }

func (a *account) write() {
	value := make([]byte, 0, 80)
	for _, count := range [...]uint32{a.nonce, a.consumers, a.providers, a.sufficients} {
		value = scale.AppendU32(value, count)
	}
	for _, balance := range [...]scale.U128{a.free, a.reserved, a.frozen, a.flags} {
		value = scale.AppendU128(value, balance)
	}
	host.Set(a.key, value)
}

// A weight is a time and a size that a dispatch takes.
type weight struct{ refTime, proofSize uint64 }

func (w weight) plus(other weight) weight {
	return weight{saturatingAdd(w.refTime, other.refTime), saturatingAdd(w.proofSize, other.proofSize)}
}

func saturatingAdd(a, b uint64) uint64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return ^uint64(0)
}

func saturatingAddU32(a, b uint32) uint32 {
	return uint32(min(uint64(a)+uint64(b), 1<<32-1))
}

func (w weight) append(to []byte) []byte {
	return scale.AppendCompact(scale.AppendCompact(to, w.refTime), w.proofSize)
}

// blockWeight is what a block's extrinsics weigh, by class.
type blockWeight [3]weight

func readBlockWeight() (total blockWeight) {
	value, _ := host.Get(keyBlockWeight)
	decoder := scale.NewDecoder(value)
	for class := range total {
		total[class] = weight{decoder.CompactU64(), decoder.CompactU64()}
	}
	if decoder.Failed() {
		return blockWeight{}
	}
	return total
}

func (total *blockWeight) write() {
	var value []byte
	for _, class := range total {
		value = class.append(value)
	}
	host.Set(keyBlockWeight, value)
}
