//! A Polkadot runtime as a part of a Rust program: calls `Core_version` and prints what it
//! returns.
//!
//! The linker binds each function that the runtime imports to the one of its symbol here,
//! `lithify_import_MODULE__NAME`, and names those that are missing. `Core_version` needs a heap and a
//! log level; the other functions stop the guest. Another runtime has other imports: `lithify compile
//! RUNTIME --emit header` lists them with their types.

use lithify_runtime::{Caller, Guest, HostError, Image, InstanceOptions, MemoryPlan, Pool, Value};
use std::{error::Error, process::ExitCode};

// SAFETY: the object that is linked defines it, and nobody writes to it.
unsafe extern "C" {
    /// What the linker made of the runtime.
    static lithify_module: u8;
}

/// The heap is what lies above the guest's `__heap_base`; the call's data is where its unused part
/// starts. Nothing is ever freed, since the instance lives for one call. Allocations are 8 bytes
/// apart at least: Substrate's allocator has a header there, and there are runtimes that fail
/// without the gap.
///
/// # Safety
///
/// Only for the guest, as all functions here: it passes its own `base`.
#[unsafe(export_name = "lithify_import_env__ext_allocator_malloc_version_1")]
unsafe extern "C" fn malloc(base: *mut u8, size: u32) -> u32 {
    let allocate = |caller: &mut Caller<'_>| {
        let (memory, data) = caller.memory_and_data();
        let next: &mut u32 = data.downcast_mut().expect("main passes it");
        let start = u64::from(*next).next_multiple_of(8) + 8;
        let end = start + u64::from(size);
        if end > memory.len() as u64 {
            return Err(HostError("the heap is full".into()));
        }
        *next = end as u32;
        Ok(start as u32)
    };
    // SAFETY: the guest passed `base`, and this frame holds nothing that needs dropping.
    unsafe { Caller::enter(base, allocate) }
}

#[unsafe(export_name = "lithify_import_env__ext_allocator_free_version_1")]
extern "C" fn free(_base: *mut u8, _address: u32) {}

/// Nothing is to be logged.
#[unsafe(export_name = "lithify_import_env__ext_logging_max_level_version_1")]
extern "C" fn max_level(_base: *mut u8) -> i32 {
    0
}

/// Functions that look at none of their arguments, so that all of them have the same type.
macro_rules! absent {
    ($($name:ident)*) => {$(
        #[unsafe(export_name = concat!("lithify_import_env__", stringify!($name)))]
        unsafe extern "C" fn $name(base: *mut u8) {
            let refuse = |_: &mut Caller<'_>| {
                Err(HostError(concat!(stringify!($name), " is not here").into()))
            };
            // SAFETY: the guest passed `base`, and this frame holds nothing that needs dropping.
            unsafe { Caller::enter(base, refuse) }
        }
    )*};
}
absent! {
    ext_crypto_ed25519_generate_version_1
    ext_crypto_ed25519_sign_version_1
    ext_crypto_ed25519_verify_version_1
    ext_crypto_secp256k1_ecdsa_recover_compressed_version_2
    ext_crypto_sr25519_generate_version_1
    ext_crypto_sr25519_sign_version_1
    ext_crypto_sr25519_verify_version_2
    ext_hashing_blake2_128_version_1
    ext_hashing_blake2_256_version_1
    ext_hashing_keccak_256_version_1
    ext_hashing_twox_128_version_1
    ext_hashing_twox_64_version_1
    ext_logging_log_version_1
    ext_misc_print_hex_version_1
    ext_misc_print_utf8_version_1
    ext_misc_runtime_version_version_1
    ext_storage_append_version_1
    ext_storage_clear_prefix_version_2
    ext_storage_clear_version_1
    ext_storage_commit_transaction_version_1
    ext_storage_exists_version_1
    ext_storage_get_version_1
    ext_storage_next_key_version_1
    ext_storage_read_version_1
    ext_storage_rollback_transaction_version_1
    ext_storage_root_version_2
    ext_storage_set_version_1
    ext_storage_start_transaction_version_1
    ext_trie_blake2_256_ordered_root_version_2
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_else(|| "Core_version".into());
    match run(&name) {
        Ok(output) => println!("0x{output}"),
        Err(error) => {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Calls the entry point `name` without an argument. Its output as hexadecimal digits.
fn run(name: &str) -> Result<String, Box<dyn Error>> {
    // SAFETY: the symbol comes from an object that Lithify made, and the functions above take and
    // return what the guest imports, or never return.
    let image = unsafe { Image::linked(&raw const lithify_module)? };
    let memory = MemoryPlan::Static { extra_pages: 64 };
    let pool = Pool::new(&image, &InstanceOptions { memory, ..InstanceOptions::default() })?;
    let entry = pool.entry(name).ok_or("no function is exported under this name")?;
    let mut instance = entry.instance()?;
    let Some(Value::I32(heap_base)) = instance.global_get("__heap_base") else {
        return Err("the runtime has no __heap_base".into());
    };
    // No argument: no bytes at address 0. The result is an address with a length above it.
    let mut slots = [0, 0];
    instance.call(entry.func(), &mut slots, &mut (heap_base as u32))?;
    let (address, len) = (slots[0] as u32 as usize, (slots[0] >> 32) as u32 as usize);
    let output = instance.memory().get(address..address + len).ok_or("output outside memory")?;
    Ok(output.iter().map(|byte| format!("{byte:02x}")).collect())
}
