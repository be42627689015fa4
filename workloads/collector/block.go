package collector

import (
	"math/bits"
	"unsafe"
)

const (
	// blockShift is the logarithm of a block's least length and of the table's windows.
	blockShift = 16
	blockLen   = 1 << blockShift
	// maxBlockLen is the most that the host gives at once.
	maxBlockLen = 32 << 20
	spanShift   = 12
	spanLen     = 1 << spanShift
	blockSpans  = blockLen / spanLen
	// wholeShift makes 0 of every offset into a block that is one span.
	wholeShift = 26
	// spanWords is the length of a span's bitmaps.
	spanWords = spanLen / granule / 32
)

// A span is a run of cells of one length, for objects with pointers or for objects without.
type span struct {
	start uintptr
	// next is the next span in the list of those with free cells.
	next *span
	// nextGrey is the next span in the grey list, which this one is in if grey is set.
	nextGrey *span
	cellLen  uint32
	// reciprocal is 2^32 / cellLen rounded up, which gives exact quotients for all offsets into a
	// block; 0 if there is one cell.
	reciprocal uint32
	cells      uint16
	// free is the number of cells that count as free: 0 while objects are put into this span.
	free uint16
	// word is the first word of used that may have a bit left.
	word uint8
	// kind is twice the size class, plus 1 for objects without pointers.
	kind uint8
	grey bool
	// used has the cells that are objects, and the bits behind the last cell.
	used [spanWords]uint32
	// marked has the objects that this cycle reached.
	marked [spanWords]uint32
	// unscanned has those of them whose pointers are yet to be followed.
	unscanned [spanWords]uint32
}

// A block is memory from the host: one span, or blockSpans of them. Its description lies apart, so
// that lengths which are powers of two take no more than that of the host.
type block struct {
	start, end uintptr
	// next is the next of all blocks.
	next *block
	// nextSpare is the next block with spare spans.
	nextSpare *block
	// spare has the spans that are not in use.
	spare uint16
	// shift turns an offset into the index of its span.
	shift uint8
	// spans are cut to one where there is only one.
	spans [blockSpans]span
}

const (
	blockDescriptionLen = unsafe.Sizeof(block{})
	wholeDescriptionLen = blockDescriptionLen - (blockSpans-1)*unsafe.Sizeof(span{})
)

// init makes a span of free cells.
func (s *span) init(start uintptr, kind uint8, cellLen uint32, cells uint16) {
	s.start, s.kind, s.cellLen, s.cells, s.free = start, kind, cellLen, cells, cells
	s.next, s.nextGrey, s.grey, s.word = nil, nil, false, 0
	s.reciprocal = 0
	if cells > 1 {
		s.reciprocal = uint32((1<<32 + uint64(cellLen) - 1) / uint64(cellLen))
	}
	for word := range s.used {
		s.used[word] = s.behind(word)
		s.marked[word], s.unscanned[word] = 0, 0
	}
}

// behind has the bits of a word that stand for no cell.
func (s *span) behind(word int) uint32 {
	cells := int(s.cells) - 32*word
	switch {
	case cells >= 32:
		return 0
	case cells <= 0:
		return ^uint32(0)
	}
	return ^uint32(0) << cells
}

// take makes an object of the first free cell, or returns 0.
func (s *span) take() uintptr {
	for ; s.word < spanWords; s.word++ {
		used := s.used[s.word]
		if used == ^uint32(0) {
			continue
		}
		bit := bits.TrailingZeros32(^used)
		s.used[s.word] = used | 1<<bit
		return s.start + uintptr(uint32(s.word)*32+uint32(bit))*uintptr(s.cellLen)
	}
	return 0
}

// untaken is the number of cells that are not objects.
func (s *span) untaken() int {
	untaken := 0
	for _, used := range s.used {
		untaken += bits.OnesCount32(^used)
	}
	return untaken
}

// keepMarked makes free cells of all that this cycle did not reach, and returns the number of
// objects left.
func (s *span) keepMarked() int {
	kept := 0
	for word, marked := range s.marked {
		kept += bits.OnesCount32(marked)
		s.used[word] = marked | s.behind(word)
		s.marked[word] = 0
	}
	s.word = 0
	return kept
}

// spanCount is the number of spans that the description has room for.
func (b *block) spanCount() int {
	if b.shift == wholeShift {
		return 1
	}
	return blockSpans
}
