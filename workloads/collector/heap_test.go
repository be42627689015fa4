package collector

import (
	"math/rand"
	"testing"
)

// An object as the test knows it: a length, a seed for the bytes that are not pointers, and links.
type object struct {
	address     uintptr
	size        int
	pointerless bool
	seed        byte
	links       []*object // at the first words
	interior    []uintptr // by how much each link points into its object
}

// A mutator does what a program does, and knows what must be alive.
type mutator struct {
	t       *testing.T
	host    *fakeHost
	heap    *heap
	random  *rand.Rand
	roots   []*object
	objects int
}

func newMutator(t *testing.T, seed int64) *mutator {
	random := rand.New(rand.NewSource(seed))
	host := newHost(t, uintptr(random.Intn(1<<20))&^7, seed%4 == 3)
	m := &mutator{t: t, host: host, heap: &heap{}, random: random}
	m.roots = make([]*object, 64)
	markReachable = func(h *heap) {
		for _, root := range m.roots {
			if root != nil {
				h.mark(root.address + uintptr(random.Intn(root.size)))
			}
		}
	}
	return m
}

// content is the byte at an offset of an object. It is odd, so that no word looks like an address
// of the test's memory.
func (o *object) content(offset int) byte { return o.seed + byte(offset)*2 | 1 }

func (m *mutator) new(size int, pointerless bool) *object {
	o := &object{size: size, pointerless: pointerless, seed: byte(m.random.Int())}
	o.address = m.heap.alloc(uintptr(size), pointerless)
	m.objects++
	memory := m.host.bytes(o.address, size)
	for i, b := range memory {
		if b != 0 {
			m.t.Fatalf("byte %d of a new object of %d is %#x", i, size, b)
		}
		memory[i] = o.content(i)
	}
	if o.address%8 != 0 {
		m.t.Fatalf("%#x is not aligned", o.address)
	}
	return o
}

// link makes the next word of an object refer to another, somewhere in it.
func (m *mutator) link(from, to *object) {
	if from.pointerless || (len(from.links)+1)*8 > from.size {
		return
	}
	interior := uintptr(m.random.Intn(to.size))
	m.host.setWord(from.address+uintptr(len(from.links)*8), to.address+interior)
	from.links = append(from.links, to)
	from.interior = append(from.interior, interior)
}

// reachable checks every byte of every object that the roots reach, and counts them.
func (m *mutator) reachable() int {
	seen := map[*object]bool{}
	var todo []*object
	visit := func(o *object) {
		if o != nil && !seen[o] {
			seen[o] = true
			todo = append(todo, o)
		}
	}
	for _, root := range m.roots {
		visit(root)
	}
	for len(todo) != 0 {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for i, to := range o.links {
			if m.host.word(o.address+uintptr(i*8)) != to.address+o.interior[i] {
				m.t.Fatalf("link %d of %#x changed", i, o.address)
			}
			visit(to)
		}
		for i, b := range m.host.bytes(o.address, o.size)[len(o.links)*8:] {
			if offset := i + len(o.links)*8; b != o.content(offset) {
				m.t.Fatalf("byte %d of %d at %#x is %#x", offset, o.size, o.address, b)
			}
		}
	}
	return len(seen)
}

// check compares the heap with what the test knows, after a cycle.
func (m *mutator) check() {
	m.t.Helper()
	reachable := m.reachable()
	counts := m.heap.exact()
	if live := int(counts.mallocs - counts.frees); live != reachable {
		m.t.Fatalf("%d objects are live, %d are reachable", live, reachable)
	}
	if int(counts.mallocs) != m.objects {
		m.t.Fatalf("%d objects were counted, %d made", counts.mallocs, m.objects)
	}
	held := 0
	for _, length := range m.host.out {
		held += length
	}
	if asked := int(counts.fromHost + counts.bookkeeping); held < asked || held > 2*asked {
		m.t.Fatalf("the host has given %d bytes, the heap says %d", held, asked)
	}
}

// end drops all roots and expects everything back at the host but the table.
func (m *mutator) end() {
	m.t.Helper()
	clear(m.roots)
	m.heap.collect()
	m.check()
	if left := len(m.host.out); left > 1 || m.host.mallocs-m.host.frees != left {
		m.t.Fatalf("%d blocks are left at the end", left)
	}
}

func (m *mutator) size() int {
	switch m.random.Intn(20) {
	case 0:
		return 1 + m.random.Intn(200_000)
	case 1, 2:
		return 1 + m.random.Intn(40_000)
	case 3, 4, 5:
		return 1 + m.random.Intn(2_000)
	}
	return 1 + m.random.Intn(100)
}

// TestRandomGraphs makes and drops graphs with cycles and shared parts. Each cycle must keep exactly
// the objects that are reachable, with their bytes.
func TestRandomGraphs(t *testing.T) {
	for seed := range int64(20) {
		m := newMutator(t, seed)
		var recent []*object
		for step := range 6_000 {
			o := m.new(m.size(), m.random.Intn(2) == 0)
			for range m.random.Intn(4) {
				if to := m.roots[m.random.Intn(len(m.roots))]; to != nil {
					m.link(o, to)
				}
			}
			if root := m.roots[m.random.Intn(len(m.roots))]; root != nil && m.random.Intn(3) == 0 {
				m.link(root, o)
			}
			if m.random.Intn(3) == 0 {
				m.roots[m.random.Intn(len(m.roots))] = o
			}
			if m.random.Intn(40) == 0 {
				m.roots[m.random.Intn(len(m.roots))] = nil
			}
			recent = append(recent, o)
			if step%1_000 == 999 {
				m.heap.collect()
				m.check()
			}
		}
		if m.heap.counts.cycles < 7 {
			t.Fatalf("%d cycles, none of its own accord", m.heap.counts.cycles)
		}
		m.end()
	}
}

