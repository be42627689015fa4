//! The instance as a host function sees it.
//!
//! The rule not to break: what an embedder lent to a call is lent on to one borrower at a time. A
//! nested call lends it to other host functions, so whoever has it has no way to make one.

use super::{Guest, HostError};
use crate::call::activation::{Activation, Data};
use crate::call::leave;
use crate::call::{self, CallOptions, Func};
use crate::slot::Slot;
use crate::slot::header::NO_HOST_CALLS;
use crate::trap::Trap;
use lithify_abi::heap::Heap;
use lithify_abi::trap::TrapCode;
use std::any::{Any, TypeId};
use std::ops::Range;
use std::ptr;

/// The instance that called a host function.
///
/// What it lends cannot be kept across a call into the guest:
///
/// ```compile_fail
/// # fn host(caller: &mut lithify_runtime::Caller<'_>, inner: &lithify_runtime::Func) {
/// let data = caller.data();
/// caller.call(inner, &mut []).ok();
/// assert!(data.is::<u64>());
/// # }
/// ```
///
/// ```compile_fail
/// # use lithify_runtime::Guest;
/// # fn host(caller: &mut lithify_runtime::Caller<'_>, inner: &lithify_runtime::Func) {
/// let memory = caller.memory();
/// caller.call(inner, &mut []).ok();
/// memory[0] = 1;
/// # }
/// ```
///
/// It can be asked for again after the call:
///
/// ```
/// # use lithify_runtime::Guest;
/// # fn host(caller: &mut lithify_runtime::Caller<'_>, inner: &lithify_runtime::Func) {
/// caller.call(inner, &mut []).ok();
/// assert!(caller.data().is::<u64>());
/// caller.memory()[0] = 1;
/// # }
/// ```
///
/// Nor does it leave its thread, where the guest waits:
///
/// ```compile_fail
/// fn sent<T: Send>() {}
/// sent::<lithify_runtime::Caller<'_>>();
/// ```
pub struct Caller<'a> {
    guest: CallingGuest<'a>,
}

