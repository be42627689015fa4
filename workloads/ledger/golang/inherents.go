package ledger

import (
	"lithify/ledger/golang/host"
	"lithify/ledger/golang/scale"
)

const timestampIdentifier = "timstap0"

// decodeTimestamp reads inherents and returns the one of the timestamp, if there is one.
func decodeTimestamp(d *scale.Decoder) (now uint64, ok bool) {
	for range d.CompactU32() {
		identifier, data := d.Take(8), scale.NewDecoder(d.Bytes())
		if d.Failed() {
			break
		}
		if string(identifier) == timestampIdentifier {
			now = data.U64()
			ok = !data.Failed()
		}
	}
	return now, ok
}

// earliest is the least that the timestamp may be set to.
func earliest() uint64 { return saturatingAdd(readU64(keyNow), minimumPeriod) }

// timestampExtrinsic sets the timestamp.
func timestampExtrinsic(now uint64) []byte {
	return scale.AppendCompact([]byte{0x05, 1, 0}, max(now, earliest()))
}

// checkInherents compares a block's inherents with the data they should be made of.
func checkInherents(b *block, data func() uint64) []byte {
	for _, encoded := range b.extrinsics {
		x := mustDecode(encoded)
		if !x.isInherent() {
			break
		}
		switch now := data(); {
		case x.call.now > saturatingAdd(now, maximumDrift):
			return inherentError(1)
		case x.call.now < earliest():
			return inherentError(0)
		}
	}
	return []byte{1, 0, 0}
}

func inherentError(code byte) []byte {
	encoded := append([]byte{0, 1, 1 << 2}, timestampIdentifier...)
	return scale.AppendBytes(encoded, []byte{code})
}

// mustHave returns the timestamp, or traps when it is asked for and not there.
func mustHave(now uint64, ok bool) func() uint64 {
	return func() uint64 {
		if !ok {
			host.Trap("there is no timestamp in the inherent data")
		}
		return now
	}
}
