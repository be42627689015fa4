//! Room on the stack for the trie crates, which recurse once for each node on a path.
//!
//! How long paths are is the choice of whoever made the keys: `n` keys that each begin the next, or
//! part from it half a byte later, make a path of `n` nodes in about `n² / 4` bytes. So the length
//! is counted first, and what would not fit on any thread's stack runs on one that is made for it.
//! That is smaller than the keys are, from a length on at which any stack is small.

use std::panic::resume_unwind;
use std::thread;

/// Stack for one node, in bytes of address space: inserting takes most, 17.8 kB in a build without
/// optimisation, a fraction of it in others.
const PER_NODE: usize = 32 << 10;
/// Longest path for which no thread is made. Keys of real chains make paths of some 20 nodes.
const ANYWHERE: usize = 32;
/// Stack for everything else, in bytes.
const REST: usize = 512 << 10;

/// Runs `work`, which recurses through paths of so many nodes.
///
/// # Panics
///
/// As `work`, and when the system refuses a thread with such a stack.
pub fn with_room<R: Send>(nodes: usize, work: impl FnOnce() -> R + Send) -> R {
    if nodes <= ANYWHERE {
        return work();
    }
    let stack = nodes.saturating_mul(PER_NODE).saturating_add(REST);
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(stack).spawn_scoped(scope, work);
        let thread = thread.unwrap_or_else(|error| {
            panic!("no stack for a trie with paths of {nodes} nodes ({stack} bytes): {error}")
        });
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// The number of nodes on the longest path of a trie with these keys, which are sorted.
pub fn longest_path<'k>(keys: impl IntoIterator<Item = &'k [u8]>) -> usize {
    // The branches on the path to the latest key: where each is, in nibbles from the start, and the
    // number of nodes on the longest path down from it, as far as it is known.
    let mut branches: Vec<(usize, usize)> = Vec::new();
    let mut latest = None;
    for key in keys {
        let Some(latest) = latest.replace(key) else { continue };
        let place = common_nibbles(latest, key);
        let mut below = 1;
        while let Some((_, longest)) = branches.pop_if(|(at, _)| *at > place) {
            below = longest.max(below + 1);
        }
        match branches.last_mut() {
            Some((at, longest)) if *at == place => *longest = (*longest).max(below + 1),
            _ => branches.push((place, below + 1)),
        }
    }
    let leaf = usize::from(latest.is_some());
    branches.iter().rev().fold(leaf, |below, (_, longest)| (below + 1).max(*longest))
}

/// Length of the longest common prefix, in nibbles.
fn common_nibbles(a: &[u8], b: &[u8]) -> usize {
    let bytes = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let half = matches!((a.get(bytes), b.get(bytes)), (Some(a), Some(b)) if a >> 4 == b >> 4);
    2 * bytes + usize::from(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keys: &[&[u8]], longest: usize) {
        assert_eq!(longest_path(keys.iter().copied()), longest, "{keys:x?}");
    }

    #[test]
    fn a_path_has_a_node_for_each_branch() {
        check(&[], 0);
        check(&[b"alone"], 1);
        check(&[&[], &[0], &[0, 0]], 3);
        check(&[&[0x10], &[0x20], &[0x30]], 2);
        check(&[&[0x00], &[0x01], &[0x10]], 3);
        // Two long paths side by side are no longer one.
        check(&[&[0, 0], &[0, 0, 0], &[0x10], &[0x10, 0], &[0x10, 0, 0]], 4);
    }

    #[test]
    fn work_gets_room_and_panics_go_on() {
        fn deep(levels: usize) -> usize {
            let frame = std::hint::black_box([levels; 256]);
            if levels == 0 { 0 } else { deep(levels - 1) + frame[0] / levels }
        }
        assert_eq!(with_room(20_000, || deep(20_000)), 20_000);
        let panic = std::panic::catch_unwind(|| with_room(1000, || panic!("from the work")));
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"from the work"));
    }
}
