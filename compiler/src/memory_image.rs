//! The initial memory image: what the active data segments leave in memory, as pages.

use crate::error::CompileError;
use crate::limits;
use crate::module::{ConstExpr, DataMode, Module};
use lithify_abi::{IMAGE_GRANULE, WASM_PAGE, descriptor::Extent};
use std::collections::BTreeMap;

/// The bytes of the image and where they go.
#[derive(Default)]
pub struct MemoryImage {
    /// Contents of all extents, one after the other.
    pub bytes: Vec<u8>,
    /// Where they go.
    pub extents: Vec<Extent>,
    /// Number of leading data segments that the image contains; those after it are copied at
    /// instantiation.
    pub segments: usize,
}

/// Extents closer than this many granules are joined: a gap costs file bytes, an extent a system
/// call.
const JOIN: u64 = 16;

const GRANULE: usize = IMAGE_GRANULE as usize;

impl MemoryImage {
    /// Builds the image of `module`. Segments are taken in order up to the first whose address
    /// is not known or that does not fit: from there on the order of writes matters.
    pub fn new(module: &Module<'_>) -> Result<Self, CompileError> {
        let len = module.memory.map_or(0, |memory| u64::from(memory.min) * WASM_PAGE);
        let mut granules: BTreeMap<u64, Box<[u8; GRANULE]>> = BTreeMap::new();
        let mut segments = 0;
        for segment in module.data.values() {
            match segment.mode {
                DataMode::Active(ConstExpr::Const(address)) => {
                    let address = address as u64;
                    if address + segment.bytes.len() as u64 > len {
                        break;
                    }
                    write(&mut granules, address, segment.bytes);
                    check_len(granules.len())?;
                }
                DataMode::Active(_) => break,
                DataMode::Passive => {}
            }
            segments += 1;
        }
        granules.retain(|_, bytes| bytes.iter().any(|b| *b != 0));
        let mut image = Self { segments, ..Self::default() };
        let mut next = None;
        for (granule, bytes) in granules {
            match next {
                Some(next) if granule - next <= JOIN => {
                    let gap = (granule - next) as usize * GRANULE;
                    check_len((image.bytes.len() + gap) / GRANULE + 1)?;
                    image.bytes.resize(image.bytes.len() + gap, 0);
                }
                _ => image.extents.push(Extent {
                    address: (granule * IMAGE_GRANULE) as u32,
                    offset: image.bytes.len() as u32,
                    len: 0,
                }),
            }
            image.bytes.extend_from_slice(&bytes[..]);
            let extent = image.extents.last_mut().expect("the first granule opens one");
            extent.len = image.bytes.len() as u32 - extent.offset;
            next = Some(granule + 1);
        }
        Ok(image)
    }
}

fn check_len(granules: usize) -> Result<(), CompileError> {
    let bytes = (granules * GRANULE) as u64;
    limits::check(bytes, limits::MEMORY_IMAGE, "bytes of initial memory")
}

fn write(granules: &mut BTreeMap<u64, Box<[u8; GRANULE]>>, mut address: u64, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let at = (address % IMAGE_GRANULE) as usize;
        let (now, rest) = bytes.split_at(bytes.len().min(GRANULE - at));
        let granule =
            granules.entry(address / IMAGE_GRANULE).or_insert_with(|| Box::new([0; GRANULE]));
        granule[at..at + now.len()].copy_from_slice(now);
        address += now.len() as u64;
        bytes = rest;
    }
}
