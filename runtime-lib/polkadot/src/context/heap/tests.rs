//! The heap beside `sc-allocator`: the same addresses, the same memory, the same failures.

use super::HostHeap;
use lithify_runtime::host::Guest;
use sc_allocator::{FreeingBumpHeapAllocator, Memory};

const PAGE: usize = 64 * 1024;

/// A memory of its own, for both.
struct Bytes {
    bytes: Vec<u8>,
    max_pages: u32,
}

impl Guest for Bytes {
    fn memory(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        let old = (self.bytes.len() / PAGE) as u32;
        (old + delta <= self.max_pages).then(|| {
            self.bytes.resize((old + delta) as usize * PAGE, 0);
            old
        })
    }

    fn max_pages(&self) -> Option<u32> {
        Some(self.max_pages)
    }
}

impl Memory for Bytes {
    fn with_access_mut<R>(&mut self, run: impl FnOnce(&mut [u8]) -> R) -> R {
        run(&mut self.bytes)
    }

    fn with_access<R>(&self, run: impl FnOnce(&[u8]) -> R) -> R {
        run(&self.bytes)
    }

    fn grow(&mut self, additional: u32) -> Result<(), ()> {
        Guest::grow(self, additional).map(drop).ok_or(())
    }

    fn pages(&self) -> u32 {
        (self.bytes.len() / PAGE) as u32
    }

    fn max_pages(&self) -> Option<u32> {
        Some(self.max_pages)
    }
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// Runs random requests on both; in `wild` runs some of them, and some headers, are wrong.
fn check(seed: u64, steps: usize, wild: bool) {
    let mut random = Random(seed);
    let new = || Bytes { bytes: vec![0; 3 * PAGE], max_pages: 40 };
    let (mut ours, mut theirs) = (new(), new());
    let heap_base = 1000 + random.below(100) as u32;
    let mut heap = HostHeap::default();
    heap.start(&mut ours, heap_base, true);
    let mut reference = FreeingBumpHeapAllocator::new(heap_base);
    let mut live = Vec::new();
    for _ in 0..steps {
        if wild && random.below(50) == 0 {
            let at = random.below(ours.bytes.len());
            let byte = random.below(256) as u8;
            (ours.bytes[at], theirs.bytes[at]) = (byte, byte);
        }
        if random.below(5) < 3 || live.is_empty() {
            let sizes = [40, 40, 3000, 100_000, if wild { 40 << 20 } else { 900 }];
            let bound = sizes[random.below(sizes.len())];
            let size = random.below(bound) as u32;
            let address = heap.allocate(&mut ours, size);
            let expected = reference.allocate(&mut theirs, size).map(u32::from);
            assert_eq!(address.as_ref().ok(), expected.as_ref().ok(), "{address:?} {expected:?}");
            live.extend(address.ok());
        } else {
            let index = random.below(live.len());
            let mut address = live.swap_remove(index);
            if wild && random.below(20) == 0 {
                address = address.wrapping_add(random.below(16) as u32).wrapping_sub(8);
            }
            let freed = heap.free(&mut ours, address);
            let expected = reference.deallocate(&mut theirs, address.into());
            assert_eq!(freed.is_ok(), expected.is_ok(), "{freed:?} {expected:?}");
        }
        assert!(ours.bytes == theirs.bytes, "the same memory");
    }
}

#[test]
fn requests_are_served_as_by_sc_allocator() {
    (1..20).for_each(|seed| check(seed, 400, false));
}

#[test]
fn wrong_requests_fail_as_in_sc_allocator() {
    (1..60).for_each(|seed| check(seed, 150, true));
}
