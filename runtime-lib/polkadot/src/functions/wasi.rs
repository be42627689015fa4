//! The part of WASI preview 1 that the runtime of Go imports (`GOOS=wasip1`), beside the Polkadot
//! host.
//!
//! A chain has no clock, no chance and no files, and every call must be repeatable: the clock
//! begins at a fixed time and goes on a microsecond with each reading, sleeping moves it, random
//! bytes come from a fixed seed, what is written to standard output and error goes to the log.
//! All of it starts anew with each call. There are no arguments, no environment and no files.

use lithify_abi::types::{FuncType, ValType};
use sp_wasm_interface::{FunctionContext, Pointer};

use super::host_function::{Bridge, HostFunction};
use crate::pointer_size::PointerSize;
use lithify_runtime::host::HostError;

/// The module that the functions are imported from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// No more subscriptions are looked at, and no more pieces of a text.
const MAX_ITEMS: u64 = 1024;
/// No more bytes are written at a time: the guest is told, and writes the rest after that.
const MAX_TEXT: usize = 64 << 10;

const SUCCESS: u64 = 0;
const BAD_FILE: u64 = 8;
const INVALID: u64 = 28;

type Result = std::result::Result<u64, HostError>;
type Body = fn(&mut Bridge<'_>, &[u64]) -> Result;

/// The functions of this file.
pub(crate) fn functions() -> Vec<HostFunction> {
    use ValType::{I32, I64};
    let functions: [(&'static str, &[ValType], Body); 13] = [
        ("sched_yield", &[], |_, _| Ok(SUCCESS)),
        ("args_sizes_get", &[I32, I32], none),
        ("args_get", &[I32, I32], |_, _| Ok(SUCCESS)),
        ("environ_sizes_get", &[I32, I32], none),
        ("environ_get", &[I32, I32], |_, _| Ok(SUCCESS)),
        ("clock_time_get", &[I32, I64, I32], clock_time_get),
        ("random_get", &[I32, I32], random_get),
        ("fd_write", &[I32, I32, I32, I32], fd_write),
        ("fd_fdstat_get", &[I32, I32], fd_fdstat_get),
        ("fd_fdstat_set_flags", &[I32, I32], |_, args| Ok(file(args[0]))),
        ("fd_prestat_get", &[I32, I32], |_, _| Ok(BAD_FILE)),
        ("fd_prestat_dir_name", &[I32, I32, I32], |_, _| Ok(BAD_FILE)),
        ("poll_oneoff", &[I32, I32, I32, I32], poll_oneoff),
    ];
    let exit = HostFunction::own_in(MODULE, "proc_exit", FuncType::new(&[I32], &[]), |_, args| {
        Err(HostError(format!("the guest ended itself with exit code {}", args[0] as u32)))
    });
    let wasi = |(name, params, body)| {
        HostFunction::own_in(MODULE, name, FuncType::new(params, &[I32]), body)
    };
    functions.into_iter().map(wasi).chain([exit]).collect()
}

/// No arguments, no environment: twice the number 0.
fn none(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    write(bridge, args[0], &[0; 4])?;
    write(bridge, args[1], &[0; 4])?;
    Ok(SUCCESS)
}

fn clock_time_get(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    let now = bridge.context.system().now();
    write(bridge, args[2], &now.to_le_bytes())?;
    Ok(SUCCESS)
}

fn random_get(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    // In pieces, as a guest may claim a length of 4 GiB.
    let (mut address, end) = (args[0], args[0].saturating_add(args[1]));
    while address < end {
        let bytes = bridge.context.system().random().to_le_bytes();
        let len = (end - address).min(8);
        write(bridge, address, &bytes[..len as usize])?;
        address += len;
    }
    Ok(SUCCESS)
}

fn fd_write(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    if ![1, 2].contains(&args[0]) {
        return Ok(BAD_FILE);
    }
    if args[2] > MAX_ITEMS {
        return Ok(INVALID);
    }
    let mut text = Vec::new();
    for index in 0..args[2] {
        let [address, len] = words(bridge, args[1] + 8 * index)?;
        let piece = bridge.slice(PointerSize::new(address, len).bits())?;
        text.extend_from_slice(&piece[..piece.len().min(MAX_TEXT - text.len())]);
    }
    let written = text.len() as u32;
    let text = String::from_utf8_lossy(&text);
    log::info!(target: "guest", "{}", text.trim_end());
    write(bridge, args[3], &written.to_le_bytes())?;
    Ok(SUCCESS)
}

/// Whether it is standard input, output or error.
fn file(descriptor: u64) -> u64 {
    if descriptor < 3 { SUCCESS } else { BAD_FILE }
}

fn fd_fdstat_get(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    const CHARACTER_DEVICE: u8 = 2;
    if file(args[0]) == SUCCESS {
        let mut stat = [0; 24];
        stat[0] = CHARACTER_DEVICE;
        write(bridge, args[1], &stat)?;
    }
    Ok(file(args[0]))
}

/// Every subscription happens at once; the clock goes on by the longest wait.
fn poll_oneoff(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    const CLOCK: u8 = 0;
    const ABSOLUTE: u16 = 1;
    let [subscriptions, events, count] = [args[0], args[1], args[2]];
    if count == 0 || count > MAX_ITEMS {
        return Ok(INVALID);
    }
    for index in 0..count {
        let mut subscription = [0; 48];
        let address = pointer(subscriptions + 48 * index)?;
        bridge.read_memory_into(address, &mut subscription).map_err(HostError)?;
        let [kind, timeout] = [&subscription[8..9], &subscription[24..32]];
        let timeout = u64::from_le_bytes(timeout.try_into().expect("8 bytes"));
        let flags = u16::from_le_bytes([subscription[40], subscription[41]]);
        if kind[0] == CLOCK {
            let system = bridge.context.system();
            match flags & ABSOLUTE {
                0 => system.wait(timeout),
                _ => system.wait_until(timeout),
            }
        }
        let mut event = [0; 32];
        event[..8].copy_from_slice(&subscription[..8]);
        event[10] = kind[0];
        write(bridge, events + 32 * index, &event)?;
    }
    write(bridge, args[3], &(count as u32).to_le_bytes())?;
    Ok(SUCCESS)
}

fn words(bridge: &mut Bridge<'_>, address: u64) -> std::result::Result<[u32; 2], HostError> {
    let mut bytes = [0; 8];
    bridge.read_memory_into(pointer(address)?, &mut bytes).map_err(HostError)?;
    let both = u64::from_le_bytes(bytes);
    Ok([both as u32, (both >> 32) as u32])
}

fn write(
    bridge: &mut Bridge<'_>,
    address: u64,
    bytes: &[u8],
) -> std::result::Result<(), HostError> {
    bridge.write_memory(pointer(address)?, bytes).map_err(HostError)
}

fn pointer(address: u64) -> std::result::Result<Pointer<u8>, HostError> {
    let fits = u32::try_from(address).map(Pointer::new);
    fits.map_err(|_| HostError(format!("address {address:#x} is outside memory")))
}
