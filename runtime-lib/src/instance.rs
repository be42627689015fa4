//! An instance: a slot in use.

mod error;

pub use error::{CallError, InstanceError};

use crate::call::activation::Data;
use crate::call::leave::Stop;
use crate::call::{self, CallOptions, Func, libcalls};
use crate::host::{self, Guest};
use crate::image::loaded::Loaded;
use crate::image::metadata::Metadata;
use crate::image::section::{ExternDesc, ExternGlobal, Place};
use crate::slot::shelves::{self, Open};
use crate::slot::{OwnedSlot, Slot, vmctx};
use crate::trap::Trap;
use crate::value::Value;
use lithify_abi::descriptor::{NONE, Placement};
use lithify_abi::heap::Heap;
use lithify_abi::types::FuncType;
use std::any::Any;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::sync::Arc;

/// A running module: memory, globals and tables that calls change. It starts fresh; what it
/// changed is gone when it is dropped, and its memory waits for the next instance.
pub struct Instance {
    /// Taken out by `drop`.
    slot: ManuallyDrop<OwnedSlot>,
    shelf: usize,
}

impl Instance {
    /// Takes a fresh slot from a shelf and makes it ready: segments that the image does not contain,
    /// the start function.
    pub(crate) fn take(
        shelves: &Open,
        shelf: usize,
        options: CallOptions,
    ) -> Result<Self, InstanceError> {
        let slot = shelves
            .take(shelf)
            .map_err(|source| InstanceError::Map { reserved: shelves.reserved(), source })?;
        let slot = ManuallyDrop::new(slot);
        let mut this = Self { slot, shelf };
        if shelves.origin().to_start {
            this.run_start(options)?;
        }
        Ok(this)
    }

    #[cold]
    fn run_start(&mut self, options: CallOptions) -> Result<(), Trap> {
        let slot: &Slot = &self.slot;
        let image = slot.image();
        let start_of = |placement| match placement {
            Placement::Active(value) => {
                Some(vmctx::initial_value(image, value, slot.vmctx_bytes()) as u32)
            }
            Placement::Passive | Placement::Declared => None,
        };
        let trap = |stop: Stop| Trap::bare(stop.code);
        for segment in &image.records().elements {
            if let Some(to) = start_of(segment.placement) {
                let len = segment.items.len() as u32;
                libcalls::table_init(slot, segment.table, segment.index, to, 0, len)
                    .map_err(trap)?;
                slot.segments().drop_elements(image, segment.index);
            }
        }
        for segment in &image.records().data {
            if let Some(to) = start_of(segment.placement) {
                libcalls::memory_init(slot, segment.index, to, 0, segment.bytes.len)
                    .map_err(trap)?;
                slot.segments().drop_data(image, segment.index);
            }
        }
        let (start, entry) =
            (image.records().descriptor.start, image.records().descriptor.start_entry);
        if start == NONE {
            return Ok(());
        }
        let stack = self.stack_top();
        let mut nothing = ();
        let data = Data::new(&mut nothing);
        // SAFETY: the trampoline is the one of the start function, which takes and gives nothing;
        // the guest stack is not in use.
        unsafe {
            let (entry, code) = (image.code(entry), image.code(start));
            call::call_code(slot, entry, code, [].as_mut_ptr(), data, stack, options)
        }
    }

    /// Empty shelves for slots that begin as this one is now.
    pub(crate) fn shelves_from_here(&mut self) -> Result<Open, InstanceError> {
        let shelves = self.slot.shelves();
        let reserved = shelves.reserved();
        let open = shelves.beginning_at(&self.slot);
        open.map_err(|source| InstanceError::Map { reserved, source })
    }

    fn stack_top(&self) -> *mut u8 {
        self.slot.reservation().stack().end as *mut u8
    }

    fn image(&self) -> &Arc<Loaded> {
        self.slot.shelves().image()
    }