/// The guest that called a host function which has borrowed the call's data: its memory, and no way
/// to the data or into the guest, whose host functions would borrow the data too.
pub struct CallingGuest<'a> {
    slot: &'a Slot,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(slot: &'a Slot) -> Self {
        Self { guest: CallingGuest { slot } }
    }

    /// Runs the body of a native host function, which guests call directly: an error or a panic
    /// in it stops the guest, and this function does not return then.
    ///
    /// # Safety
    ///
    /// `base` is what the guest passed to the native function, which must not keep anything
    /// alive around this call that needs dropping.
    pub unsafe fn enter<T>(
        base: *mut u8,
        body: impl FnOnce(&mut Caller<'_>) -> Result<T, HostError>,
    ) -> T {
        // SAFETY: the caller vouches for `base` and for its frame.
        unsafe { leave::edge(base, |slot| body(&mut Caller::new(slot)).map_err(Into::into)) }
    }

    #[inline]
    fn slot(&self) -> &'a Slot {
        self.guest.slot
    }

    #[inline]
    fn activation(&self) -> &Activation {
        // SAFETY: a host function runs inside an activation of its slot.
        unsafe { &*self.slot().activation() }
    }

    /// What the embedder passed to this call.
    pub fn data(&mut self) -> &mut dyn Any {
        // SAFETY: the embedder lent it exclusively for the call. Only host functions of this
        // call get it, one after the other, each through its own exclusive `Caller`.
        unsafe { &mut *self.activation().data().value }
    }

    /// Memory, and what the embedder passed to this call.
    pub fn memory_and_data(&mut self) -> (&mut [u8], &mut dyn Any) {
        // SAFETY: as for `data` and `memory`; the two have nothing in common.
        unsafe { (&mut *self.slot().bytes(), &mut *self.activation().data().value) }
    }

    /// The guest, and what the embedder passed to this call if it is a `T`.
    ///
    /// ```
    /// # use lithify_runtime::Guest;
    /// # fn host(caller: &mut lithify_runtime::Caller<'_>, inner: &lithify_runtime::Func) {
    /// let (guest, data) = caller.guest_and_data::<Vec<u8>>();
    /// data.expect("what the embedder passes").extend(guest.memory().first());
    /// caller.call(inner, &mut []).ok();
    /// # }
    /// ```
    ///
    /// While the data is borrowed, nothing gets into the guest, where other host functions would
    /// borrow it again:
    ///
    /// ```compile_fail
    /// # fn host(caller: &mut lithify_runtime::Caller<'_>, inner: &lithify_runtime::Func) {
    /// let (guest, data) = caller.guest_and_data::<Vec<u8>>();
    /// guest.call(inner, &mut []).ok();
    /// # }
    /// ```
    ///
    /// ```compile_fail
    /// # fn host(caller: &mut lithify_runtime::Caller<'_>, inner: &lithify_runtime::Func) {
    /// let (_, data) = caller.guest_and_data::<Vec<u8>>();
    /// caller.call(inner, &mut []).ok();
    /// data.expect("what the embedder passes").clear();
    /// # }
    /// ```
    #[inline]
    pub fn guest_and_data<T: Any>(&mut self) -> (&mut CallingGuest<'a>, Option<&mut T>) {
        let Data { value, ty } = self.activation().data();
        // SAFETY: as for `data`, since `CallingGuest` leads to nothing that lends it; the type was
        // noted when the value was lent.
        let data = (ty == TypeId::of::<T>()).then(|| unsafe { &mut *value.cast::<T>() });
        (&mut self.guest, data)
    }

    /// The function exported as `name`.
    pub fn func(&self, name: &str) -> Option<Func> {
        Func::export(self.slot().image(), name)
    }

    /// Calls a function of the same instance, further down on the same stack. Arguments are in
    /// the first of `values`, results go there.
    ///
    /// # Panics
    ///
    /// When the function belongs to another image or there are too few values.
    pub fn call(&mut self, func: &Func, values: &mut [u128]) -> Result<(), Trap> {
        let here = ptr::from_ref(&values) as usize;
        let stack = self.slot().reservation().stack();
        // Read once, since a signal may change it at any time.
        let limit = self.slot().header().stack_limit();
        if here <= limit || here >= stack.end {
            let late = limit == NO_HOST_CALLS;
            return Err(Trap::bare(if late {
                TrapCode::Deadline
            } else {
                TrapCode::StackOverflow
            }));
        }
        let data = self.activation().data();
        // SAFETY: the data is lent for longer than this call; there is room on the stack.
        unsafe {
            call::call(self.slot(), func, values, data, ptr::null_mut(), CallOptions::default())
        }
    }

    /// Makes `range` of memory writable ahead of a system call that writes there.
    ///
    /// Memory that was not written in earlier calls is write-protected. Ordinary writes do not
    /// notice, but the kernel refuses to write there on behalf of a system call (`EFAULT`).
    pub fn touch(&mut self, range: Range<usize>) {
        touch(self.slot(), range);
    }

    /// The value that was set with [`Instance::set_host_data`](crate::Instance::set_host_data).
    pub fn host_data(&self) -> u64 {
        self.slot().header().host_data()
    }
}

impl CallingGuest<'_> {
    /// As [`Caller::touch`].
    pub fn touch(&mut self, range: Range<usize>) {
        touch(self.slot, range);
    }

    /// As [`Caller::host_data`].
    pub fn host_data(&self) -> u64 {
        self.slot.header().host_data()
    }
}

pub(crate) fn touch(slot: &Slot, range: Range<usize>) {
    // A failure shows again at the first write.
    let _ = slot.memory().make_writable(range);
}

impl Guest for Caller<'_> {
    #[inline]
    fn memory(&mut self) -> &mut [u8] {
        self.guest.memory()
    }

    #[inline]
    fn memory_and_heap(&mut self) -> (&mut [u8], Option<&mut Heap>) {
        self.guest.memory_and_heap()
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        self.guest.grow(delta)
    }

    fn max_pages(&self) -> Option<u32> {
        self.guest.max_pages()
    }
}

impl Guest for CallingGuest<'_> {
    #[inline]
    fn memory(&mut self) -> &mut [u8] {
        // SAFETY: the guest waits for this host function, and the slice borrows what leads to it.
        unsafe { &mut *self.slot.bytes() }
    }

    #[inline]
    fn memory_and_heap(&mut self) -> (&mut [u8], Option<&mut Heap>) {
        // SAFETY: as for `memory`; the heap is no part of memory.
        unsafe { (&mut *self.slot.bytes(), self.slot.heap().map(|heap| &mut *heap)) }
    }

    fn grow(&mut self, delta: u32) -> Option<u32> {
        self.slot.grow(delta)
    }

    fn max_pages(&self) -> Option<u32> {
        call::max_pages(self.slot)
    }
}
