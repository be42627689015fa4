//! Functions that compiled code calls: growing and bulk operations, and host functions.
//!
//! They are called on the guest's stack, and have the host's room (`memory.rs`) where it ends. Each
//! is one expression inside [`edge`], which turns errors and panics into traps: nothing here may leave
//! the guest in any other way, since a trap skips all frames without dropping what they hold.

use crate::host::HostError;
use crate::records::MAX_TABLES;
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

/// The address of the function behind a libcall.
pub(crate) fn address(libcall: Libcall) -> usize {
    (match libcall {
        Libcall::MemoryGrow => lithify_memory_grow as *const (),
        Libcall::MemoryFill => lithify_memory_fill as *const (),
        Libcall::MemoryCopy => lithify_memory_copy as *const (),
        Libcall::MemoryInit => lithify_memory_init as *const (),
        Libcall::DataDrop => lithify_data_drop as *const (),
        Libcall::TableGrow => lithify_table_grow as *const (),
        Libcall::TableFill => lithify_table_fill as *const (),
        Libcall::TableCopy => lithify_table_copy as *const (),
        Libcall::TableInit => lithify_table_init as *const (),
        Libcall::ElemDrop => lithify_elem_drop as *const (),
        Libcall::HostCall => lithify_host_call as *const (),
    }) as usize
}

macro_rules! libcalls {
    ($($(#[$meta:meta])*
       fn $name:ident($slot:ident $(, $param:ident: $ty:ty)*) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$meta])*
        ///
        /// # Safety
        ///
        /// Only for compiled code, which passes its own `base`.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(base: *mut u8 $(, $param: $ty)*) $(-> $result)? {
            let body = |$slot: &Slot| $body;
            // SAFETY: compiled code passed `base`; this frame holds plain values only.
            unsafe { edge(base, body) }
        }
    )*};
}

libcalls! {
    /// `memory.grow`: the previous size in pages, or -1.
    fn lithify_memory_grow(slot, delta: u32) -> u32 {
        Ok(slot.grow(delta).unwrap_or(u32::MAX))
    }

    /// `memory.fill`
    fn lithify_memory_fill(slot, to: u32, value: u32, len: u32) {
        // SAFETY: the guest waits, and this is the only slice.
        let bytes = unsafe { slot.bytes_for_writing(to, len) };
        bytes.ok_or(TrapCode::MemoryOutOfBounds)?.fill(value as u8);
        Ok(())
    }

    /// `memory.copy`
    fn lithify_memory_copy(slot, to: u32, from: u32, len: u32) {
        let from = slot.range(from, len).ok_or(TrapCode::MemoryOutOfBounds)?;
        // SAFETY: the guest waits, and this slice ends before the next one starts.
        unsafe { slot.bytes_for_writing(to, len) }.ok_or(TrapCode::MemoryOutOfBounds)?;
        // SAFETY: the guest waits, and this is the only slice.
        unsafe { slot.bytes() }.copy_within(from, to as usize);
        Ok(())
    }

    /// `memory.init`
    fn lithify_memory_init(slot, segment: u32, to: u32, from: u32, len: u32) {
        memory_init(slot, segment, to, from, len)
    }

    /// `data.drop`
    fn lithify_data_drop(slot, segment: u32) {
        slot.drop_data(segment);
        Ok(())
    }

    /// `table.grow`: the previous size, or -1.
    fn lithify_table_grow(slot, table: u32, value: u64, delta: u32) -> u32 {
        let table = slot.table(table).ok_or(TrapCode::TableOutOfBounds)?;
        let fits = slot.table_elements() + u64::from(delta) <= MAX_TABLES;
        let grown = fits.then(|| table.borrow_mut().grow(value, delta)).flatten();
        let Some(old) = grown else {
            return Ok(u32::MAX);
        };
        let (place, record) = table.borrow().record_bytes();
        slot.write_vmctx(place, &record);
        Ok(old)
    }

    /// `table.fill`
    fn lithify_table_fill(slot, table: u32, to: u32, value: u64, len: u32) {
        let table = slot.table(table).ok_or(TrapCode::TableOutOfBounds)?.borrow();
        for element in table.get(to, len).ok_or(TrapCode::TableOutOfBounds)? {
            element.set(value);
        }
        Ok(())
    }

    /// `table.copy`
    fn lithify_table_copy(slot, to_table: u32, from_table: u32, to: u32, from: u32, len: u32) {
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

    /// `table.init`
    fn lithify_table_init(slot, table: u32, segment: u32, to: u32, from: u32, len: u32) {
        table_init(slot, table, segment, to, from, len)
    }

    /// `elem.drop`
    fn lithify_elem_drop(slot, segment: u32) {
        slot.drop_elements(segment);
        Ok(())
    }

    /// Calls the host function of import `import` with value slots at the address `slots`.
    fn lithify_host_call(slot, import: u32, slots: u64) {
        // SAFETY: the exit trampoline of this import has as many slots as its type needs.
        unsafe { slot.image().call_host(slot, import, slots as *mut u128) }
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
