package collector

// counts are what the heap did so far. The cells of open spans count as objects; closeSpans and
// exact take those off again that are not.
type counts struct {
	cycles                uint32
	mallocs, frees        uint64
	allocated, freed      uint64 // in bytes of cells
	fromHost, bookkeeping uint64 // now held, in bytes as asked for
}

func (h *heap) spend(cells, cellLen uintptr) {
	h.spent += cells * cellLen
	h.counts.mallocs += uint64(cells)
	h.counts.allocated += uint64(cells) * uint64(cellLen)
}

func (c *counts) unspend(cells, cellLen uint64) {
	c.mallocs -= cells
	c.allocated -= cells * cellLen
}

func (c *counts) free(objects, cellLen uint64) {
	c.frees += objects
	c.freed += objects * cellLen
}

// live is the length of all objects, in bytes.
func (c *counts) live() uint64 {
	return c.allocated - c.freed
}

// exact counts objects only.
func (h *heap) exact() counts {
	exact := h.counts
	for _, s := range h.open {
		if s != nil {
			exact.unspend(uint64(s.untaken()), uint64(s.cellLen))
		}
	}
	return exact
}