    /// The function exported as `name`.
    pub fn func(&self, name: &str) -> Option<Func> {
        Func::export(self.image(), name)
    }

    /// What its image says about itself.
    pub fn metadata(&self) -> Metadata {
        Metadata::new(&self.image().section)
    }

    /// The function that a reference names, if it is one of this image.
    pub fn func_of_ref(&self, bits: u64) -> Option<Func> {
        Func::reference(self.image(), bits)
    }

    /// The type of a function of this instance.
    ///
    /// # Panics
    ///
    /// When it belongs to another image.
    pub fn func_type(&self, func: &Func) -> &FuncType {
        func.ty(self.image())
    }

    /// Calls a function. Arguments are the first of `values`, with their bits in the low bytes of
    /// each; results go there. Host functions get `data`.
    ///
    /// # Panics
    ///
    /// When the function belongs to another image, when there are fewer values than
    /// [`Func::array_len`], or when an argument is a reference to a function that is not one of this
    /// image.
    #[inline]
    pub fn call(
        &mut self,
        func: &Func,
        values: &mut [u128],
        data: &mut dyn Any,
    ) -> Result<(), Trap> {
        self.call_with(func, values, data, CallOptions::default())
    }

    /// Calls a function as [`call`](Self::call) does, within `options`.
    ///
    /// ```no_run
    /// # use lithify_runtime::{CallOptions, Func, Instance, TrapCode};
    /// # use std::time::{Duration, Instant};
    /// # fn limited(instance: &mut Instance, func: &Func) {
    /// let options = CallOptions::until(Instant::now() + Duration::from_millis(100));
    /// match instance.call_with(func, &mut [0, 0], &mut (), options) {
    ///     Err(trap) if trap.code == TrapCode::Deadline => println!("it takes too long"),
    ///     other => println!("{other:?}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`call`](Self::call) does.
    #[inline]
    pub fn call_with(
        &mut self,
        func: &Func,
        values: &mut [u128],
        data: &mut dyn Any,
        options: CallOptions,
    ) -> Result<(), Trap> {
        let stack = self.stack_top();
        // SAFETY: the data is lent for this call; no other call uses the stack, since this one
        // borrows the instance.
        unsafe { call::call(&self.slot, func, values, Data::new(data), stack, options) }
    }

    /// Calls a function with values.
    pub fn call_values(
        &mut self,
        func: &Func,
        arguments: &[Value],
        data: &mut dyn Any,
    ) -> Result<Vec<Value>, CallError> {
        self.call_values_with(func, arguments, data, CallOptions::default())
    }

    /// Calls a function with values, within `options`.
    pub fn call_values_with(
        &mut self,
        func: &Func,
        arguments: &[Value],
        data: &mut dyn Any,
        options: CallOptions,
    ) -> Result<Vec<Value>, CallError> {
        let ty = self.func_type(func).clone();
        if !arguments.iter().map(Value::ty).eq(ty.params.iter().copied()) {
            let types: Vec<_> = arguments.iter().map(|value| value.ty().to_string()).collect();
            return Err(CallError::Arguments { found: types.join(", "), expected: ty.to_string() });
        }
        let image = self.image();
        let foreign = |value: &Value| match value {
            Value::FuncRef(bits) => !image.is_func_or_null(*bits),
            _ => false,
        };
        if let Some(index) = arguments.iter().position(foreign) {
            return Err(CallError::Reference { index });
        }
        let mut values = vec![0; func.array_len()];
        for (place, value) in values.iter_mut().zip(arguments) {
            *place = value.to_bits();
        }
        self.call_with(func, &mut values, data, options)?;
        let results = ty.results.iter().zip(values);
        Ok(results.map(|(ty, bits)| Value::from_bits(*ty, bits)).collect())
    }

    fn global(&self, name: &str) -> Option<ExternGlobal> {
        self.image().records().exports.iter().find_map(|export| match export.desc {
            ExternDesc::Global(global) if self.image().name(export.name) == name => Some(global),
            _ => None,
        })
    }

