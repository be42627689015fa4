package collector

import "unsafe"

// minBudget is what may be allocated between two cycles when little is live, in bytes.
const minBudget = 512 << 10

// kindLarge is the kind of a span that is one large object; plus 1, as for others, without pointers.
const kindLarge = 2 * sizeClasses

// A heap is ready for use when it is zero.
type heap struct {
	table table
	// open has the span that objects of a kind are put into.
	open [kindLarge]*span
	// partial has the other spans with free cells.
	partial [kindLarge]*span
	blocks  *block
	spare   *block
	grey    *span
	// spent is what was allocated since the last cycle, in bytes; budget is when the next is due.
	spent, budget uintptr
	counts        counts
}

// alloc returns zeroed memory for an object.
func (h *heap) alloc(size uintptr, pointerless bool) uintptr {
	if size > maxCell {
		return h.allocLarge(size, pointerless)
	}
	kind := 2 * sizeClass(size)
	if pointerless {
		kind++
	}
	for {
		if s := h.open[kind]; s != nil {
			if object := s.take(); object != 0 {
				clear16(object, uintptr(s.cellLen))
				return object
			}
		}
		h.open[kind] = h.spanWithFree(kind)
	}
}

// spanWithFree finds a span with free cells, which from now on count as objects.
func (h *heap) spanWithFree(kind uint8) *span {
	h.collectIfDue()
	s := h.partial[kind]
	if s != nil {
		h.partial[kind] = s.next
	} else {
		s = h.newSpan(kind)
	}
	h.spend(uintptr(s.free), uintptr(s.cellLen))
	s.free = 0
	return s
}

func (h *heap) newSpan(kind uint8) *span {
	length := cellLen[kind/2]
	if kind/2 >= firstMedium {
		b := h.newBlock(blockLen, wholeShift)
		b.spans[0].init(b.start, kind, length, uint16(blockLen/length))
		return &b.spans[0]
	}
	if h.spare == nil {
		h.spare = h.newBlock(blockLen, spanShift)
	}
	b := h.spare
	index := 0
	for b.spare>>index&1 == 0 {
		index++
	}
	b.spare &^= 1 << index
	if b.spare == 0 {
		h.spare = b.nextSpare
	}
	s := &b.spans[index]
	s.init(b.start+uintptr(index)*spanLen, kind, length, uint16(spanLen/length))
	return s
}

func (h *heap) allocLarge(size uintptr, pointerless bool) uintptr {
	h.collectIfDue()
	if size > maxBlockLen {
		panic("collector: an object is larger than the 32 MiB that the host gives at once")
	}
	length := (size + granule - 1) &^ (granule - 1)
	kind := uint8(kindLarge)
	if pointerless {
		kind++
	}
	b := h.newBlock(length, wholeShift)
	s := &b.spans[0]
	s.init(b.start, kind, uint32(length), 1)
	h.spend(1, length)
	s.free = 0
	object := s.take()
	clear16(object, length)
	return object
}

// newBlock takes a block from the host. No host block is shorter than blockLen, which the table
// relies on.
func (h *heap) newBlock(length uintptr, shift uint8) *block {
	start := hostMalloc(uint32(max(length, blockLen)))
	descriptionLen := wholeDescriptionLen
	if shift == spanShift {
		descriptionLen = blockDescriptionLen
	}
	b := (*block)(h.bookkeeping(descriptionLen))
	b.start, b.end, b.shift = start, start+length, shift
	b.nextSpare, b.spare = nil, 0
	if shift == spanShift {
		b.spare = 1<<blockSpans - 1
		for index := range b.spans {
			b.spans[index].cells, b.spans[index].reciprocal = 0, 0
			b.spans[index].start = start
		}
	}
	b.next, h.blocks = h.blocks, b
	h.cover(b)
	h.table.put(b, b)
	h.counts.fromHost += uint64(max(length, blockLen))
	return b
}

// freeBlock gives a block back to the host.
func (h *heap) freeBlock(b *block) {
	h.table.put(b, nil)
	h.counts.fromHost -= uint64(max(b.end-b.start, blockLen))
	hostFree(b.start)
	descriptionLen := wholeDescriptionLen
	if b.shift == spanShift {
		descriptionLen = blockDescriptionLen
	}
	h.release(unsafe.Pointer(b), descriptionLen)
}

// bookkeeping takes memory from the host for the collector itself.
func (h *heap) bookkeeping(length uintptr) unsafe.Pointer {
	h.counts.bookkeeping += uint64(length)
	return pointer(hostMalloc(uint32(length)))
}

func (h *heap) release(memory unsafe.Pointer, length uintptr) {
	h.counts.bookkeeping -= uint64(length)
	hostFree(uintptr(memory))
}

// pointer is an address in memory that Go knows nothing about.
func pointer(address uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}

// clear16 zeroes a multiple of 16 bytes.
func clear16(start, length uintptr) {
	for end := start + length; start < end; start += 16 {
		words := (*[2]uint64)(pointer(start))
		words[0], words[1] = 0, 0
	}
}
