//! The states of a memory, without any guest: writes come from here.

use super::*;
use crate::call::fault;
use crate::sys::linux::pagemap;
use lithify_abi::descriptor::Extent;

const LEN: usize = 64 * 4096;

fn memory(image: &Arc<MemoryImage>) -> Box<Memory> {
    fault::install().expect("signal handlers");
    let sizes = Sizes { memory_len: LEN.next_multiple_of(65536), stack_len: 4096, vmctx_len: 128 };
    Memory::new(sizes, image).expect("memory")
}

fn image() -> Arc<MemoryImage> {
    let bytes: Vec<u8> = (0..3 * 4096).map(|at| (at / 7) as u8 | 1).collect();
    let extents = [
        Extent { address: 4096, offset: 0, len: 8192 },
        Extent { address: 40 * 4096, offset: 8192, len: 4096 },
    ];
    Arc::new(MemoryImage::copy(&bytes, &extents).expect("an image"))
}

#[allow(clippy::mut_from_ref, reason = "tests hold one such slice at a time")]
fn bytes(memory: &Memory) -> &mut [u8] {
    // SAFETY: tests hold one such slice at a time.
    unsafe { slice::from_raw_parts_mut(memory.base(), memory.len) }
}

fn reset(memory: &Memory) {
    // SAFETY: no slice is alive.
    unsafe { memory.reset(memory.len) }.expect("a reset");
}

fn hot_pages(memory: &Memory) -> Vec<usize> {
    let mut pages: Vec<_> = memory.hot.hot().iter().map(|hot| hot.page()).collect();
    pages.sort_unstable();
    pages
}

fn is_open(memory: &Memory) -> bool {
    memory.open.load(Ordering::Relaxed)
}

#[test]
fn a_first_call_teaches_the_hot_set() {
    let memory = memory(&image());
    let fresh = bytes(&memory).to_vec();
    assert_eq!((fresh[4096], fresh[4097], fresh[0]), (1, 1, 0));
    for page in [0, 1, 39, 41] {
        bytes(&memory)[page * page_size() + 9] ^= 0xff;
    }
    reset(&memory);
    assert!(!is_open(&memory));
    if Memory::can_scan() {
        assert_eq!(hot_pages(&memory), [0, 1, 39, 41]);
    }
    assert_eq!(bytes(&memory), fresh);
    // A page that is new in a later call.
    bytes(&memory)[40 * page_size()] = 0;
    bytes(&memory)[0] = 1;
    assert!(hot_pages(&memory).contains(&40));
    reset(&memory);
    assert_eq!(bytes(&memory), fresh);
}

#[test]
fn without_a_scan_faults_teach_it() {
    let memory = memory(&image());
    // SAFETY: no slice is alive.
    unsafe { memory.close() }.expect("closed");
    pagemap::disable_for_test(true);
    let fresh = bytes(&memory).to_vec();
    for _ in 0..3 {
        for page in [2, 3, 40] {
            bytes(&memory)[page * page_size() + 9] ^= 0xff;
        }
        assert_eq!(hot_pages(&memory), [2, 3, 40]);
        reset(&memory);
        assert_eq!(bytes(&memory), fresh);
    }
    // When the set is full everything is opened, given back, and closed again.
    memory.open_all().expect("open");
    bytes(&memory).fill(3);
    reset(&memory);
    assert!(!is_open(&memory) && hot_pages(&memory).is_empty());
    assert_eq!(bytes(&memory), fresh);
    pagemap::disable_for_test(false);
}

#[test]
fn clean_pages_leave_the_hot_set() {
    let memory = memory(&image());
    let fresh = bytes(&memory).to_vec();
    bytes(&memory)[0..8 * page_size()].fill(5);
    reset(&memory);
    for _ in 0..(AUDITS_TO_COOL + 1) * AUDIT_INTERVAL {
        bytes(&memory)[page_size()] = 5;
        reset(&memory);
    }
    assert_eq!(hot_pages(&memory), [1]);
    bytes(&memory)[5 * page_size()] = 1;
    assert_eq!(hot_pages(&memory), [1, 5]);
    reset(&memory);
    assert_eq!(bytes(&memory), fresh);
}

