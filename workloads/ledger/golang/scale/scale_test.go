package scale

import (
	"bytes"
	"testing"
)

// TestCompact decodes the border of every form, and refuses forms that are not the shortest.
func TestCompact(t *testing.T) {
	for _, c := range []struct {
		encoded []byte
		value   uint64
	}{
		{[]byte{0}, 0},
		{[]byte{0xfc}, 63},
		{[]byte{1, 1}, 64},
		{[]byte{0xfd, 0xff}, 1<<14 - 1},
		{[]byte{2, 0, 1, 0}, 1 << 14},
		{[]byte{0xfe, 0xff, 0xff, 0xff}, 1<<30 - 1},
		{[]byte{3, 0, 0, 0, 0x40}, 1 << 30},
		{[]byte{3, 0xff, 0xff, 0xff, 0xff}, 1<<32 - 1},
		{[]byte{7, 0, 0, 0, 0, 1}, 1 << 32},
		{[]byte{0x13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1<<64 - 1},
	} {
		if encoded := AppendCompact(nil, c.value); !bytes.Equal(encoded, c.encoded) {
			t.Errorf("%d is encoded as %x", c.value, encoded)
		}
		d := NewDecoder(c.encoded)
		if value := d.CompactU64(); value != c.value || d.Failed() || d.Len() != 0 {
			t.Errorf("%x decodes to %d", c.encoded, value)
		}
		if d := NewDecoder(c.encoded[:len(c.encoded)-1]); d.CompactU128() != (U128{}) || !d.Failed() {
			t.Errorf("%x decodes without its last byte", c.encoded)
		}
	}
	for _, encoded := range [][]byte{
		{1, 0}, {0xfd, 0}, {2, 0, 0, 0}, {0xfe, 0xff, 0, 0}, {3, 0, 0, 0, 0}, {3, 0xff, 0xff, 0xff, 0x3f},
		{7, 0, 0, 0, 1, 0}, {0x17, 1, 1, 1, 1, 1, 1, 1, 1, 1},
	} {
		if d := NewDecoder(encoded); d.CompactU64() != 0 || !d.Failed() {
			t.Errorf("%x decodes", encoded)
		}
	}
	if d := NewDecoder([]byte{7, 0, 0, 0, 0, 1}); d.CompactU32() != 0 || !d.Failed() {
		t.Error("33 bits decode to 32")
	}
	most := append([]byte{0x33}, bytes.Repeat([]byte{0xff}, 16)...)
	if d := NewDecoder(most); d.CompactU128() != MaxU128 || d.Failed() {
		t.Error("128 bits do not decode")
	}
}

// TestU128 goes over the border between the halves and over the upper end.
func TestU128(t *testing.T) {
	one, half := U128From(1), U128{High: 1}
	below := U128From(1<<64 - 1)
	for _, c := range []struct{ got, want U128 }{
		{below.SaturatingAdd(one), half},
		{half.SaturatingSub(one), below},
		{one.SaturatingSub(half), U128{}},
		{MaxU128.SaturatingAdd(one), MaxU128},
		{half.SaturatingMul(1 << 63), U128{High: 1 << 63}},
		{half.SaturatingMul(0), U128{}},
		{U128{High: 1 << 63}.SaturatingMul(2), MaxU128},
		{below.SaturatingMul(1<<64 - 1), U128{Low: 1, High: 1<<64 - 2}},
	} {
		if c.got != c.want {
			t.Errorf("%x, not %x", c.got, c.want)
		}
	}
	if _, overflow := MaxU128.Add(one); !overflow {
		t.Error("2^128 fits")
	}
	if half.SaturatingU64() != 1<<64-1 || below.SaturatingU64() != 1<<64-1 {
		t.Error("2^64 is not cut")
	}
	if !below.Less(half) || half.Less(below) || half.Less(half) {
		t.Error("the order is wrong")
	}
}
