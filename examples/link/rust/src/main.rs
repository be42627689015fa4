//! A module as a part of a Rust program. Its code, its data and its initial memory are in the
//! executable; its import is the function below, bound by the linker.

use lithify_runtime::{Caller, Guest, HostError, Image, InstanceOptions, Pool, Value};
use std::error::Error;

unsafe extern "C" {
    /// What the linker made of the guest.
    static lithify_module: u8;
}

/// The guest's import `env.print`.
///
/// # Safety
///
/// Only for the guest, which passes its own `base`.
#[unsafe(no_mangle)]
unsafe extern "C" fn print(base: *mut u8, address: u32, len: u32) {
    let body = |caller: &mut Caller<'_>| {
        let range = address as usize..address as usize + len as usize;
        let text = caller.memory().get(range).ok_or_else(|| HostError("out of bounds".into()))?;
        println!("the guest says: {}", String::from_utf8_lossy(text));
        Ok(())
    };
    // SAFETY: the guest passed `base`, and this frame holds nothing that needs dropping.
    unsafe { Caller::enter(base, body) }
}

fn main() -> Result<(), Box<dyn Error>> {
    // SAFETY: the symbol comes from an object that Lithify made, and `print` has the type that
    // the guest imports.
    let image = unsafe { Image::linked(&raw const lithify_module)? };
    let pool = Pool::new(&image, &InstanceOptions::default())?;
    let entry = pool.entry("sum").ok_or("no function is exported as sum")?;
    for text in ["a", "abc", "", "abc"] {
        let mut instance = entry.instance()?;
        instance.memory()[1024..1024 + text.len()].copy_from_slice(text.as_bytes());
        let arguments = [Value::I32(1024), Value::I32(text.len() as i32)];
        match instance.call_values(entry.func(), &arguments, &mut ()) {
            Ok(results) => println!("{text:?}: {}", results[0]),
            Err(trap) => println!("{text:?}: {trap}"),
        }
    }
    Ok(())
}