#[test]
fn a_range_is_made_writable_at_once() {
    let memory = memory(&image());
    reset(&memory);
    let page = page_size();
    memory.make_writable(3 * page + 5..6 * page + 1).expect("more access");
    assert_eq!(hot_pages(&memory), [3, 4, 5, 6]);
    memory.make_writable(5 * page..usize::MAX).expect("more access");
    assert_eq!(hot_pages(&memory).len(), memory.len / page - 3);
    memory.make_writable(7..7).expect("nothing to do");
    bytes(&memory).fill(1);
    reset(&memory);
    assert_eq!(bytes(&memory)[5 * page], 0);
}

#[test]
fn extents_within_a_large_host_page_share_it() {
    // As on a machine whose pages are larger than the granule: runs are whole pages.
    let bytes: Vec<u8> = vec![7; 4096];
    let extent = Extent { address: 8192, offset: 0, len: 4096 };
    let image = MemoryImage::copy(&bytes, &[extent]).expect("an image");
    let (run, _, _) = image.mappings().next().expect("a run");
    assert!(run.start.is_multiple_of(page_size()) && run.len().is_multiple_of(page_size()));
    let source = image.source(8192 / page_size() * page_size());
    // SAFETY: the source is a page of the pristine mapping.
    assert_eq!(unsafe { source.add(8192 % page_size()).read() }, 7);
    assert!(image.source(1 << 20).is_null());
}

#[test]
fn many_threads_write_at_once() {
    let memory = memory(&image());
    let fresh = bytes(&memory).to_vec();
    for _ in 0..50 {
        reset(&memory);
        std::thread::scope(|scope| {
            // All threads write to all pages, each to its own part of a page.
            let start = memory.base() as usize;
            let len = memory.len;
            for thread in 0..4 {
                scope.spawn(move || {
                    for address in (start + thread * 64..start + len).step_by(4096) {
                        // SAFETY: no other thread writes to this byte.
                        unsafe { (address as *mut u8).write(9) };
                    }
                });
            }
        });
        reset(&memory);
        assert_eq!(bytes(&memory), fresh);
        memory.hot.clear();
        // SAFETY: no slice is alive.
        unsafe { memory.close() }.expect("closed");
    }
}

#[test]
fn scattered_pages_do_not_use_up_the_mappings() {
    let sizes = Sizes { memory_len: 64 << 20, stack_len: 4096, vmctx_len: 128 };
    let memory = Memory::new(sizes, &image()).expect("memory");
    let pages = sizes.memory_len / page_size();
    let mappings = || std::fs::read_to_string("/proc/self/maps").expect("maps").lines().count();
    let before = mappings();
    for round in 0..3 {
        for page in (round..pages / 8).step_by(2) {
            bytes(&memory)[page * page_size() + 17] = 1;
        }
        reset(&memory);
        assert!(mappings() < before + 6 * MAX_RUNS);
    }
    assert!(
        bytes(&memory)[..pages / 8 * page_size()].iter().skip(17).step_by(4096).all(|b| *b != 1)
    );
}

#[test]
fn an_unusual_call_opens_memory_and_teaches_it_anew() {
    let sizes = Sizes { memory_len: 8 << 20, stack_len: 4096, vmctx_len: 128 };
    fault::install().expect("signal handlers");
    let memory = Memory::new(sizes, &image()).expect("memory");
    reset(&memory);
    assert!(!is_open(&memory));
    for page in 0..1000 {
        bytes(&memory)[page * page_size() + 17] = 1;
    }
    if Memory::can_scan() {
        assert!(is_open(&memory));
        reset(&memory);
        assert_eq!(hot_pages(&memory).len(), 1000);
    }
}
