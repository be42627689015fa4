package ledger

import (
	"lithify/ledger/golang/host"
	"lithify/ledger/golang/scale"
)

// A callIndex is the pallet's number and the call's.
type callIndex uint16

const (
	timestampSet       callIndex = 0x0100
	transferAllowDeath callIndex = 0x0400
	transferKeepAlive  callIndex = 0x0403
	transferAll        callIndex = 0x0404
)

// A call, with those arguments that it has.
type call struct {
	index     callIndex
	now       uint64
	dest      address
	value     scale.U128
	keepAlive bool
}

func decodeCall(d *scale.Decoder) (c call) {
	c.index = callIndex(d.U8())<<8 | callIndex(d.U8())
	switch c.index {
	case timestampSet:
		c.now = d.CompactU64()
	case transferAllowDeath, transferKeepAlive:
		c.dest = decodeAddress(d)
		c.value = d.CompactU128()
	case transferAll:
		c.dest = decodeAddress(d)
		c.keepAlive = d.Bool()
	default:
		d.Fail()
	}
	return c
}

// A class decides which limits hold.
type class byte

const (
	normal    class = 0
	mandatory class = 2
)

func (index callIndex) class() class {
	if index == timestampSet {
		return mandatory
	}
	return normal
}

func (class class) maximumLen() uint32 {
	if class == mandatory {
		return maximumMandatoryLen
	}
	return maximumNormalLen
}

func (index callIndex) weight() weight {
	switch index {
	case timestampSet:
		return weight{153_816_000, 1_493}
	case transferAllowDeath:
		return weight{173_834_000, 3_593}
	case transferKeepAlive:
		return weight{164_051_000, 3_593}
	default:
		return weight{173_209_000, 3_593}
	}
}

// dispatch runs a call. Without a signer it is the block's author who calls.
func (c *call) dispatch(signer *accountID) dispatchError {
	if c.index == timestampSet {
		if signer != nil {
			return badOrigin
		}
		c.setTimestamp()
		return ""
	}
	if signer == nil {
		return badOrigin
	}
	source := readAccount(*signer)
	value, preserve := c.value, c.index == transferKeepAlive
	if c.index == transferAll {
		value, preserve = source.free, c.keepAlive
		if preserve {
			value = value.SaturatingSub(existentialDeposit)
		}
	}
	if !c.dest.isID {
		return cannotLookup
	}
	return transfer(source, c.dest.id, value, preserve)
}

func (c *call) setTimestamp() {
	if host.Exists(keyDidUpdate) {
		host.Trap("the timestamp is set twice in a block")
	}
	now := readU64(keyNow)
	if now != 0 && c.now < saturatingAdd(now, minimumPeriod) {
		host.Trap("the timestamp is too early")
	}
	host.Set(keyNow, scale.AppendU64(nil, c.now))
	writeTrue(keyDidUpdate)
}

func transfer(source *account, destID accountID, value scale.U128, preserve bool) dispatchError {
	if !value.IsZero() {
		if readU128(keyTotalIssuance).Less(value) {
			return arithmeticUnderflow
		}
		if source.free.Less(value) {
			return fundsUnavailable
		}
		if preserve && source.free.SaturatingSub(value).Less(existentialDeposit) {
			return notExpendable
		}
	}
	dest := readAccount(destID)
	sum, overflow := dest.free.Add(value)
	if !value.IsZero() {
		if overflow {
			return arithmeticOverflow
		}
		if sum.Less(existentialDeposit) {
			return belowMinimum
		}
	}
	if source.id == destID {
		return ""
	}
	if !value.IsZero() {
		takeFrom(source, value)
		giveTo(dest, sum, value)
	}
	event := append([]byte{4, 2}, source.id[:]...)
	event = append(event, destID[:]...)
	deposit(scale.AppendU128(event, value))
	return ""
}

// takeFrom lowers what is free, and removes an account that is left with too little.
func takeFrom(source *account, value scale.U128) {
	source.free = source.free.SaturatingSub(value)
	if !source.free.Less(existentialDeposit) {
		source.write()
		return
	}
	host.Clear(source.key)
	deposit(append([]byte{0, 4}, source.id[:]...))
	if rest := source.free; !rest.IsZero() {
		deposit(scale.AppendU128(append([]byte{4, 1}, source.id[:]...), rest))
		burn(rest)
	}
}

// giveTo sets what is free to the sum, and creates the account if there is none.
func giveTo(dest *account, sum, value scale.U128) {
	dest.free = sum
	if dest.exists() {
		dest.write()
		return
	}
	created := account{id: dest.id, key: dest.key, providers: 1, flags: newAccountFlags, free: sum}
	created.write()
	deposit(append([]byte{0, 3}, dest.id[:]...))
	deposit(scale.AppendU128(append([]byte{4, 0}, dest.id[:]...), value))
}

// burn takes an amount out of the total issuance.
func burn(amount scale.U128) {
	writeU128(keyTotalIssuance, readU128(keyTotalIssuance).SaturatingSub(amount))
	deposit(scale.AppendU128([]byte{4, 0x0d}, amount))
}
