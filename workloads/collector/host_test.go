package collector

import (
	"encoding/binary"
	"math/bits"
	"syscall"
	"testing"
	"unsafe"
)

// A fakeHost has the allocator of a Polkadot host: powers of two, eight bytes in front of each block,
// freed blocks given out again last first. It poisons what it gives and what it takes back.
type fakeHost struct {
	t      testing.TB
	memory []byte
	next   uintptr
	// downwards makes each new block lie below the one before, as no host does today.
	downwards bool
	// lengths of the blocks that are out.
	out            map[uintptr]int
	freed          map[int][]uintptr
	mallocs, frees int
}

const (
	poisonNew  = 0xAA
	poisonFree = 0xDD
	hostHeader = 8
)

// newHost reserves memory; the heap starts at this offset, a multiple of eight.
func newHost(t testing.TB, offset uintptr, downwards bool) *fakeHost {
	memory, err := syscall.Mmap(-1, 0, 512<<20, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	if downwards {
		offset = uintptr(len(memory)) - offset
	}
	host := &fakeHost{
		t: t, memory: memory, next: offset, downwards: downwards,
		out: map[uintptr]int{}, freed: map[int][]uintptr{},
	}
	hostMalloc, hostFree = host.malloc, host.free
	return host
}

func (h *fakeHost) base() uintptr { return uintptr(unsafe.Pointer(&h.memory[0])) }

func (h *fakeHost) malloc(size uint32) uintptr {
	if size > maxBlockLen {
		h.t.Fatalf("the host was asked for %d bytes", size)
	}
	length := 8
	if size > 8 {
		length = 1 << bits.Len32(size-1)
	}
	var at uintptr
	if list := h.freed[length]; len(list) != 0 {
		at, h.freed[length] = list[len(list)-1], list[:len(list)-1]
		for _, b := range h.memory[at : at+uintptr(length)] {
			if b != poisonFree {
				h.t.Fatal("a block was written to after it was freed")
			}
		}
	} else if h.downwards {
		h.next -= hostHeader + uintptr(length)
		at = h.next + hostHeader
	} else {
		at = h.next + hostHeader
		h.next += hostHeader + uintptr(length)
	}
	h.fill(at, length, poisonNew)
	h.out[at] = length
	h.mallocs++
	return h.base() + at
}

func (h *fakeHost) free(address uintptr) {
	at := address - h.base()
	length, ok := h.out[at]
	if !ok {
		h.t.Fatalf("%#x was freed, which is no block that is out", address)
	}
	delete(h.out, at)
	h.fill(at, length, poisonFree)
	h.freed[length] = append(h.freed[length], at)
	h.frees++
}

func (h *fakeHost) fill(at uintptr, length int, with byte) {
	block := h.memory[at : at+uintptr(length)]
	for i := range block {
		block[i] = with
	}
}

// bytes is an object's memory.
func (h *fakeHost) bytes(address uintptr, length int) []byte {
	at := address - h.base()
	return h.memory[at : at+uintptr(length)]
}

// word reads and writes a word of an object.
func (h *fakeHost) word(address uintptr) uintptr {
	return uintptr(binary.NativeEndian.Uint64(h.bytes(address, 8)))
}

func (h *fakeHost) setWord(address, value uintptr) {
	binary.NativeEndian.PutUint64(h.bytes(address, 8), uint64(value))
}