// TestSizes allocates around the border of every size class and of what gets a block of its own.
func TestSizes(t *testing.T) {
	m := newMutator(t, 1)
	sizes := []int{1, 7, 8, 65_535, 65_536, 65_537, 131_072, 1 << 20, 1<<25 - 15, 1 << 25}
	for _, length := range cellLen {
		sizes = append(sizes, int(length)-1, int(length), int(length)+1)
	}
	for _, size := range sizes {
		for _, pointerless := range []bool{false, true} {
			m.roots[0] = m.new(size, pointerless)
			m.roots[1] = m.new(size, pointerless)
			m.heap.collect()
			m.check()
			m.roots[0] = nil
			m.heap.collect()
			m.check()
		}
	}
	m.end()
}

// TestTooLarge stops before the host would poison its heap.
func TestTooLarge(t *testing.T) {
	newMutator(t, 1)
	defer func() {
		if recover() == nil {
			t.Fatal("33 MiB were allocated")
		}
	}()
	(&heap{}).alloc(1<<25+1, true)
}

// TestDeepGraph follows a list of a million links, for which there is no stack.
func TestDeepGraph(t *testing.T) {
	m := newMutator(t, 3)
	first := m.new(16, false)
	m.roots[0] = first
	for last := first; m.objects < 1_000_000; {
		next := m.new(16, false)
		m.link(last, next)
		last = next
	}
	m.heap.collect()
	m.check()
	m.end()
}

// TestPointerless keeps nothing alive by the words of an object without pointers, nor by an address
// behind an object or in a free cell.
func TestPointerless(t *testing.T) {
	m := newMutator(t, 4)
	holder, victim, other := m.new(64, true), m.new(64, false), m.new(4096, false)
	m.host.setWord(holder.address, victim.address)
	markReachable = func(h *heap) {
		h.mark(holder.address)
		h.mark(other.address + 4096)
		h.mark(holder.address + 10*64)
		h.mark(m.heap.blocks.end)
		h.mark(m.heap.blocks.start - 8)
		h.mark(0)
		h.mark(^uintptr(0))
	}
	m.heap.collect()
	if counts := m.heap.exact(); counts.mallocs-counts.frees != 1 {
		t.Fatalf("%d objects are live", counts.mallocs-counts.frees)
	}
}

// TestSteadyState allocates a hundred times what is live: what the host gives stays near to that.
func TestSteadyState(t *testing.T) {
	m := newMutator(t, 4)
	for step := range 400_000 {
		m.roots[step%len(m.roots)] = m.new(1+m.random.Intn(300), step%2 == 0)
	}
	peak := int(m.host.next)
	if peak > 4<<20 {
		t.Fatalf("%d bytes for some tens of KiB", peak)
	}
	m.heap.collect()
	m.check()
	m.end()
}

// TestSpareSpans keeps one small object in each block: the rest of the blocks must serve other lengths.
func TestSpareSpans(t *testing.T) {
	m := newMutator(t, 6)
	m.roots = make([]*object, 7)
	for i := range m.roots {
		m.roots[i] = m.new(1024, false)
		for range blockLen/1024 - 1 {
			m.new(1024, false)
		}
	}
	m.heap.collect()
	m.check()
	held := m.host.mallocs
	for range 15 * 7 {
		m.roots = append(m.roots, m.new(512, false))
		for range spanLen/512 - 1 {
			m.roots = append(m.roots, m.new(512, false))
		}
	}
	if more := m.host.mallocs - held; more != 0 {
		t.Fatalf("%d blocks were taken though spans were free", more)
	}
	m.heap.collect()
	m.check()
	m.end()
}

// TestTables holds the two tables of size classes together.
func TestTables(t *testing.T) {
	for class, length := range cellLen {
		span, small := uint32(spanLen), class < firstMedium
		if !small {
			span = blockLen
		}
		if length%granule != 0 || span/length > spanWords*32 || small != (length <= maxSmall) {
			t.Errorf("class %d has cells of %d bytes", class, length)
		}
		reciprocal := (1<<32 + uint64(length) - 1) / uint64(length)
		for offset := range uint64(span) {
			if offset*reciprocal>>32 != offset/uint64(length) {
				t.Fatalf("cell of offset %d in class %d", offset, class)
			}
		}
	}
	for size := uintptr(1); size <= maxCell; size++ {
		class := sizeClass(size)
		if uintptr(cellLen[class]) < size || class > 0 && uintptr(cellLen[class-1]) >= size {
			t.Fatalf("%d bytes are put into class %d", size, class)
		}
	}
}

func BenchmarkGarbage(b *testing.B) {
	newHost(b, 0, false)
	h := &heap{}
	markReachable = func(*heap) {}
	for range b.N {
		h.alloc(48, false)
	}
}
