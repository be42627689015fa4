// Package scale reads and writes SCALE, without reflection: a type is decoded by the calls that read
// its fields, and encoded by the calls that append them.
package scale

import (
	"encoding/binary"
	"unicode/utf8"
)

// A Decoder reads from the front of a slice. After the first error it reads zeros; Failed says so.
type Decoder struct {
	rest   []byte
	failed bool
}

// NewDecoder reads from the front of input.
func NewDecoder(input []byte) *Decoder { return &Decoder{rest: input} }

// Failed is whether something could not be decoded.
func (d *Decoder) Failed() bool { return d.failed }

// Fail makes the decoder fail for a reason of the caller's.
func (d *Decoder) Fail() {
	d.failed = true
	d.rest = nil
}

// Len is the number of bytes left.
func (d *Decoder) Len() int { return len(d.rest) }

// Rest is what is left.
func (d *Decoder) Rest() []byte { return d.rest }

// Take reads n bytes, which stay part of the input. After an error it returns nil.
func (d *Decoder) Take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.Fail()
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

// U8 reads a byte.
func (d *Decoder) U8() byte {
	if len(d.rest) == 0 {
		d.Fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

// Bool reads a byte that must be 0 or 1.
func (d *Decoder) Bool() bool {
	b := d.U8()
	if b > 1 {
		d.Fail()
	}
	return b == 1
}

// U32 reads an integer of four bytes.
func (d *Decoder) U32() uint32 {
	if b := d.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads an integer of eight bytes.
func (d *Decoder) U64() uint64 {
	if b := d.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// U128 reads an integer of sixteen bytes.
func (d *Decoder) U128() U128 {
	low := d.U64()
	return U128{Low: low, High: d.U64()}
}

// Array32 reads 32 bytes.
func (d *Decoder) Array32() (array [32]byte) {
	copy(array[:], d.Take(len(array)))
	return array
}

// CompactU32 reads a compact integer of up to 32 bits.
func (d *Decoder) CompactU32() uint32 { return uint32(d.compact(4).Low) }

// CompactU64 reads a compact integer of up to 64 bits.
func (d *Decoder) CompactU64() uint64 { return d.compact(8).Low }

// CompactU128 reads a compact integer of up to 128 bits.
func (d *Decoder) CompactU128() U128 { return d.compact(16) }

// compact reads a compact integer of up to that many bytes. Only the shortest form is valid.
func (d *Decoder) compact(most int) U128 {
	first := d.U8()
	switch first & 3 {
	case 0:
		return U128{Low: uint64(first >> 2)}
	case 1:
		value := uint64(first)>>2 | uint64(d.U8())<<6
		return d.atLeast(U128{Low: value}, 1<<6)
	case 2:
		value := uint64(first) >> 2
		for i, b := range d.Take(3) {
			value |= uint64(b) << (8*i + 6)
		}
		return d.atLeast(U128{Low: value}, 1<<14)
	}
	length := int(first>>2) + 4
	if length > most {
		d.Fail()
		return U128{}
	}
	bytes := d.Take(length)
	if bytes == nil {
		return U128{}
	}
	var padded [16]byte
	copy(padded[:], bytes)
	value := U128{
		Low:  binary.LittleEndian.Uint64(padded[:8]),
		High: binary.LittleEndian.Uint64(padded[8:]),
	}
	if length == 4 {
		return d.atLeast(value, 1<<30)
	}
	if bytes[length-1] == 0 {
		d.Fail()
		return U128{}
	}
	return value
}

// atLeast fails for a value that has a shorter form.
func (d *Decoder) atLeast(value U128, least uint64) U128 {
	if value.High == 0 && value.Low < least {
		d.Fail()
	}
	if d.failed {
		return U128{}
	}
	return value
}

// Bytes reads a list of bytes, which stay part of the input.
func (d *Decoder) Bytes() []byte { return d.Take(int(d.CompactU32())) }

// String reads a list of bytes that must be UTF-8.
func (d *Decoder) String() string {
	text := d.Bytes()
	if !utf8.Valid(text) {
		d.Fail()
		return ""
	}
	return string(text)
}

// AppendU32 appends four bytes.
func AppendU32(to []byte, value uint32) []byte { return binary.LittleEndian.AppendUint32(to, value) }

// AppendU64 appends eight bytes.
func AppendU64(to []byte, value uint64) []byte { return binary.LittleEndian.AppendUint64(to, value) }

// AppendU128 appends sixteen bytes.
func AppendU128(to []byte, value U128) []byte {
	return AppendU64(AppendU64(to, value.Low), value.High)
}

// AppendBool appends a byte.
func AppendBool(to []byte, value bool) []byte {
	if value {
		return append(to, 1)
	}
	return append(to, 0)
}

// AppendCompact appends a compact integer in its shortest form.
func AppendCompact(to []byte, value uint64) []byte {
	switch {
	case value < 1<<6:
		return append(to, byte(value)<<2)
	case value < 1<<14:
		return binary.LittleEndian.AppendUint16(to, uint16(value)<<2|1)
	case value < 1<<30:
		return binary.LittleEndian.AppendUint32(to, uint32(value)<<2|2)
	}
	length := 4
	for value>>(8*length) != 0 {
		length++
	}
	to = append(to, byte(length-4)<<2|3)
	for i := range length {
		to = append(to, byte(value>>(8*i)))
	}
	return to
}

// AppendBytes appends a length and the bytes.
func AppendBytes[T []byte | string](to []byte, bytes T) []byte {
	return append(AppendCompact(to, uint64(len(bytes))), bytes...)
}
