package ledger

import "lithify/ledger/golang/scale"

// validateTransaction returns the validity of an extrinsic for the pool, in a block on top of one
// with that hash.
func validateTransaction(x *extrinsic, parentHash [32]byte) []byte {
	startBlock(saturatingAddU32(readU32(keyNumber), 1), parentHash, []byte{0})
	signer, invalid := x.validateForPool()
	if invalid != "" {
		return append([]byte{1}, invalid...)
	}
	number := readU32(keyNumber)
	validity := scale.AppendU64([]byte{0}, x.priority())
	if x.nonce == signer.nonce {
		validity = scale.AppendCompact(validity, 0)
	} else {
		validity = appendTag(validity, signer.id, x.nonce-1)
	}
	validity = appendTag(validity, signer.id, x.nonce)
	validity = scale.AppendU64(validity, x.era.death(number)-uint64(number))
	return scale.AppendBool(validity, true)
}

func (x *extrinsic) validateForPool() (*account, validityError) {
	if invalid := x.check(); invalid != "" {
		return nil, invalid
	}
	if x.call.index.class() == mandatory {
		return nil, invalidMandatory
	}
	if x.kind == bare {
		return nil, unknownNoValidator
	}
	return x.validate()
}

// appendTag appends a list of one tag.
func appendTag(to []byte, id accountID, nonce uint32) []byte {
	tag := scale.AppendU32(append([]byte{}, id[:]...), nonce)
	return scale.AppendBytes(scale.AppendCompact(to, 1), tag)
}

// priority is what is paid, by what fills a block first.
func (x *extrinsic) priority() uint64 {
	times := min(uint64(maximumNormalLen/x.len()), blockRefTime/x.weight().refTime)
	return x.tip.SaturatingAdd(scale.U128From(1)).SaturatingMul(times).SaturatingU64()
}
