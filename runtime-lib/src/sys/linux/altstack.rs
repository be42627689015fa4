//! An alternate signal stack for every thread that runs guests.
//!
//! A guest that used up its stack has none left for the handler. The standard library gives its
//! threads a small one and threads of other languages have none, so each thread gets ours
//! before its first call unless it has a large one already.

use super::mmap::{Mapping, Protection, page_size, round_up_to_page};
use std::cell::{Cell, RefCell};
use std::io;
use std::ptr;

/// Enough for our handler and for one that it chains to, in bytes.
const LEN: usize = 64 * 1024;
/// What is large enough to be kept, in bytes.
const ENOUGH: usize = 32 * 1024;

struct AltStack(Mapping);

thread_local! {
    static READY: Cell<bool> = const { Cell::new(false) };
    static OWN: RefCell<Option<AltStack>> = const { RefCell::new(None) };
}

/// Makes sure that this thread can handle a signal while its stack is used up.
#[inline]
pub fn prepare_thread() -> io::Result<()> {
    match READY.get() {
        true => Ok(()),
        false => install(),
    }
}

#[cold]
fn install() -> io::Result<()> {
    let current = exchange(None)?;
    if current.ss_flags & libc::SS_DISABLE != 0 || current.ss_size < ENOUGH {
        let guard = page_size();
        let mapping = Mapping::reserve(guard + round_up_to_page(LEN), guard)?;
        // SAFETY: the mapping is new; nothing refers to it.
        unsafe { mapping.protect(guard..mapping.len(), Protection::ReadWrite)? };
        exchange(Some(&libc::stack_t {
            ss_sp: mapping.at(guard).cast(),
            ss_flags: 0,
            ss_size: mapping.len() - guard,
        }))?;
        OWN.set(Some(AltStack(mapping)));
    }
    READY.set(true);
    Ok(())
}

/// Sets this thread's alternate stack, if one is given, and returns the previous one.
fn exchange(new: Option<&libc::stack_t>) -> io::Result<libc::stack_t> {
    let mut old = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: both point at valid structures or are null; a new stack is a live mapping that
    // `AltStack` keeps until it is no longer in use.
    match unsafe { libc::sigaltstack(new.map_or(ptr::null(), ptr::from_ref), &raw mut old) } {
        0 => Ok(old),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Drop for AltStack {
    fn drop(&mut self) {
        // The thread ends. Somebody may have put a stack of their own in our place.
        READY.set(false);
        let ours = self.0.at(page_size());
        if exchange(None).is_ok_and(|current| current.ss_sp == ours.cast()) {
            let _ = exchange(Some(&libc::stack_t {
                ss_sp: ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: 0,
            }));
        }
    }
}
