//! A call into a guest that has not returned: how to leave it, and what it was left with.
//!
//! Activations live on the host's stack, in a list that starts in a thread-local cell. The
//! signal handler reads that list and writes into the newest one, so everything it needs is a
//! plain cell, made before the guest starts.

use crate::image::loaded::Loaded;
use crate::slot::Slot;
use crate::slot::header::Exit;
use crate::sys::arch::{self, Registers, SaveArea};
use crate::sys::linux::alarm;
use crate::trap::{Frame, Trap};
use lithify_abi::descriptor::{Function, NONE};
use lithify_abi::site::{Place, Sites};
use lithify_abi::trap::TrapCode;
use std::any::{Any, TypeId};
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr;

/// How many frames of a backtrace are kept, from the innermost on; those on the stack may be fewer.
const MAX_FRAMES: usize = 64;

/// What an embedder lends to the host functions of a call.
#[derive(Clone, Copy)]
pub struct Data {
    pub value: *mut dyn Any,
    /// The type of `value`, which costs a call to ask it for.
    pub ty: TypeId,
}

impl Data {
    /// Notes what is lent.
    #[inline]
    pub fn new(value: &mut dyn Any) -> Self {
        Self { ty: (*value).type_id(), value }
    }
}

/// A call into a guest.
pub struct Activation {
    /// Where `enter` was called.
    save: SaveArea,
    slot: *const Slot,
    /// The activation of this thread that is below this one, of any slot.
    parent: Cell<*const Self>,
    /// The activation of the same slot that is below this one.
    outer: *const Self,
    /// The host call of `outer` that made this call.
    outer_exit: Exit,
    /// When the guest has to be left: this call's deadline or one of the calls around it, whichever
    /// is first. A time of [`alarm`].
    deadline: Cell<u64>,
    data: Data,
    code: Cell<TrapCode>,
    message: Cell<Option<String>>,
    frames: Frames,
}

struct Frames {
    len: Cell<usize>,
    /// Whether the first address is that of an instruction that faulted; all others are return
    /// addresses.
    faulted: Cell<bool>,
    pcs: UnsafeCell<MaybeUninit<[usize; MAX_FRAMES]>>,
}

thread_local! {
    static CURRENT: Cell<*const Activation> = const { Cell::new(ptr::null()) };
}

/// The newest activation of this thread, or null. Safe to call in a signal handler.
pub fn current() -> *const Activation {
    CURRENT.get()
}

impl Activation {
    /// A call into `slot` that gives host functions `data` and is left at `deadline`, a time of
    /// [`alarm`], which this thread was prepared for if there is one.
    pub fn new(slot: &Slot, data: Data, deadline: u64) -> Self {
        Self {
            save: SaveArea::default(),
            slot: ptr::from_ref(slot),
            parent: Cell::new(ptr::null()),
            outer: slot.activation(),
            outer_exit: slot.header().exit(),
            deadline: Cell::new(deadline),
            data,
            code: Cell::new(TrapCode::Unreachable),
            message: Cell::new(None),
            frames: Frames {
                len: Cell::new(0),
                faulted: Cell::new(false),
                pcs: UnsafeCell::new(MaybeUninit::uninit()),
            },
        }
    }

    /// Runs `entry(base, callee, values)` on the stack that ends at `stack_top`, or on this one
    /// when that is null.
    ///
    /// # Safety
    ///
    /// As for [`arch::enter`]; the slot of this activation is the one of the code.
    #[inline]
    pub unsafe fn run(
        &self,
        entry: *const u8,
        callee: *const u8,
        values: *mut u128,
        stack_top: *mut u8,
    ) -> Result<(), Trap> {
        let slot = self.slot();
        let parent = current();
        self.parent.set(parent);
        // SAFETY: activations below this one live until their calls return.
        let around = unsafe { parent.as_ref() }.map_or(alarm::NEVER, |p| p.deadline.get());
        let own = self.deadline.get() < around;
        if !own {
            self.deadline.set(around);
        }
        CURRENT.set(self);
        slot.set_activation(self);
        if own {
            alarm::set(self.deadline.get());
        }
        // SAFETY: the caller vouches for code, values and stack.
        let left = unsafe {
            arch::enter(&raw const self.save, entry, slot.base(), callee, values, stack_top)
        };
        slot.check_canaries();
        slot.set_activation(self.outer);
        CURRENT.set(parent);
        if own {
            alarm::set(around);
        }
        if self.deadline.get() != alarm::NEVER {
            // From here on the handler looks at the calls around this one.
            slot.header().allow_host_calls(slot.reservation().stack().start);
        }
        if self.outer.is_null() {
            // SAFETY: no call is active on the slot any more.
            unsafe { slot.reservation().close_room() };
        } else {
            slot.header().set_exit(self.outer_exit);
        }
        if left == 0 {
            return Ok(());
        }
        if let Some(around) = self.parent().filter(|around| around.is_overdue()) {
            // The signal that ended this call was for that one.
            around.slot().header().forbid_host_calls();
        }
        Err(self.trap())
    }

