package collector

import "unsafe"

// The table finds the block of an address. Memory is seen as windows of blockLen bytes; as no block
// is shorter, at most one starts in each. An entry has the block that starts in its window or, if
// none does, covers all of it. An address then belongs to the block of its own window or, if that
// starts behind the address, of the window before.
type table struct {
	// first and windows say which part of memory it covers. They are kept as numbers of windows,
	// because an address here would look like a reference to the first object.
	first, windows uintptr
	entries        *block // the first of them
}

const minWindows = 64

func (t *table) entry(window uintptr) **block {
	return (**block)(unsafe.Add(unsafe.Pointer(t.entries), window*unsafe.Sizeof(t.entries)))
}

// find returns the span whose cells have this address and the number of the cell, if the cell is an
// object.
func (t *table) find(address uintptr) (*span, uint32) {
	window := address>>blockShift - t.first
	if window >= t.windows {
		return nil, 0
	}
	b := *t.entry(window)
	if b == nil || address < b.start {
		if window == 0 {
			return nil, 0
		}
		b = *t.entry(window - 1)
		if b == nil {
			return nil, 0
		}
	}
	if address >= b.end {
		return nil, 0
	}
	s := &b.spans[(address-b.start)>>b.shift]
	cell := uint32(uint64(uint32(address-s.start)) * uint64(s.reciprocal) >> 32)
	if cell >= uint32(s.cells) || s.used[cell/32]>>(cell%32)&1 == 0 {
		return nil, 0
	}
	return s, cell
}

// put enters b, or nil, in the windows that are its own.
func (t *table) put(of, b *block) {
	window := of.start >> blockShift
	last := (of.end - 1) >> blockShift
	for {
		*t.entry(window - t.first) = b
		window++
		if window >= last {
			return
		}
	}
}

// cover makes room for the windows of b.
func (h *heap) cover(b *block) {
	t := &h.table
	first, end := b.start>>blockShift, (b.end-1)>>blockShift+1
	below := t.windows != 0 && first < t.first
	if t.windows != 0 {
		if first >= t.first && end <= t.first+t.windows {
			return
		}
		first = min(first, t.first)
		end = max(end, t.first+t.windows)
	}
	windows := uintptr(minWindows)
	for windows < end-first {
		windows *= 2
	}
	if below { // More may come there.
		first = end - min(end, windows)
	}
	wider := table{first: first, windows: windows}
	entryLen := unsafe.Sizeof(t.entries)
	wider.entries = (*block)(h.bookkeeping(windows * entryLen))
	for window := range windows {
		*wider.entry(window) = nil
	}
	for window := range t.windows {
		*wider.entry(t.first + window - first) = *t.entry(window)
	}
	if t.windows != 0 {
		h.release(unsafe.Pointer(t.entries), t.windows*entryLen)
	}
	*t = wider
}
