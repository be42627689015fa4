package ledger

import (
	"lithify/ledger/golang/host"
	"lithify/ledger/golang/scale"
)

type kind byte

const (
	bare kind = iota
	signed
	general
)

// An extrinsic, with the parts of it that are signed as they stand in the input.
type extrinsic struct {
	// encoded is all of it, the length in front included.
	encoded []byte
	kind    kind

	// The next three are of signed extrinsics only.
	signer        address
	signatureType byte
	signature     []byte

	// These are of those with extensions.
	era        era
	nonce      uint32
	tip        scale.U128
	extensions []byte

	call     call
	callData []byte
}

// An address names an account, or does not if it is of a kind that the ledger has not.
type address struct {
	id   accountID
	isID bool
}

func decodeAddress(d *scale.Decoder) (a address) {
	switch d.U8() {
	case 0:
		a.id, a.isID = d.Array32(), true
	case 1:
	case 2:
		d.Bytes()
	case 3:
		d.Take(32)
	case 4:
		d.Take(20)
	default:
		d.Fail()
	}
	return a
}

const sr25519 = 1

// signatureLens are the lengths of signatures by type: ed25519, sr25519, ecdsa, eth.
var signatureLens = [...]int{64, 64, 65, 65}

// decodeExtrinsic reads an extrinsic from the front of d.
func decodeExtrinsic(d *scale.Decoder) *extrinsic {
	start := d.Rest()
	inner := scale.NewDecoder(d.Bytes())
	x := &extrinsic{encoded: start[:len(start)-d.Len()]}
	switch inner.U8() {
	case 0x04, 0x05:
	case 0x84:
		x.kind = signed
		x.signer = decodeAddress(inner)
		x.signatureType = inner.U8()
		if int(x.signatureType) >= len(signatureLens) {
			inner.Fail()
			break
		}
		x.signature = inner.Take(signatureLens[x.signatureType])
		x.decodeExtensions(inner)
	case 0x45:
		x.kind = general
		if inner.U8() != 0 {
			inner.Fail()
		}
		x.decodeExtensions(inner)
	default:
		inner.Fail()
	}
	x.callData = inner.Rest()
	x.call = decodeCall(inner)
	if inner.Failed() || inner.Len() != 0 {
		d.Fail()
	}
	return x
}

func (x *extrinsic) decodeExtensions(d *scale.Decoder) {
	start := d.Rest()
	x.era = decodeEra(d)
	x.nonce = d.CompactU32()
	x.tip = d.CompactU128()
	x.extensions = start[:len(start)-d.Len()]
}

func (x *extrinsic) len() uint32 { return uint32(len(x.encoded)) }

func (x *extrinsic) isInherent() bool { return x.kind == bare && x.call.index == timestampSet }

// weight is that of the call and the extensions.
func (x *extrinsic) weight() weight {
	switch {
	case x.kind == bare:
		return x.call.index.weight()
	case x.era.mortal():
		return x.call.index.weight().plus(mortalWeight)
	}
	return x.call.index.weight().plus(immortalWeight)
}

// fee is what a signed extrinsic of that length costs.
func (x *extrinsic) fee(length uint32, tip scale.U128) scale.U128 {
	fee := scale.U128From(baseExtrinsicWeight.refTime)
	fee = fee.SaturatingAdd(scale.U128From(uint64(length)))
	fee = fee.SaturatingAdd(scale.U128From(x.weight().refTime))
	return fee.SaturatingAdd(tip)
}

// check looks at the address and the signature.
func (x *extrinsic) check() validityError {
	if x.kind != signed {
		return ""
	}
	if !x.signer.isID {
		return unknownCannotLookup
	}
	birth, known := blockHash(uint32(x.era.birth(readU32(keyNumber))))
	if !known {
		return invalidAncientBirthBlock
	}
	if x.signatureType != sr25519 || !host.Sr25519Verify(x.signature, x.payload(birth[:]), x.signer.id[:]) {
		return invalidBadProof
	}
	return ""
}

// payload is what is signed.
func (x *extrinsic) payload(birth []byte) []byte {
	genesis, _ := blockHash(0)
	payload := make([]byte, 0, len(x.callData)+len(x.extensions)+4+4+32+32)
	payload = append(payload, x.callData...)
	payload = append(payload, x.extensions...)
	payload = scale.AppendU32(payload, specVersion)
	payload = scale.AppendU32(payload, transactionVersion)
	payload = append(payload, genesis[:]...)
	payload = append(payload, birth...)
	if len(payload) > 256 {
		hash := host.Blake2256(payload)
		return hash[:]
	}
	return payload
}

// An era is when an extrinsic is valid: always, if the period is 0.
type era struct{ period, phase uint64 }

func decodeEra(d *scale.Decoder) era {
	first := d.U8()
	if first == 0 {
		return era{}
	}
	encoded := uint64(first) | uint64(d.U8())<<8
	period := uint64(2) << (encoded % 16)
	phase := (encoded >> 4) * max(period>>12, 1)
	if period < 4 || phase >= period {
		d.Fail()
	}
	return era{period, phase}
}

func (e era) mortal() bool { return e.period != 0 }

// birth is the block from which on it is valid, seen from a block.
func (e era) birth(number uint32) uint64 {
	if !e.mortal() {
		return 0
	}
	return (max(uint64(number), e.phase)-e.phase)/e.period*e.period + e.phase
}

// death is the block in which it no longer is.
func (e era) death(number uint32) uint64 {
	if !e.mortal() {
		return 1<<64 - 1
	}
	return e.birth(number) + e.period
}
