// Package ledger is a Polkadot runtime of accounts, transfers and fees, as ../SPEC.md specifies it.
//
// The entry points are functions from input to output; tinygo/ and go/ export them. Input that does
// not decode, and whatever else a block must not have, traps.
package ledger

import "lithify/ledger/golang/scale"

const (
	blockHashesKept     = 2_400
	minimumPeriod       = 3_000
	maximumDrift        = 30_000
	maximumHeaderLen    = 1 << 20
	blockRefTime        = 2_000_000_000_000
	normalRefTime       = 1_500_000_000_000
	oneExtrinsicRefTime = 1_299_891_843_000

	maximumNormalLen    = 3_932_160
	maximumMandatoryLen = 5_242_880
)

var (
	existentialDeposit = scale.U128From(1_000_000_000)
	feeMultiplier      = scale.U128From(1_000_000_000_000_000_000)

	baseBlockWeight     = weight{431_614_000, 0}
	baseExtrinsicWeight = weight{108_157_000, 0}
	timestampWeight     = weight{3_246_000, 0}
	immortalWeight      = weight{487_630_000, 8_675}
	mortalWeight        = weight{487_728_000, 12_184}
)

const (
	specName           = "lithify-ledger"
	authoringVersion   = 1
	specVersion        = 1
	implVersion        = 1
	transactionVersion = 1
	systemVersion      = 1
)

var apis = [...]struct {
	id      string
	version uint32
}{
	{"\xdf\x6a\xcb\x68\x99\x07\x60\x9b", 5}, // Core
	{"\x37\xe3\x97\xfc\x7c\x91\xf5\xe4", 1}, // Metadata
	{"\x40\xfe\x3a\xd4\x01\xf8\x95\x9a", 6}, // BlockBuilder
	{"\xd2\xbc\x98\x97\xee\xd0\x8f\x15", 3}, // TaggedTransactionQueue
	{"\xbc\x9d\x89\x90\x4f\x5b\x92\x3f", 1}, // AccountNonceApi
	{"\x37\xc8\xbb\x13\x50\xa9\xa2\xa8", 4}, // TransactionPaymentApi
	{"\xfb\xc5\x77\xb9\xd7\x47\xef\xd6", 1}, // GenesisBuilder
}

// A validityError says why an extrinsic is not included; empty if it is.
type validityError string

const (
	invalidPayment           validityError = "\x00\x01"
	invalidFuture            validityError = "\x00\x02"
	invalidStale             validityError = "\x00\x03"
	invalidBadProof          validityError = "\x00\x04"
	invalidAncientBirthBlock validityError = "\x00\x05"
	invalidExhaustsResources validityError = "\x00\x06"
	invalidBadMandatory      validityError = "\x00\x08"
	invalidMandatory         validityError = "\x00\x09"
	invalidBadSigner         validityError = "\x00\x0a"
	invalidUnknownOrigin     validityError = "\x00\x0c"
	unknownCannotLookup      validityError = "\x01\x00"
	unknownNoValidator       validityError = "\x01\x01"
)

// A dispatchError says why a call failed; empty if it did not.
type dispatchError string

const (
	cannotLookup        dispatchError = "\x01"
	badOrigin           dispatchError = "\x02"
	fundsUnavailable    dispatchError = "\x07\x00"
	belowMinimum        dispatchError = "\x07\x02"
	notExpendable       dispatchError = "\x07\x08"
	arithmeticUnderflow dispatchError = "\x08\x00"
	arithmeticOverflow  dispatchError = "\x08\x01"
)
