package collector

import (
	"math/bits"
	"unsafe"
)

// collectIfDue runs a cycle if as much was allocated since the last as was live after it.
func (h *heap) collectIfDue() {
	if h.spent >= max(h.budget, minBudget) {
		h.collect()
	}
}

// collect runs a cycle: it marks all objects that the stack and the globals reach and frees the
// others.
func (h *heap) collect() {
	h.closeSpans()
	markReachable(h)
	h.scanGrey()
	h.sweep()
	h.counts.cycles++
	h.spent, h.budget = 0, uintptr(h.counts.live())
}

// closeSpans corrects the counts for the cells that were not taken, and forgets all lists of spans
// with free cells; sweep makes them again.
func (h *heap) closeSpans() {
	for kind, s := range h.open {
		if s != nil {
			s.free = uint16(s.untaken())
			h.counts.unspend(uint64(s.free), uint64(s.cellLen))
		}
		h.open[kind], h.partial[kind] = nil, nil
	}
}

// markRange marks the objects that the words of a range refer to, wherever in the object they point.
func (h *heap) markRange(start, end uintptr) {
	const wordLen = unsafe.Sizeof(start)
	start = (start + wordLen - 1) &^ (wordLen - 1)
	for ; start+wordLen <= end; start += wordLen {
		h.mark(*(*uintptr)(pointer(start)))
	}
}

// mark marks the object at an address, if there is one, and makes its span grey if it can have
// pointers.
func (h *heap) mark(address uintptr) {
	s, cell := h.table.find(address)
	if s == nil {
		return
	}
	word, bit := cell/32, uint32(1)<<(cell%32)
	if s.marked[word]&bit != 0 {
		return
	}
	s.marked[word] |= bit
	if s.kind&1 != 0 {
		return
	}
	s.unscanned[word] |= bit
	if !s.grey {
		s.grey = true
		s.nextGrey, h.grey = h.grey, s
	}
}

// scanGrey follows pointers until no span is grey. The list goes through the spans, so that it needs
// neither memory nor stack however deep the graph is.
func (h *heap) scanGrey() {
	for s := h.grey; s != nil; s = h.grey {
		h.grey, s.grey = s.nextGrey, false
		for word := range s.unscanned {
			cells := s.unscanned[word]
			s.unscanned[word] = 0
			for ; cells != 0; cells &= cells - 1 {
				cell := uint32(word)*32 + uint32(bits.TrailingZeros32(cells))
				start := s.start + uintptr(cell)*uintptr(s.cellLen)
				h.markRange(start, start+uintptr(s.cellLen))
			}
		}
	}
}

// sweep frees what is not marked: cells to their spans, spans to their blocks, blocks to the host.
func (h *heap) sweep() {
	h.spare = nil
	for link := &h.blocks; *link != nil; {
		b := *link
		if h.sweepBlock(b) == 0 {
			*link = b.next
			h.freeBlock(b)
			continue
		}
		if b.spare != 0 {
			b.nextSpare, h.spare = h.spare, b
		}
		link = &b.next
	}
}

// sweepBlock returns the number of spans that have objects left.
func (h *heap) sweepBlock(b *block) int {
	inUse := 0
	for index := range b.spanCount() {
		s := &b.spans[index]
		if s.cells == 0 {
			continue
		}
		objects := int(s.cells) - int(s.free)
		kept := s.keepMarked()
		h.counts.free(uint64(objects-kept), uint64(s.cellLen))
		if kept == 0 {
			s.cells = 0
			b.spare |= 1 << index
			continue
		}
		inUse++
		s.free = s.cells - uint16(kept)
		if s.free != 0 {
			s.next, h.partial[s.kind] = h.partial[s.kind], s
		}
	}
	return inUse
}