    /// The slot that runs.
    pub fn slot(&self) -> &Slot {
        // SAFETY: a slot outlives its activations, which live in a call on it.
        unsafe { &*self.slot }
    }

    /// What the embedder passed to the call.
    #[inline]
    pub fn data(&self) -> Data {
        self.data
    }

    /// The activation of this thread that is below this one.
    pub fn parent(&self) -> Option<&Self> {
        // SAFETY: activations below this one live until their calls return.
        unsafe { self.parent.get().as_ref() }
    }

    /// Whether the guest has to be left by now. Safe to call in a signal handler.
    pub fn is_overdue(&self) -> bool {
        let deadline = self.deadline.get();
        deadline != alarm::NEVER && alarm::has_come(deadline)
    }

    /// Where `raise` returns to.
    pub fn host_sp(&self) -> usize {
        self.save.host_sp.get()
    }

    /// Records why the guest is left from a host call or libcall, and from where.
    pub fn stop(&self, code: TrapCode, message: Option<String>) {
        self.code.set(code);
        self.message.set(message);
        self.frames.len.set(0);
        self.frames.faulted.set(false);
        let exit = self.slot().header().exit();
        // SAFETY: the stub that made this call has just stored the exit.
        unsafe { self.capture_from_exit(exit) };
    }

    /// Records that the guest faulted. Safe to call in a signal handler.
    pub fn fault(&self, code: TrapCode, registers: &Registers, in_stub: bool) {
        self.code.set(code);
        self.frames.len.set(0);
        self.frames.faulted.set(!in_stub);
        if in_stub {
            // A stub has no frame of its own: its caller's address is in the link register or
            // on top of the stack.
            let pc = registers.link.or_else(|| self.stack_word(registers.sp)).unwrap_or(0);
            self.capture(pc, registers.fp);
        } else {
            self.capture(registers.pc, registers.fp);
        }
    }

    unsafe fn capture_from_exit(&self, exit: Exit) {
        self.capture(self.exit_pc(exit), exit.fp);
    }

    fn capture(&self, pc: usize, fp: usize) {
        self.follow(pc, fp, &mut |pc| self.push(pc));
    }

    /// Where a host call of the guest returns to.
    fn exit_pc(&self, exit: Exit) -> usize {
        match exit.pc {
            0 => self.stack_word(exit.sp).unwrap_or(0),
            pc => pc,
        }
    }

    /// Notes the guest's frames as a signal found them, the innermost first, and returns how many: where
    /// it was in the guest itself, and return addresses. Safe to call in a signal handler.
    pub fn interrupted(&self, registers: &Registers, frames: &mut [usize]) -> usize {
        let mut len = 0;
        let mut push = into(frames, &mut len);
        let (slot, image) = (self.slot(), self.slot().image());
        let (pc, fp) = match image.text_offset(registers.pc) {
            Some(code) => {
                let function = image.function_at(code).map(|(function, _)| function);
                match function.filter(|function| function.index != NONE) {
                    Some(function) if function.code != code => (registers.pc, registers.fp),
                    none_or_begun => {
                        // A function that begins has no frame yet, and a stub has none ever.
                        if none_or_begun.is_some() {
                            push(registers.pc);
                        }
                        let pc = registers.link.or_else(|| self.stack_word(registers.sp));
                        (pc.unwrap_or(0), registers.fp)
                    }
                }
            }
            None => {
                // A host function runs below the guest's frames, what is around the guest elsewhere.
                let exit = slot.header().exit();
                let stack = slot.reservation().stack_guard().start..=exit.sp;
                if exit.sp > slot.reservation().stack().end || !stack.contains(&registers.sp) {
                    return 0;
                }
                (self.exit_pc(exit), exit.fp)
            }
        };
        self.follow(pc, fp, &mut push);
        drop(push);
        len
    }

    /// Notes the guest's frames around the host function that runs, the innermost first, and returns how
    /// many: return addresses.
    pub fn calling(&self, frames: &mut [usize]) -> usize {
        let exit = self.slot().header().exit();
        let mut len = 0;
        if exit.sp > self.slot().reservation().stack().end {
            return 0;
        }
        self.follow(self.exit_pc(exit), exit.fp, &mut into(frames, &mut len));
        len
    }

