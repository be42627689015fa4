//! Into the guest through an entry trampoline, out as results or a trap.

pub mod activation;
pub mod fault;
pub mod func;
pub mod leave;
pub mod libcalls;

pub use func::Func;

use crate::image::loaded::Loaded;
use crate::image::section::MAX_PAGES;
use crate::slot::Slot;
use crate::sys::linux::{alarm, altstack};
use crate::trap::Trap;
use activation::{Activation, Data};
use lithify_abi::trap::TrapCode;
use lithify_abi::types::ValType;
use std::time::{Duration, Instant};

/// What a call may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// When the guest is stopped, with [`TrapCode::Deadline`]. It is stopped wherever it is; a host
    /// function always ends first, and the guest is stopped when it goes on, or at its next host
    /// call. Calls that a host function makes into a guest end with the call around them, too.
    ///
    /// What the guest was in the middle of is then half done: memory, globals and tables are as safe
    /// as ever, but what they hold is not what any operator leaves.
    ///
    /// It costs the guest nothing and a call some ten nanoseconds: a thread of this library sends
    /// the calling thread a real-time signal that had no handler before. System calls of host
    /// functions may be interrupted by it (`SA_RESTART` is set). A child that the process forks off
    /// after its first deadline has no such thread, so deadlines do not come there.
    pub deadline: Option<Instant>,
}

impl CallOptions {
    /// A call that ends at `deadline`.
    pub fn until(deadline: Instant) -> Self {
        Self { deadline: Some(deadline) }
    }

    /// A call that ends when so much time has passed from now on: never without a timeout, nor with
    /// one that ends beyond what the clock can say.
    #[inline]
    pub fn within(timeout: Option<Duration>) -> Self {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self { deadline }
    }
}

/// Calls `func` on `slot`, on the stack that ends at `stack_top` or the current one.
///
/// # Safety
///
/// `data` may be used by host functions until this returns, and the stack is not in use (null:
/// this is the guest stack, with room on it).
#[inline]
pub(crate) unsafe fn call(
    slot: &Slot,
    func: &Func,
    values: &mut [u128],
    data: Data,
    stack_top: *mut u8,
    options: CallOptions,
) -> Result<(), Trap> {
    let image = slot.image();
    func.check(image, values);
    let (entry, callee) = func.code(image);
    // SAFETY: trampoline and function belong to each other and to this image, the array is
    // long enough, as was checked above; the caller vouches for the rest.
    unsafe { call_code(slot, entry, callee, values.as_mut_ptr(), data, stack_top, options) }
}

/// Calls code of the image of `slot`.
///
/// # Safety
///
/// As for [`call`]; `entry` and `callee` are as [`Activation::run`] wants them.
#[inline]
pub(crate) unsafe fn call_code(
    slot: &Slot,
    entry: *const u8,
    callee: *const u8,
    values: *mut u128,
    data: Data,
    stack_top: *mut u8,
    options: CallOptions,
) -> Result<(), Trap> {
    let mut ready = altstack::prepare_thread();
    let mut deadline = alarm::NEVER;
    if let Some(instant) = options.deadline {
        ready = ready.and_then(|()| alarm::prepare_thread(fault::interrupt));
        deadline = alarm::time(instant);
    }
    if let Err(error) = ready {
        return Err(Trap {
            message: Some(format!("this thread cannot handle signals: {error}")),
            ..Trap::bare(TrapCode::Host)
        });
    }
    let activation = Activation::new(slot, data, deadline);
    // SAFETY: the caller vouches for all of it.
    unsafe { activation.run(entry, callee, values, stack_top) }
}

/// Panics unless every reference to a function among `values` is one of this image or null.
#[cold]
pub(crate) fn check_funcs(image: &Loaded, types: &[ValType], values: &[u128]) {
    for (ty, value) in types.iter().zip(values) {
        let valid = *ty != ValType::FuncRef || image.is_func_or_null(*value as u64);
        assert!(valid, "a reference to a function of this image");
    }
}

/// The largest size of a slot's memory as [`Guest::max_pages`](crate::host::Guest) tells it.
pub(crate) fn max_pages(slot: &Slot) -> Option<u32> {
    Some(slot.max_pages()).filter(|pages| *pages < MAX_PAGES)
}