    /// The value of the global exported as `name`.
    pub fn global_get(&self, name: &str) -> Option<Value> {
        let ExternGlobal { ty, place, .. } = self.global(name)?;
        let bits = match place {
            Place::Const(bits) => bits,
            Place::Vmctx(offset) => {
                let vmctx = self.slot.vmctx_bytes();
                let start = vmctx::index(offset, vmctx.len());
                let mut bytes = [0; 16];
                let size = ty.size() as usize;
                bytes[..size].copy_from_slice(&vmctx[start..start + size]);
                u128::from_le_bytes(bytes)
            }
        };
        Some(Value::from_bits(ty, bits))
    }

    /// Sets the mutable global exported as `name`; `false` when there is none of that type, or
    /// the value is a reference to a function of another image.
    pub fn global_set(&mut self, name: &str, value: Value) -> bool {
        let Some(ExternGlobal { ty, mutable: true, place: Place::Vmctx(offset) }) =
            self.global(name)
        else {
            return false;
        };
        let foreign = match value {
            Value::FuncRef(bits) => !self.image().is_func_or_null(bits),
            _ => false,
        };
        if ty != value.ty() || foreign {
            return false;
        }
        let bytes = value.to_bits().to_le_bytes();
        self.slot.write_vmctx(offset, &bytes[..ty.size() as usize]);
        true
    }

    /// Size of the table exported as `name`, in elements.
    pub fn table_len(&self, name: &str) -> Option<u32> {
        let image = self.image();
        let (index, limits) =
            image.records().exports.iter().find_map(|export| match export.desc {
                ExternDesc::Table { index, limits } if image.name(export.name) == name => {
                    Some((index, limits))
                }
                _ => None,
            })?;
        // Those that nothing can change have the size they were exported with.
        let table = self.slot.table(index);
        Some(table.map_or(limits.min, |table| table.borrow().elements().len() as u32))
    }

    /// Size of memory, in bytes.
    pub fn memory_len(&self) -> usize {
        self.slot.header().memory_len()
    }

    /// How many host pages of memory were written since the slot was made; those that earlier
    /// calls on it wrote are among them.
    ///
    /// # Errors
    ///
    /// Where the kernel cannot tell (`PAGEMAP_SCAN`).
    pub fn written_pages(&self) -> std::io::Result<usize> {
        self.slot.memory().written_pages(self.slot.reach())
    }

    /// Makes `range` of memory writable ahead of a system call that writes there; see
    /// [`Caller::touch`](crate::Caller::touch).
    pub fn touch(&mut self, range: Range<usize>) {
        host::touch(&self.slot, range);
    }

    /// Sets a value that host functions find with [`Caller::host_data`](crate::Caller::host_data)
    /// and native code at `base + vmctx::HOST_DATA`.
    pub fn set_host_data(&mut self, value: u64) {
        self.slot.header().set_host_data(value);
    }
}

impl Guest for Instance {
    fn memory(&mut self) -> &mut [u8] {
        // SAFETY: no call is active, since the slice borrows the instance.
        unsafe { &mut *self.slot.bytes() }
    }

    fn memory_and_heap(&mut self) -> (&mut [u8], Option<&mut Heap>) {
        // SAFETY: as for `memory`; the heap is no part of memory.
        unsafe { (&mut *self.slot.bytes(), self.slot.heap().map(|heap| &mut *heap)) }
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        self.slot.grow(delta)
    }

    fn max_pages(&self) -> Option<u32> {
        call::max_pages(&self.slot)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: not used again.
        let slot = unsafe { ManuallyDrop::take(&mut self.slot) };
        // SAFETY: nothing borrows the instance any more, and no call is active.
        match unsafe { slot.reset() } {
            Ok(()) => shelves::put(slot, self.shelf),
            // The kernel refused to restore it; it is not used again.
            Err(_) => drop(slot),
        }
    }
}
