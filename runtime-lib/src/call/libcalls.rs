//! Functions that compiled code calls: growing and bulk operations, and host functions.
//!
//! They are called on the guest's stack, and have the host's room (`memory.rs`) where it ends. Each
//! is one of [`bodies`] inside [`edge`], which turns errors and panics into traps: nothing here may
//! leave the guest in any other way, since a trap skips all frames without dropping what they hold.
//! Their signatures come from the table that the compiler reads.

use crate::host::HostError;
use crate::slot::Slot;
use crate::sys::arch;
use lithify_abi::libcall::Libcall;
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

/// Makes each libcall of the table: a function that compiled code calls, around one of [`bodies`],
/// which must have the parameters and the result that the table says.
macro_rules! libcalls {
    ($(
        $(#[$meta:meta])*
        $name:ident = $symbol:ident($($param:ident: $ty:ident),*) $(-> $result:ident)?;
    )*) => {
        $(
            $(#[$meta])*
            ///
            /// # Safety
            ///
            /// Only for compiled code, which passes its own `base`.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $symbol(
                base: *mut u8 $(, $param: native!($ty))*
            ) $(-> native!($result))? {
                // SAFETY: compiled code passed `base`; this frame holds plain values only.
                unsafe { edge(base, |slot| bodies::$symbol(slot $(, $param)*)) }
            }
        )*

        /// The address of the function behind a libcall.
        pub(crate) fn address(libcall: Libcall) -> usize {
            match libcall {
                $(Libcall::$name => $symbol as *const () as usize,)*
            }
        }
    };
}

/// The Rust type of a parameter or result.
macro_rules! native {
    (I32) => {
        u32
    };
    (I64) => {
        u64
    };
}

lithify_abi::for_each_libcall!(libcalls);

/// What the libcalls do.
mod bodies {
    use super::{Stop, memory_init, table_init};
    use crate::image::records::MAX_TABLES;
    use crate::slot::Slot;
    use lithify_abi::trap::TrapCode;

    pub fn lithify_memory_grow(slot: &Slot, pages: u32) -> Result<u32, Stop> {
        Ok(slot.grow(pages).unwrap_or(u32::MAX))
    }

    pub fn lithify_memory_fill(slot: &Slot, to: u32, value: u32, len: u32) -> Result<(), Stop> {
        // SAFETY: the guest waits, and this is the only slice.
        let bytes = unsafe { slot.bytes_for_writing(to, len) };
        bytes.ok_or(TrapCode::MemoryOutOfBounds)?.fill(value as u8);
        Ok(())
    }

    pub fn lithify_memory_copy(slot: &Slot, to: u32, from: u32, len: u32) -> Result<(), Stop> {
        let from = slot.range(from, len).ok_or(TrapCode::MemoryOutOfBounds)?;
        // SAFETY: the guest waits, and this slice ends before the next one starts.
        unsafe { slot.bytes_for_writing(to, len) }.ok_or(TrapCode::MemoryOutOfBounds)?;
        // SAFETY: the guest waits, and this is the only slice.
        unsafe { slot.bytes() }.copy_within(from, to as usize);
        Ok(())
    }

    pub fn lithify_memory_init(
        slot: &Slot,
        segment: u32,
        to: u32,
        from: u32,
        len: u32,
    ) -> Result<(), Stop> {
        memory_init(slot, segment, to, from, len)
    }

    pub fn lithify_data_drop(slot: &Slot, segment: u32) -> Result<(), Stop> {
        slot.drop_data(segment);
        Ok(())
    }

    pub fn lithify_table_grow(
        slot: &Slot,
        table: u32,
        value: u64,
        elements: u32,
    ) -> Result<u32, Stop> {
        let table = slot.table(table).ok_or(TrapCode::TableOutOfBounds)?;
        let fits = slot.table_elements() + u64::from(elements) <= MAX_TABLES;
        let grown = fits.then(|| table.borrow_mut().grow(value, elements)).flatten();
        let Some(old) = grown else {
            return Ok(u32::MAX);
        };
        let (place, record) = table.borrow().record_bytes();
        slot.write_vmctx(place, &record);
        Ok(old)
    }

    pub fn lithify_table_fill(
        slot: &Slot,
        table: u32,
        to: u32,
        value: u64,
        len: u32,
    ) -> Result<(), Stop> {
        let table = slot.table(table).ok_or(TrapCode::TableOutOfBounds)?.borrow();
        for element in table.get(to, len).ok_or(TrapCode::TableOutOfBounds)? {
            element.set(value);
        }
        Ok(())
    }

    pub fn lithify_table_copy(
        slot: &Slot,
        to_table: u32,
        from_table: u32,
        to: u32,
        from: u32,
        len: u32,
    ) -> Result<(), Stop> {
        let source = slot.table(from_table).ok_or(TrapCode::TableOutOfBounds)?.borrow();
        let source = source.get(from, len).ok_or(TrapCode::TableOutOfBounds)?;
        let target = slot.table(to_table).ok_or(TrapCode::TableOutOfBounds)?.borrow();
        let target = target.get(to, len).ok_or(TrapCode::TableOutOfBounds)?;
        // Both may be the same table: what is read must not have been written before.
        let pairs = target.iter().zip(source);
        match to <= from {
            true => pairs.for_each(|(to, from)| to.set(from.get())),
            false => pairs.rev().for_each(|(to, from)| to.set(from.get())),
        }
        Ok(())
    }

    pub fn lithify_table_init(
        slot: &Slot,
        table: u32,
        segment: u32,
        to: u32,
        from: u32,
        len: u32,
    ) -> Result<(), Stop> {
        table_init(slot, table, segment, to, from, len)
    }

    pub fn lithify_elem_drop(slot: &Slot, segment: u32) -> Result<(), Stop> {
        slot.drop_elements(segment);
        Ok(())
    }

    pub fn lithify_host_call(slot: &Slot, import: u32, values: u64) -> Result<(), Stop> {
        // SAFETY: the exit trampoline of this import has as many slots as its type needs.
        unsafe { slot.image().call_host(slot, import, values as *mut u128) }
    }
}

/// Copies a part of a data segment into memory.
pub(crate) fn memory_init(
    slot: &Slot,
    segment: u32,
    to: u32,
    from: u32,
    len: u32,
) -> Result<(), Stop> {
    let bytes = part(slot.data_segment(segment), from, len).ok_or(TrapCode::MemoryOutOfBounds)?;
    // SAFETY: the guest waits, and segments are not in memory.
    let target = unsafe { slot.bytes_for_writing(to, len) };
    target.ok_or(TrapCode::MemoryOutOfBounds)?.copy_from_slice(bytes);
    Ok(())
}

/// Copies a part of an element segment into a table.
pub(crate) fn table_init(
    slot: &Slot,
    table: u32,
    segment: u32,
    to: u32,
    from: u32,
    len: u32,
) -> Result<(), Stop> {
    let items = part(slot.element_segment(segment), from, len);
    let items = items.ok_or(TrapCode::TableOutOfBounds)?;
    let table = slot.table(table).ok_or(TrapCode::TableOutOfBounds)?.borrow();
    let target = table.get(to, len).ok_or(TrapCode::TableOutOfBounds)?;
    for (element, item) in target.iter().zip(items) {
        let value = slot.image().initial_value(item.form, item.value, slot.vmctx_bytes());
        element.set(value as u64);
    }
    Ok(())
}

fn part<T>(all: &[T], from: u32, len: u32) -> Option<&[T]> {
    all.get(from as usize..from as usize + len as usize)
}
