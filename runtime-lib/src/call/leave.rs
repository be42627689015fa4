//! Out of the guest by a trap, from where it called: a libcall or a host function.
//!
//! A trap skips all frames up to the host without dropping what they hold, so nothing that a guest
//! calls may end it in any other way than by [`edge`].

use crate::slot::Slot;
use crate::sys::arch;
use crate::trap::HostError;
use lithify_abi::trap::TrapCode;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a libcall or a host function stops the guest.
pub(crate) struct Stop {
    pub(crate) code: TrapCode,
    pub(crate) message: Option<String>,
}

impl From<TrapCode> for Stop {
    fn from(code: TrapCode) -> Self {
        let message = None;
        Self { code, message }
    }
}

impl From<HostError> for Stop {
    fn from(error: HostError) -> Self {
        Self { code: TrapCode::Host, message: Some(error.0) }
    }
}

/// Runs `body` for the guest that passed `base`. When it fails or panics the guest is left with a
/// trap, and this function does not return.
///
/// # Safety
///
/// A guest has just called this thread's current native function with this `base`, and none of
/// the frames between here and the guest holds anything that needs dropping.
#[inline]
pub(crate) unsafe fn edge<T>(base: *mut u8, body: impl FnOnce(&Slot) -> Result<T, Stop>) -> T {
    // SAFETY: the guest passed `base`, and waits.
    let slot = unsafe { Slot::from_base(base) };
    let host_sp = match catch_unwind(AssertUnwindSafe(|| body(slot))) {
        // A deadline may have ended a guest that the host function called, and it is this guest's, too.
        Ok(Ok(_)) if slot.header().host_calls_forbidden() => {
            record(slot, TrapCode::Deadline.into())
        }
        Ok(Ok(value)) => return value,
        Ok(Err(stop)) => record(slot, stop),
        Err(panic) => record(slot, panic_stop(&*panic)),
    };
    // SAFETY: the activation is active, since its guest called; here only plain values are
    // alive, and the caller vouches for its own frames.
    unsafe { arch::raise(host_sp) }
}

/// Stores why the guest stops; returns where to go.
#[cold]
fn record(slot: &Slot, stop: Stop) -> usize {
    // SAFETY: a guest that called has an activation, which lives until its call returns.
    let activation = unsafe { &*slot.activation() };
    activation.stop(stop.code, stop.message);
    activation.host_sp()
}

#[cold]
fn panic_stop(panic: &(dyn Any + Send)) -> Stop {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "no message",
    };
    HostError(format!("panicked: {text}")).into()
}
