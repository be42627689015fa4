//! Functions that compiled code calls: growing and bulk operations, and host functions.
//!
//! They are called on the guest's stack, and have the host's room (`slot/reservation.rs`) where it ends. Each
//! is one of [`bodies`] inside [`edge`]. Their signatures come from the table that the compiler reads.

use super::check_funcs;
use super::leave::{Stop, edge};
use crate::image::bindings::Bound;
use crate::slot::{Slot, vmctx};
use crate::trap::HostError;
use lithify_abi::libcall::Libcall;
use lithify_abi::trap::TrapCode;
use std::slice;

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
    use super::{Stop, host_call, memory_init, table_init};
    use crate::image::section::MAX_TABLES;
    use crate::slot::Slot;
    use lithify_abi::trap::TrapCode;

    pub fn lithify_memory_grow(slot: &Slot, pages: u32) -> Result<u32, Stop> {
        Ok(slot.grow(pages).unwrap_or(u32::MAX))
    }

    pub fn lithify_memory_fill(slot: &Slot, to: u32, value: u32, len: u32) -> Result<(), Stop> {
        let bytes = slot.bytes_for_writing(to, len).ok_or(TrapCode::MemoryOutOfBounds)?;
        // SAFETY: the guest waits, and this is the only slice.
        unsafe { &mut *bytes }.fill(value as u8);
        Ok(())
    }

    pub fn lithify_memory_copy(slot: &Slot, to: u32, from: u32, len: u32) -> Result<(), Stop> {
        let from = slot.range(from, len).ok_or(TrapCode::MemoryOutOfBounds)?;
        slot.bytes_for_writing(to, len).ok_or(TrapCode::MemoryOutOfBounds)?;
        // SAFETY: the guest waits, and this is the only slice.
        unsafe { &mut *slot.bytes() }.copy_within(from, to as usize);
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
        slot.segments().drop_data(slot.image(), segment);
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
        slot.segments().drop_elements(slot.image(), segment);
        Ok(())
    }

    pub fn lithify_host_call(slot: &Slot, import: u32, values: u64) -> Result<(), Stop> {
        // SAFETY: the exit trampoline of this import has an array for its type.
        unsafe { host_call(slot, import, values as *mut u128) }
    }
}

/// Calls the host function of import `import`.
///
/// # Safety
///
/// The guest of `slot` called it, with as many values as the import's type needs.
#[inline]
unsafe fn host_call(slot: &Slot, import: u32, values: *mut u128) -> Result<(), Stop> {
    let image = slot.image();
    match image.bound.get(import as usize) {
        Some(Bound::Closure { closure, array_len, gives_funcs, ty }) => {
            // SAFETY: the caller vouches for the array, which is the trampoline's own.
            let values = unsafe { slice::from_raw_parts_mut(values, *array_len) };
            // SAFETY: the guest of this `base` has called it and waits.
            unsafe { closure.call(slot.base(), values)? };
            if *gives_funcs {
                check_funcs(image, &image.records().func_type(*ty).results, values);
            }
            Ok(())
        }
        Some(Bound::Missing(name)) => {
            Err(Stop { code: TrapCode::MissingHostFunction, message: Some(name.clone()) })
        }
        Some(Bound::Direct) | None => {
            Err(HostError(format!("import {import} has no host function")).into())
        }
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
    let bytes = part(slot.segments().data(slot.image(), segment), from, len)
        .ok_or(TrapCode::MemoryOutOfBounds)?;
    let target = slot.bytes_for_writing(to, len).ok_or(TrapCode::MemoryOutOfBounds)?;
    // SAFETY: the guest waits, and segments are not in memory.
    unsafe { &mut *target }.copy_from_slice(bytes);
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
    let items = part(slot.segments().elements(slot.image(), segment), from, len);
    let items = items.ok_or(TrapCode::TableOutOfBounds)?;
    let table = slot.table(table).ok_or(TrapCode::TableOutOfBounds)?.borrow();
    let target = table.get(to, len).ok_or(TrapCode::TableOutOfBounds)?;
    for (element, item) in target.iter().zip(items) {
        let value = vmctx::initial_value(slot.image(), *item, slot.vmctx_bytes());
        element.set(value as u64);
    }
    Ok(())
}

fn part<T>(all: &[T], from: u32, len: u32) -> Option<&[T]> {
    all.get(from as usize..from as usize + len as usize)
}
