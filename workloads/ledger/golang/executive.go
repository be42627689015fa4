package ledger

import (
	"lithify/ledger/golang/host"
	"lithify/ledger/golang/scale"
)

// apply runs an extrinsic in the current block and returns the apply result.
func apply(x *extrinsic) []byte {
	failed, invalid := x.apply()
	switch {
	case invalid != "":
		return append([]byte{1}, invalid...)
	case failed != "":
		return append([]byte{0, 1}, failed...)
	}
	return []byte{0, 0}
}

func (x *extrinsic) apply() (dispatchError, validityError) {
	if invalid := x.check(); invalid != "" {
		return "", invalid
	}
	if !x.isInherent() {
		noteInherentsApplied()
	}
	index := readU32(keyExtrinsicIndex)
	host.Set(twox64Concat(mapExtrinsicData, index), scale.AppendBytes(nil, x.encoded))
	fee, invalid := x.prepare()
	if invalid != "" {
		return "", invalid
	}
	failed := x.dispatch()
	if x.kind == signed {
		burn(fee)
		event := append([]byte{5, 0}, x.signer.id[:]...)
		deposit(scale.AppendU128(scale.AppendU128(event, fee), x.tip))
	}
	if failed != "" && x.call.index.class() == mandatory {
		return "", invalidBadMandatory
	}
	x.depositResult(failed)
	writeU32(keyExtrinsicIndex, index+1)
	setPhaseApplyExtrinsic(index + 1)
	return failed, ""
}

// dispatch runs the call; of one that fails nothing is left in storage.
func (x *extrinsic) dispatch() dispatchError {
	var signer *accountID
	if x.kind == signed {
		signer = &x.signer.id
	}
	host.Begin()
	failed := x.call.dispatch(signer)
	if failed != "" {
		host.Rollback()
	} else {
		host.Commit()
	}
	return failed
}

func (x *extrinsic) depositResult(failed dispatchError) {
	event := []byte{0, 0}
	if failed != "" {
		event = append([]byte{0, 1}, failed...)
	}
	event = x.weight().plus(baseExtrinsicWeight).append(event)
	deposit(append(event, byte(x.call.index.class()), 0))
}

// validate says whether an extrinsic could be in the current block, now or later.
func (x *extrinsic) validate() (*account, validityError) {
	switch x.kind {
	case bare:
		return nil, x.fits()
	case general:
		if _, known := blockHash(uint32(x.era.birth(readU32(keyNumber)))); !known {
			return nil, invalidAncientBirthBlock
		}
		if invalid := x.fits(); invalid != "" {
			return nil, invalid
		}
		return nil, invalidUnknownOrigin
	}
	if x.signer.id == (accountID{}) {
		return nil, invalidBadSigner
	}
	signer := readAccount(x.signer.id)
	if !signer.exists() {
		return nil, invalidPayment
	}
	if x.nonce < signer.nonce {
		return nil, invalidStale
	}
	if invalid := x.fits(); invalid != "" {
		return nil, invalid
	}
	fee := x.fee(x.len(), x.tip)
	if readU128(keyTotalIssuance).Less(fee) || signer.free.Less(fee) ||
		signer.free.SaturatingSub(fee).Less(existentialDeposit) {
		return nil, invalidPayment
	}
	return signer, ""
}

// prepare validates an extrinsic for the current block, and books what it takes: its place in the
// block, a nonce, and the fee, which it returns.
func (x *extrinsic) prepare() (scale.U128, validityError) {
	signer, invalid := x.validate()
	if invalid != "" {
		return scale.U128{}, invalid
	}
	if x.kind == bare {
		return scale.U128{}, x.book()
	}
	if x.nonce > signer.nonce {
		return scale.U128{}, invalidFuture
	}
	if invalid := x.book(); invalid != "" {
		return scale.U128{}, invalid
	}
	fee := x.fee(x.len(), x.tip)
	signer.nonce++
	signer.free = signer.free.SaturatingSub(fee)
	signer.write()
	deposit(scale.AppendU128(append([]byte{4, 8}, signer.id[:]...), fee))
	return fee, ""
}

// fits is whether it fits into the current block by length, and into any by weight.
func (x *extrinsic) fits() validityError {
	class := x.call.index.class()
	if saturatingAddU32(readU32(keyBlockSize), x.len()) > class.maximumLen() {
		return invalidExhaustsResources
	}
	if class == normal && x.weight().refTime > oneExtrinsicRefTime {
		return invalidExhaustsResources
	}
	return ""
}

// book adds an extrinsic to the weight and the size of the block.
func (x *extrinsic) book() validityError {
	class := x.call.index.class()
	total := readBlockWeight()
	added := x.weight().plus(baseExtrinsicWeight).plus(weight{0, uint64(x.len())})
	total[class] = total[class].plus(added)
	if class == normal {
		sum := total[0].plus(total[1]).plus(total[2])
		if total[normal].refTime > normalRefTime || sum.refTime > blockRefTime {
			return invalidExhaustsResources
		}
	}
	writeU32(keyBlockSize, saturatingAddU32(readU32(keyBlockSize), x.len()))
	total.write()
	return ""
}

// A block, its extrinsics as they stand in the input.
type block struct {
	header     header
	extrinsics [][]byte
}

func decodeBlock(d *scale.Decoder) block {
	b := block{header: decodeHeader(d)}
	for range d.CompactU32() {
		start := d.Rest()
		if d.Bytes(); d.Failed() {
			break
		}
		b.extrinsics = append(b.extrinsics, start[:len(start)-d.Len()])
	}
	return b
}

// mustDecode decodes an extrinsic of a block, or traps.
func mustDecode(encoded []byte) *extrinsic {
	d := scale.NewDecoder(encoded)
	x := decodeExtrinsic(d)
	if d.Failed() {
		host.Trap("an extrinsic does not decode")
	}
	return x
}

// execute runs a block on the state of its parent.
func (b *block) execute() {
	h := &b.header
	initializeBlock(h)
	if parent, _ := blockHash(h.number - 1); h.number == 0 || parent != h.parentHash {
		host.Trap("the parent is another block")
	}
	onlyInherents := true
	for _, encoded := range b.extrinsics {
		x := mustDecode(encoded)
		if !x.isInherent() {
			onlyInherents = false
		} else if !onlyInherents {
			host.Trap("an inherent comes after another extrinsic")
		}
		if _, invalid := x.apply(); invalid != "" {
			host.Trap("an extrinsic is not valid")
		}
	}
	final := finalizeBlock()
	switch {
	case string(final.digest) != string(h.digest):
		host.Trap("the digest is another")
	case final.stateRoot != h.stateRoot:
		host.Trap("the state root is another")
	case final.extrinsicsRoot != h.extrinsicsRoot:
		host.Trap("the extrinsics root is another")
	}
}