    /// Follows the chain of frames, then that of the activation that called the host function
    /// that made this call, and so on, until `push` wants no more.
    fn follow(&self, pc: usize, fp: usize, push: &mut impl FnMut(usize) -> bool) {
        self.walk(self, pc, fp, push);
        let mut inner = self;
        // SAFETY: outer activations of a slot outlive the inner ones.
        while let Some(outer) = unsafe { inner.outer.as_ref() } {
            let exit = inner.outer_exit;
            self.walk(outer, self.exit_pc(exit), exit.fp, push);
            inner = outer;
        }
    }

    /// Follows one chain of frames up to the entry of `activation`.
    fn walk(
        &self,
        activation: &Self,
        mut pc: usize,
        mut fp: usize,
        push: &mut impl FnMut(usize) -> bool,
    ) {
        let image = self.slot().image();
        loop {
            if image.text_offset(pc).is_some() && !push(pc) {
                return;
            }
            if fp == activation.save.entry_fp.get() {
                return;
            }
            let (Some(next), Some(link)) = (self.stack_word(fp), self.stack_word(fp + 8)) else {
                return;
            };
            // The stack grows down, so frames rise until the entry, whose frame may lie on
            // another stack.
            if next <= fp && next != activation.save.entry_fp.get() {
                return;
            }
            (fp, pc) = (next, link);
        }
    }

    fn push(&self, pc: usize) -> bool {
        let len = self.frames.len.get();
        if len == MAX_FRAMES {
            return false;
        }
        // SAFETY: in bounds; only this thread touches the array, and not elsewhere now.
        unsafe { self.frames.pcs.get().cast::<usize>().add(len).write(pc) };
        self.frames.len.set(len + 1);
        true
    }

    /// The word at `address` if it is on the guest stack.
    fn stack_word(&self, address: usize) -> Option<usize> {
        let stack = self.slot().reservation().stack();
        let inside = stack.start <= address && address <= stack.end - size_of::<usize>();
        if !inside || !address.is_multiple_of(size_of::<usize>()) {
            return None;
        }
        // SAFETY: the guest stack is readable, and the word lies in it, aligned.
        Some(unsafe { (address as *const usize).read() })
    }

    /// The trap that was recorded.
    #[cold]
    fn trap(&self) -> Trap {
        let image = self.slot().image();
        let frames = (0..self.frames.len.get()).flat_map(|index| {
            // SAFETY: the first `len` addresses were written, and nobody writes any more.
            let pc = unsafe { self.frames.pcs.get().cast::<usize>().add(index).read() };
            frames(image, pc, index == 0 && self.frames.faulted.get()).into_iter().flatten()
        });
        let backtrace = frames.take(MAX_FRAMES).collect();
        Trap { code: self.code.get(), message: self.message.take(), backtrace }
    }
}

/// The guest functions at `pc`, the innermost first, of which that one faulted there or is called from
/// the instruction before, and the others had its body in place of a call.
fn frames(image: &Loaded, pc: usize, faulted: bool) -> Option<Vec<Frame>> {
    let code = image.text_offset(pc)?;
    let (function, end) = image.function_at(if faulted { code } else { code.checked_sub(1)? })?;
    if function.index == NONE {
        return None;
    }
    let frame = |function: &Function, offset| Frame {
        func_index: function.index,
        name: image.function_name(function).to_owned(),
        wasm_offset: offset,
    };
    let sites = Sites::new(image.sites(function.sites, end), function.body);
    let code = code - function.code;
    let position = match faulted {
        true => sites.clone().trap(code).map(|(_, position)| position),
        false => sites.clone().call(code),
    };
    let Some(position) = position else { return Some(vec![frame(&function, None)]) };
    let frames = sites.places(position).filter_map(|place| match place {
        Place::Own(offset) => Some(frame(&function, Some(offset))),
        Place::Inlined { function, offset } => {
            let function = image.function(function)?;
            Some(frame(&function, function.body.checked_add(offset)))
        }
    });
    Some(frames.take(MAX_FRAMES).collect())
}

/// What puts frames into `frames` behind the `len` that are there, and says whether there was room.
fn into<'f>(frames: &'f mut [usize], len: &'f mut usize) -> impl FnMut(usize) -> bool {
    |pc| {
        let place = frames.get_mut(*len);
        *len += usize::from(place.is_some());
        place.map(|place| *place = pc).is_some()
    }
}
