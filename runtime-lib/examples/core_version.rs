//! Calls `Core_version` of an image on a host that is no more than a heap, and prints the bytes.
//!
//! The smallest embedding, without the Polkadot host: `core_version IMAGE`. Functions that the
//! image imports and that are not here trap when they are called.

use lithify_runtime::{
    FuncType, HostError, Image, Imports, InstanceOptions, MemoryPlan, Pool, Trust, ValType, Value,
};
use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: core_version IMAGE")?;
    let mut imports = Imports::new();
    imports.trap_missing(true);
    let malloc = FuncType::new(&[ValType::I32], &[ValType::I32]);
    imports.func("env", "ext_allocator_malloc_version_1", malloc, |caller, slots| {
        // The next free address. Nothing is ever freed: the instance lives for one call.
        let next: &mut u32 = caller.data().downcast_mut().expect("main passes it");
        let address = *next;
        let end = u64::from(address) + u64::from(slots[0] as u32).next_multiple_of(8);
        *next = u32::try_from(end).map_err(|_| HostError("the heap is full".into()))?;
        slots[0] = u128::from(address);
        Ok(())
    });
    let free = FuncType::new(&[ValType::I32], &[]);
    imports.func("env", "ext_allocator_free_version_1", free, |_, _| Ok(()));

    let image = Image::open(Path::new(&path), &imports, Trust::Verify)?;
    let memory = MemoryPlan::Static { extra_pages: 64 };
    let pool = Pool::new(&image, &InstanceOptions { memory, ..InstanceOptions::default() })?;
    let entry = pool.entry("Core_version").ok_or("the image has no Core_version")?;
    let mut instance = entry.instance()?;
    let Some(Value::I32(heap_base)) = instance.global_get("__heap_base") else {
        return Err("the image has no __heap_base".into());
    };
    let mut next = (heap_base as u32).next_multiple_of(8);
    let mut slots = [0, 0];
    instance.call(entry.func(), &mut slots, &mut next)?;
    let (address, len) = (slots[0] as u32 as usize, (slots[0] >> 32) as u32 as usize);
    let output = {
        use lithify_runtime::Guest;
        instance.memory().get(address..address + len).ok_or("the output is outside memory")?
    };
    let hex: String = output.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("0x{hex}");
    Ok(())
}
