//! What the tests of the Polkadot host share.

#![allow(dead_code, reason = "each test crate uses its part")]

pub mod wasmi_engine;

use lithify_polkadot::{CallContext, HostSet};
use lithify_runtime::host::Guest;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");

/// A file of the corpus, or `None`, said on stderr, where there is no corpus.
pub fn corpus(name: &str) -> Option<Vec<u8>> {
    let file = std::fs::read(format!("{CORPUS}/{name}")).ok();
    if file.is_none() {
        eprintln!("skipped: the corpus has no {name}");
    }
    file
}

/// A guest without code.
pub struct Memory {
    pub bytes: Vec<u8>,
    pub max_pages: Option<u32>,
}

impl Guest for Memory {
    fn memory(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        let pages = (self.bytes.len() >> 16) as u32;
        if self.max_pages.is_some_and(|max| pages + delta > max) {
            return None;
        }
        self.bytes.resize(((pages + delta) as usize) << 16, 0);
        Some(pages)
    }

    fn max_pages(&self) -> Option<u32> {
        self.max_pages
    }
}

/// Calls host functions as a guest would: arguments lie in the first half of a 16-page memory,
/// the heap is the second half.
pub struct Caller {
    pub memory: Memory,
    pub context: CallContext,
    next: usize,
}

pub const HEAP_BASE: u32 = 8 << 16;

impl Caller {
    pub fn new() -> Self {
        let mut context = CallContext::new();
        let mut memory = Memory { bytes: vec![0; 16 << 16], max_pages: Some(32) };
        context.begin(&mut memory, HEAP_BASE);
        Self { memory, context, next: 64 }
    }

    /// Places bytes in memory; returns their address.
    pub fn at(&mut self, bytes: &[u8]) -> u64 {
        let address = self.next;
        self.memory.bytes[address..][..bytes.len()].copy_from_slice(bytes);
        self.next += bytes.len();
        assert!(self.next <= HEAP_BASE as usize, "out of room for arguments");
        address as u64
    }

    /// Places bytes in memory; returns the fat pointer to them.
    pub fn fat(&mut self, bytes: &[u8]) -> u64 {
        (bytes.len() as u64) << 32 | self.at(bytes)
    }

    /// The bytes that a fat pointer names.
    pub fn bytes(&self, fat: u64) -> Vec<u8> {
        self.memory.bytes[fat as u32 as usize..][..(fat >> 32) as usize].to_vec()
    }

    /// Calls the function `ext_{name}` with raw arguments.
    pub fn raw(&mut self, name: &str, args: &[u64]) -> Result<u64, String> {
        let name = format!("ext_{name}");
        let function = HostSet::Benchmarks
            .functions()
            .find(|f| f.name() == name && f.ty().params.len() == args.len())
            .unwrap_or_else(|| panic!("no {name} with {} parameters", args.len()));
        let result = function.call(&mut self.context, &mut self.memory, args);
        result.map_err(|error| error.0)
    }

    /// The same with byte strings by fat pointer, for a result by fat pointer.
    pub fn call(&mut self, name: &str, args: &[&[u8]]) -> Vec<u8> {
        let args: Vec<u64> = args.iter().map(|bytes| self.fat(bytes)).collect();
        let result = self.raw(name, &args).expect(name);
        self.bytes(result)
    }

    /// The same for a result without memory.
    pub fn run(&mut self, name: &str, args: &[&[u8]]) -> u64 {
        let args: Vec<u64> = args.iter().map(|bytes| self.fat(bytes)).collect();
        self.raw(name, &args).expect(name)
    }
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).expect("hex digits");
    (0..text.len()).step_by(2).map(digit).collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
