package scale

import "math/bits"

// U128 is an unsigned integer of 128 bits.
type U128 struct{ Low, High uint64 }

// MaxU128 is the largest.
var MaxU128 = U128{Low: ^uint64(0), High: ^uint64(0)}

// U128From makes one of 64 bits.
func U128From(value uint64) U128 { return U128{Low: value} }

// IsZero is whether it is zero.
func (a U128) IsZero() bool { return a.Low|a.High == 0 }

// Less is whether a < b.
func (a U128) Less(b U128) bool {
	return a.High < b.High || a.High == b.High && a.Low < b.Low
}

// Add returns the sum modulo 2^128, and whether it did not fit.
func (a U128) Add(b U128) (sum U128, overflow bool) {
	low, carry := bits.Add64(a.Low, b.Low, 0)
	high, carry := bits.Add64(a.High, b.High, carry)
	return U128{Low: low, High: high}, carry != 0
}

// SaturatingAdd returns the sum, at most 2^128 - 1.
func (a U128) SaturatingAdd(b U128) U128 {
	sum, overflow := a.Add(b)
	if overflow {
		return MaxU128
	}
	return sum
}

// SaturatingSub returns the difference, at least 0.
func (a U128) SaturatingSub(b U128) U128 {
	if a.Less(b) {
		return U128{}
	}
	low, borrow := bits.Sub64(a.Low, b.Low, 0)
	high, _ := bits.Sub64(a.High, b.High, borrow)
	return U128{Low: low, High: high}
}

// Mul returns the product modulo 2^128, and whether it did not fit.
func (a U128) Mul(b uint64) (product U128, overflow bool) {
	carry, low := bits.Mul64(a.Low, b)
	lost, high := bits.Mul64(a.High, b)
	high, more := bits.Add64(high, carry, 0)
	return U128{Low: low, High: high}, lost|more != 0
}

// SaturatingMul returns the product, at most 2^128 - 1.
func (a U128) SaturatingMul(b uint64) U128 {
	product, overflow := a.Mul(b)
	if overflow {
		return MaxU128
	}
	return product
}

// SaturatingU64 cuts it to at most 2^64 - 1.
func (a U128) SaturatingU64() uint64 {
	if a.High != 0 {
		return ^uint64(0)
	}
	return a.Low
}
