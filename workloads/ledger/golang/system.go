package ledger

import (
	"lithify/ledger/golang/host"
	"lithify/ledger/golang/scale"
)

// A header, its digest as it stands in the input.
type header struct {
	parentHash     [32]byte
	number         uint32
	stateRoot      [32]byte
	extrinsicsRoot [32]byte
	digest         []byte
}

func decodeHeader(d *scale.Decoder) header {
	h := header{
		parentHash: d.Array32(), number: d.CompactU32(), stateRoot: d.Array32(), extrinsicsRoot: d.Array32(),
	}
	start := d.Rest()
	for range d.CompactU32() {
		if decodeDigestItem(d); d.Failed() {
			break
		}
	}
	h.digest = start[:len(start)-d.Len()]
	return h
}

const digestPreRuntime = 6

// decodeDigestItem returns what kind of item it is.
func decodeDigestItem(d *scale.Decoder) byte {
	item := d.U8()
	switch item {
	case 0:
		d.Bytes()
	case 4, 5, digestPreRuntime:
		d.Take(4)
		d.Bytes()
	case 8:
	default:
		d.Fail()
	}
	return item
}

// preRuntime is a digest with those items of h's that are for the runtime.
func (h *header) preRuntime() []byte {
	d := scale.NewDecoder(h.digest)
	var items []byte
	count := uint64(0)
	for range d.CompactU32() {
		start := d.Rest()
		if decodeDigestItem(d) == digestPreRuntime {
			items = append(items, start[:len(start)-d.Len()]...)
			count++
		}
	}
	return append(scale.AppendCompact(nil, count), items...)
}

func (h *header) encode() []byte {
	encoded := append([]byte{}, h.parentHash[:]...)
	encoded = scale.AppendCompact(encoded, uint64(h.number))
	encoded = append(encoded, h.stateRoot[:]...)
	encoded = append(encoded, h.extrinsicsRoot[:]...)
	return append(encoded, h.digest...)
}

// startBlock makes a block the current one.
func startBlock(number uint32, parentHash [32]byte, digest []byte) {
	if number != saturatingAddU32(readU32(keyNumber), 1) {
		host.Trap("the block's number does not follow the current one")
	}
	host.Set(keyExecutionPhase, phaseInitialization)
	writeU32(keyExtrinsicIndex, 0)
	entropy := host.Blake2256(append([]byte("frame_system::initialize"), parentHash[:]...))
	host.Set(keyIntrablockEntropy, entropy[:])
	writeU32(keyNumber, number)
	host.Set(keyDigest, digest)
	host.Set(keyParentHash, parentHash[:])
	setBlockHash(number-1, parentHash[:])
	host.Clear(keyBlockWeight)

	size := len(digest) + 97 + len(scale.AppendCompact(nil, uint64(number)))
	if size > maximumHeaderLen {
		host.Trap("the header is too long")
	}
	writeU32(keyBlockSize, uint32(size))
}

func initializeBlock(h *header) {
	host.Clear(keyEvents)
	host.Clear(keyEventCount)
	upgrade()
	startBlock(h.number, h.parentHash, h.preRuntime())
	total := readBlockWeight()
	total[mandatory] = baseBlockWeight.plus(timestampWeight)
	total.write()
	setPhaseApplyExtrinsic(0)
}

// upgrade notes that this runtime is in charge now.
func upgrade() {
	value, _ := host.Get(keyLastRuntimeUpgrade)
	d := scale.NewDecoder(value)
	version, name := d.CompactU32(), d.String()
	if d.Failed() || version < specVersion || name != specName {
		writeLastRuntimeUpgrade()
	}
}

func writeLastRuntimeUpgrade() {
	host.Set(keyLastRuntimeUpgrade, scale.AppendBytes(scale.AppendCompact(nil, specVersion), specName))
}

// finalizeBlock ends the current block and returns its header.
func finalizeBlock() header {
	noteInherentsApplied()
	writeU32(keyExtrinsicCount, readU32(keyExtrinsicIndex))
	host.Clear(keyExtrinsicIndex)
	host.Set(keyExecutionPhase, phaseFinalization)
	if !readBool(keyDidUpdate) {
		host.Trap("the timestamp was not set")
	}
	host.Clear(keyDidUpdate)
	writeU128(keyNextFeeMultiplier, feeMultiplier)

	host.Clear(keyExecutionPhase)
	host.Clear(keyBlockSize)
	host.Clear(keyIntrablockEntropy)
	host.Clear(keyInherentsApplied)
	var h header
	h.extrinsicsRoot = host.OrderedRoot(takeExtrinsics())
	h.number = readU32(keyNumber)
	if h.number > blockHashesKept+1 {
		host.Clear(twox64Concat(mapBlockHash, h.number-blockHashesKept-1))
	}
	parentHash, _ := host.Get(keyParentHash)
	h.parentHash = scale.NewDecoder(parentHash).Array32()
	h.digest = readDigest()
	h.stateRoot = host.StateRoot()
	return h
}

// takeExtrinsics removes the extrinsics of the block and returns them as an encoded list.
func takeExtrinsics() []byte {
	count := readU32(keyExtrinsicCount)
	host.Clear(keyExtrinsicCount)
	list := scale.AppendCompact(nil, uint64(count))
	for index := range count {
		key := twox64Concat(mapExtrinsicData, index)
		value, _ := host.Get(key)
		host.Clear(key)
		list = scale.AppendBytes(list, scale.NewDecoder(value).Bytes())
	}
	return list
}

func readDigest() []byte {
	value, _ := host.Get(keyDigest)
	d := scale.NewDecoder(value)
	for range d.CompactU32() {
		if decodeDigestItem(d); d.Failed() {
			break
		}
	}
	if d.Failed() {
		return []byte{0}
	}
	return value[:len(value)-d.Len()]
}

// A phase is where in a block an event was deposited.
var (
	phaseFinalization   = []byte{1}
	phaseInitialization = []byte{2}
)

func setPhaseApplyExtrinsic(index uint32) {
	host.Set(keyExecutionPhase, scale.AppendU32([]byte{0}, index))
}

func readPhase() []byte {
	value, _ := host.Get(keyExecutionPhase)
	d := scale.NewDecoder(value)
	switch d.U8() {
	case 0:
		d.Take(4)
	case 1, 2:
	default:
		d.Fail()
	}
	if d.Failed() {
		return phaseInitialization
	}
	return value[:len(value)-d.Len()]
}

// deposit appends an event to those of the block.
func deposit(event []byte) {
	if readU32(keyNumber) == 0 {
		return
	}
	writeU32(keyEventCount, saturatingAddU32(readU32(keyEventCount), 1))
	record := append([]byte{}, readPhase()...)
	record = append(record, event...)
	host.Append(keyEvents, append(record, 0))
}

func noteInherentsApplied() {
	if !readBool(keyInherentsApplied) {
		writeTrue(keyInherentsApplied)
	}
}
