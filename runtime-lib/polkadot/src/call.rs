//! How an entry point of a runtime is called, on any engine.
//!
//! ```text
//! fresh instance -> heap from __heap_base -> input is the first allocation
//!   -> export (address i32, length i32) -> i64 -> output at (low half, high half)
//! ```
//!
//! A module without `__heap_base` is a reactor: its memory is its own, and its runtime takes what lies
//! behind the initial pages by growing. Some go by what `memory.size` says (TinyGo), some by what
//! `memory.grow` returns (wasi-libc), and some by neither, sure that the pages behind their own are
//! theirs (Go). What is right for all of them is a guest that is alone in its memory. So the host's
//! heap is where no guest ever comes: behind the largest memory that the guest may have, which begins
//! as the module says and may grow by [`REACTOR_GUEST_PAGES`]. There it has [`REACTOR_HEAP_PAGES`]
//! and never grows. The initialiser runs at the start of each call, since each has a fresh instance;
//! `native.rs` keeps what it leaves behind.

use std::fmt::{Debug, Display};
use std::time::Instant;

use crate::context::CallContext;
use crate::pointer_size::PointerSize;
use lithify_abi::WASM_PAGE;
use lithify_abi::plain::Plain;
use lithify_runtime::host::{self, Guest, HostError};

/// What a reactor exports to be called before anything else: `() -> ()`.
pub const INITIALIZER: &str = "_initialize";

/// By how much a reactor may grow its memory, in pages.
pub const REACTOR_GUEST_PAGES: u32 = 640;

/// The host's heap in the memory of a reactor, in pages.
pub const REACTOR_HEAP_PAGES: u32 = 128;

/// By how many pages a reactor that begins with `initial` may grow, so that the host's heap fits
/// behind that; `None` where it does not.
pub fn reactor_guest_pages(initial: u32) -> Option<u32> {
    let room = 65536u32.checked_sub(initial)?.checked_sub(REACTOR_HEAP_PAGES)?;
    Some(room.min(REACTOR_GUEST_PAGES))
}

/// For an output of so many bytes the system is asked before it is copied.
const LARGE_OUTPUT: u32 = 1 << 20;

/// A fresh instance of a runtime on some engine. The memory of a reactor ends with the host's heap,
/// which the guest's `memory.size` does not count.
pub trait RuntimeInstance: Guest {
    /// An entry point that was looked up.
    type Entry;
    /// How the engine reports a trap.
    type Trap: Debug + Display;

    /// The exported global `__heap_base`.
    fn heap_base(&mut self) -> Option<u32>;

    /// The exported function `name`, if it has the type `(i32, i32) -> i64`.
    fn entry(&mut self, name: &str) -> Option<Self::Entry>;

    /// The names of all exported functions of that type.
    fn entries(&self) -> Vec<String>;

    /// Calls the exported function `name`, if it has the type `() -> ()`.
    fn initialize(
        &mut self,
        name: &str,
        context: &mut CallContext,
    ) -> Option<Result<(), Self::Trap>>;

    /// Calls an entry point. Host functions that it calls get `context`.
    fn enter(
        &mut self,
        entry: Self::Entry,
        address: u32,
        len_bytes: u32,
        context: &mut CallContext,
    ) -> Result<u64, Self::Trap>;
}

/// Why a call gave no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<T: Debug + Display> {
    /// Not the module of a runtime.
    #[error(
        "the module exports neither a global __heap_base of type i32 nor a function {INITIALIZER}, \
         so it is not a runtime"
    )]
    NoHeapBase,
    /// No such initialiser.
    #[error("there is no function {name} of type () -> () to initialise the module with")]
    NoInitializer {
        /// The name that was asked for.
        name: String,
    },
    /// No such entry point.
    #[error("there is no entry point {}{}", Plain(.name), entry_list(.found, .available))]
    NoEntry {
        /// The name that was asked for.
        name: String,
        /// What the module exports under that name instead, in words.
        found: Option<String>,
        /// The names that there are.
        available: Vec<String>,
    },
    /// The input does not fit into the guest's memory.
    #[error("cannot pass the input of {len_bytes} bytes: {error}")]
    Input {
        /// Length of the input.
        len_bytes: usize,
        /// What the heap says.
        error: HostError,
    },
    /// The guest trapped, or a host function stopped it.
    #[error("{trap:#}{}", panic_text(.panic))]
    Trap {
        /// The engine's account of it.
        trap: T,
        /// The message that the runtime gave for its panic.
        panic: Option<String>,
    },
    /// The result names more bytes than there is memory left for.
    #[error("the system has no memory left for the output of {len_bytes} bytes")]
    NoMemory {
        /// How long it is.
        len_bytes: u32,
    },
    /// The result does not name bytes in memory.
    #[error("the output {address:#x}, {len_bytes} bytes, is outside memory ({memory_bytes} bytes)")]
    Output {
        /// Where it would begin.
        address: u32,
        /// How long it would be.
        len_bytes: u32,
        /// The size of memory after the call.
        memory_bytes: usize,
    },
}

