//! The blocks of the host's heap in one call: who asked for each, and when it was given back.
//!
//! Filled while [`Observe::Heap`](crate::Observe::Heap) is on. What a guest's own allocator does within its
//! blocks, or in memory of its own, is not here.

use lithify_runtime::calling_frames;
use std::collections::HashMap;

/// The most blocks that are kept: a guest may ask for as many as it likes.
const MOST: usize = 4_000_000;
/// The most frames that are kept of each.
const FRAMES: usize = 16;

/// The blocks of a call, in the order in which they were handed out.
#[derive(Clone, Debug, Default)]
pub struct HeapTrace {
    /// They.
    pub blocks: Vec<Block>,
    /// Blocks that are not kept, as there are too many.
    pub left_out: u64,
    /// Requests so far, those to give back included.
    requests: u64,
    /// Where in `blocks` those are that are in use, by address.
    live: HashMap<u32, usize>,
}

/// A block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The number of the request for it, from 1 on; requests to give back count, too.
    pub at: u64,
    /// Its address in the guest's memory.
    pub address: u32,
    /// The bytes that were asked for.
    pub size: u32,
    /// The number of the request that gave it back.
    pub freed: Option<u64>,
    /// Where the guest was, the innermost frame first: return addresses in its code. Of a block with the result
    /// of a host function it is where that was called; of a call's argument there are none.
    pub frames: Vec<usize>,
}

impl HeapTrace {
    pub(crate) fn allocated(&mut self, size: u32, address: u32) {
        self.requests += 1;
        if self.blocks.len() == MOST {
            self.left_out += 1;
            return;
        }
        let mut frames = [0; FRAMES];
        let len = calling_frames(&mut frames);
        self.live.insert(address, self.blocks.len());
        self.blocks.push(Block {
            at: self.requests,
            address,
            size,
            freed: None,
            frames: frames[..len].to_vec(),
        });
    }

    pub(crate) fn freed(&mut self, address: u32) {
        self.requests += 1;
        if let Some(index) = self.live.remove(&address) {
            self.blocks[index].freed = Some(self.requests);
        }
    }
}
