package ledger

import (
	"lithify/ledger/golang/host"
	"lithify/ledger/golang/scale"
)

// A balance is an account's at genesis.
type balance struct {
	id   accountID
	free scale.U128
}

// A configParser reads the text of a genesis configuration.
type configParser struct {
	rest   []byte
	failed bool
}

// parseConfig returns the balances, and whether the text is a configuration.
func parseConfig(text []byte) (balances []balance, ok bool) {
	p := &configParser{rest: text}
	p.token("{")
	if !p.peek('}') {
		p.token(`"balances"`)
		p.token(":")
		p.token("{")
		if !p.peek('}') {
			p.token(`"balances"`)
			p.token(":")
			balances = p.balances()
		}
		p.token("}")
	}
	p.token("}")
	p.blanks()
	return balances, !p.failed && len(p.rest) == 0
}

func (p *configParser) balances() (balances []balance) {
	p.token("[")
	if !p.peek(']') {
		for !p.failed {
			var b balance
			p.token("[")
			b.id = p.account()
			p.token(",")
			b.free = p.number()
			p.token("]")
			balances = append(balances, b)
			if !p.peek(',') {
				break
			}
			p.token(",")
		}
	}
	p.token("]")
	return balances
}

func (p *configParser) blanks() {
	for len(p.rest) != 0 {
		switch p.rest[0] {
		case ' ', '\t', '\n', '\r':
			p.rest = p.rest[1:]
		default:
			return
		}
	}
}

func (p *configParser) peek(b byte) bool {
	p.blanks()
	return len(p.rest) != 0 && p.rest[0] == b
}

func (p *configParser) token(token string) {
	p.blanks()
	if len(p.rest) < len(token) || string(p.rest[:len(token)]) != token {
		p.failed = true
		return
	}
	p.rest = p.rest[len(token):]
}

// account reads "0x and 64 hex digits".
func (p *configParser) account() (id accountID) {
	p.token(`"0x`)
	if len(p.rest) < 65 || p.rest[64] != '"' {
		p.failed = true
		return id
	}
	for i := range id {
		high, low := hexDigit(p.rest[2*i]), hexDigit(p.rest[2*i+1])
		if high > 15 || low > 15 {
			p.failed = true
			return id
		}
		id[i] = high<<4 | low
	}
	p.rest = p.rest[65:]
	return id
}

// hexDigit is the value of a digit, or 255.
func hexDigit(digit byte) byte {
	switch {
	case '0' <= digit && digit <= '9':
		return digit - '0'
	case 'a' <= digit && digit <= 'f':
		return digit - 'a' + 10
	case 'A' <= digit && digit <= 'F':
		return digit - 'A' + 10
	}
	return 255
}

// number reads a decimal number below 2^128.
func (p *configParser) number() (value scale.U128) {
	p.blanks()
	length := 0
	for length < len(p.rest) && '0' <= p.rest[length] && p.rest[length] <= '9' {
		length++
	}
	if length == 0 || length > 39 || length > 1 && p.rest[0] == '0' {
		p.failed = true
		return value
	}
	for _, digit := range p.rest[:length] {
		tenfold, tooLarge := value.Mul(10)
		sum, overflow := tenfold.Add(scale.U128From(uint64(digit - '0')))
		if tooLarge || overflow {
			p.failed = true
		}
		value = sum
	}
	p.rest = p.rest[length:]
	return value
}

// buildState writes the state of the genesis block, or returns what is wrong with the text.
func buildState(text []byte) (wrong string) {
	balances, ok := parseConfig(text)
	if !ok {
		return "invalid genesis configuration"
	}
	var issuance scale.U128
	seen := make(map[accountID]bool, len(balances))
	for _, b := range balances {
		sum, overflow := issuance.Add(b.free)
		if overflow || seen[b.id] || b.free.Less(existentialDeposit) {
			host.Trap("a balance of the genesis configuration is not possible")
		}
		issuance, seen[b.id] = sum, true
	}
	for _, version := range [...]struct {
		pallet string
		low    byte
	}{{systemPallet, 0}, {timestampPallet, 0}, {balancesPallet, 1}, {transactionPaymentPallet, 0}} {
		host.Set(version.pallet+palletVersion, []byte{version.low, 0})
	}
	var first [32]byte
	for i := range first {
		first[i] = 0x45
	}
	setBlockHash(0, first[:])
	host.Set(keyParentHash, first[:])
	writeLastRuntimeUpgrade()
	writeTrue(keyUpgradedToU32RefCount)
	writeTrue(keyUpgradedToTripleRefCount)
	writeU32(keyExtrinsicIndex, 0)
	writeU128(keyTotalIssuance, issuance)
	for _, b := range balances {
		a := readAccount(b.id)
		*a = account{id: a.id, key: a.key, providers: 1, flags: newAccountFlags, free: b.free}
		a.write()
	}
	host.Set(keyPaymentVersion, []byte{1})
	writeU128(keyNextFeeMultiplier, feeMultiplier)
	return ""
}
