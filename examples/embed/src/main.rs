//! Calls `Core_version` of an image on a host that is no more than a heap, and prints the bytes.
//!
//! The smallest embedding, without the Polkadot host: `embed IMAGE`. Functions that the image
//! imports and that are not here trap when they are called.

use lithify_runtime::{
    Caller, FuncType, Guest, HostError, Image, Imports, InstanceOptions, MemoryPlan, Pool, Trust,
    ValType, Value,
};
use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: embed IMAGE")?;
    let mut imports = Imports::new();
    imports.trap_missing(true);
    // What captures nothing is called as native code and has the type of its parameters.
    imports.typed("env", "ext_allocator_malloc_version_1", malloc);
    imports.typed("env", "ext_allocator_free_version_1", |_: &mut Caller<'_>, _: u32| Ok(()));
    // What captures something is called through an array of slots, so its type is said.
    let (off, ty) = (0, FuncType::new(&[], &[ValType::I32]));
    imports.func("env", "ext_logging_max_level_version_1", ty, move |_, slots| {
        slots[0] = off;
        Ok(())
    });

    let image = Image::open(Path::new(&path), &imports, Trust::Verify)?;
    let memory = MemoryPlan::Static { extra_pages: 64 };
    let pool = Pool::new(&image, &InstanceOptions { memory, ..InstanceOptions::default() })?;
    let entry = pool.entry("Core_version").ok_or("the image has no Core_version")?;
    let mut instance = entry.instance()?;
    let Some(Value::I32(heap_base)) = instance.global_get("__heap_base") else {
        return Err("the image has no __heap_base".into());
    };
    // No argument: no bytes at address 0. The result is an address with a length above it.
    let mut slots = [0, 0];
    instance.call(entry.func(), &mut slots, &mut (heap_base as u32))?;
    let (address, len) = (slots[0] as u32 as usize, (slots[0] >> 32) as u32 as usize);
    let output = instance.memory().get(address..address + len).ok_or("output outside memory")?;
    let hex: String = output.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("0x{hex}");
    Ok(())
}

/// `ext_allocator_malloc_version_1` on what `main` passed to the call: where the unused part of the
/// heap starts. Nothing is ever freed, since the instance lives for one call. Allocations are 8
/// bytes apart at least: Substrate's allocator has a header there, and there are runtimes that fail
/// without the gap.
fn malloc(caller: &mut Caller<'_>, size: u32) -> Result<u32, HostError> {
    let (memory, data) = caller.memory_and_data();
    let next: &mut u32 = data.downcast_mut().expect("main passes it");
    let start = u64::from(*next).next_multiple_of(8) + 8;
    let end = start + u64::from(size);
    if end > memory.len() as u64 {
        return Err(HostError("the heap is full".into()));
    }
    *next = end as u32;
    Ok(start as u32)
}