/// Calls the entry point `name` with `input`. The instance must be fresh; host functions that
/// touch storage need [`Session::execute`](crate::Session::execute) around this.
pub fn call<I: RuntimeInstance>(
    instance: &mut I,
    context: &mut CallContext,
    name: &str,
    input: &[u8],
) -> Result<Vec<u8>, CallError<I::Trap>> {
    let heap_base = instance.heap_base();
    let entry = instance.entry(name).ok_or_else(|| CallError::NoEntry {
        name: name.to_owned(),
        found: None,
        available: instance.entries(),
    })?;
    match heap_base {
        Some(heap_base) => {
            context.begin(instance, heap_base);
            if context.initializer().is_some() {
                initialize(instance, context)?;
            }
        }
        None => begin_reactor(instance, context)?,
    }
    let address = pass(instance, context, input)
        .map_err(|error| CallError::Input { len_bytes: input.len(), error })?;
    let output = instance
        .enter(entry, address, input.len() as u32, context)
        .map_err(|trap| CallError::Trap { trap, panic: context.take_panic_message() })?;
    let place = PointerSize::from_bits(output);
    let (address, len_bytes) = (place.address(), place.len());
    let memory = instance.memory();
    let output = place.of(memory);
    let memory_bytes = memory.len();
    let output = output.ok_or(CallError::Output { address, len_bytes, memory_bytes })?;
    // Whoever asked for it decodes or prints it.
    if len_bytes >= LARGE_OUTPUT && host::room(4 * u64::from(len_bytes)).is_err() {
        return Err(CallError::NoMemory { len_bytes });
    }
    Ok(output.to_vec())
}

/// Gives the host its heap in a memory that the guest owns, and lets the guest begin.
#[cold]
pub(crate) fn begin_reactor<I: RuntimeInstance>(
    instance: &mut I,
    context: &mut CallContext,
) -> Result<(), CallError<I::Trap>> {
    let end = u32::try_from(instance.memory().len()).map_err(|_| CallError::NoHeapBase)?;
    let start = end.checked_sub(REACTOR_HEAP_PAGES * WASM_PAGE as u32);
    context.begin_within(instance, start.ok_or(CallError::NoHeapBase)?..end);
    initialize(instance, context)
}

/// Lets the guest begin: by the function that was asked for, else by [`INITIALIZER`].
#[cold]
fn initialize<I: RuntimeInstance>(
    instance: &mut I,
    context: &mut CallContext,
) -> Result<(), CallError<I::Trap>> {
    let asked = context.initializer().map(str::to_owned);
    let start = Instant::now();
    let done = instance.initialize(asked.as_deref().unwrap_or(INITIALIZER), context);
    let done = done.ok_or_else(|| match asked {
        Some(name) => CallError::NoInitializer { name },
        None => CallError::NoHeapBase,
    })?;
    context.instruments_mut().initialized(start.elapsed().as_nanos() as u64);
    done.map_err(|trap| CallError::Trap { trap, panic: context.take_panic_message() })
}

/// Copies the input to the guest; also an empty one takes a block of the heap.
fn pass<I: RuntimeInstance>(
    instance: &mut I,
    context: &mut CallContext,
    input: &[u8],
) -> Result<u32, HostError> {
    let len = u32::try_from(input.len()).map_err(|_| HostError("more than 4 GiB".into()))?;
    let address = context.allocate(instance, len)?;
    // The allocator has made sure that the block lies in memory.
    instance.memory()[address as usize..][..input.len()].copy_from_slice(input);
    Ok(address)
}

/// What there is instead, shortly.
fn entry_list(found: &Option<String>, available: &[String]) -> String {
    const SHOWN: usize = 6;
    let mut names: Vec<_> = available.iter().collect();
    // What every runtime has comes first.
    names.sort_by_key(|name| !name.starts_with("Core_"));
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| Plain(name).to_string()).collect();
    let list = match available.len().checked_sub(SHOWN) {
        None | Some(0) if shown.is_empty() && found.is_some() => String::new(),
        None | Some(0) if shown.is_empty() => "; the module exports none".into(),
        None | Some(0) => format!("; there are {}", shown.join(", ")),
        Some(more) => format!("; there are {} and {more} more", shown.join(", ")),
    };
    let found = found.as_ref().map(|found| {
        format!("; this one is a {found}, and an entry point takes (i32, i32) and returns i64")
    });
    list + &found.unwrap_or_default()
}

fn panic_text(panic: &Option<String>) -> String {
    let text = panic.as_ref().map(|message| format!("; the runtime panicked: {}", Plain(message)));
    text.unwrap_or_default()
}
