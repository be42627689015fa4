//! Calls as the bodies that they reach.
//!
//! ```text
//! call $f                 new locals: the arguments, zeros
//!            ->           block with the results of $f
//!                             operators of $f; `return` and branches to its end leave the block
//!                         end
//! ```
//!
//! The body is read again, validated and translated with the caller's in hand: no CLIF of it is
//! kept, and what the arguments are is known to it. A function that calls itself, over others too,
//! is not inlined within itself.
//!
//! The rule not to break: whatever a body's operators refer to by number is their own, not the
//! caller's: locals, jump tables' offsets, the function that errors name. Source locations are
//! positions, see [`lithify_abi::site`].

use super::{Translator, dispatch::Dispatches};
use crate::{
    error::CompileError,
    index::FuncIndex,
    inlining::{self, Price, Room},
    limits,
    module::Body,
};
use cranelift_codegen::ir::Value;
use lithify_abi::site::Inlined;

/// What is inlined in a function.
#[derive(Default)]
pub(super) struct Inlines {
    /// The bodies in the order in which they begin.
    pub bodies: Vec<Inlined>,
    /// What there may still be.
    room: Room,
    /// The functions around the current body, the outermost first.
    around: Vec<FuncIndex>,
    /// Locals of those.
    pub locals: usize,
    /// Whether the current body is there more than once.
    copied: bool,
    /// Where the body of the current function is in the control stack.
    frame: usize,
}

/// A body that is worth to be inlined.
pub(super) struct Inlinable<'m> {
    body: &'m Body<'m>,
    price: Price,
    /// The room that is left then.
    room: Room,
}

impl Inlines {
    /// None yet, and so much at most.
    pub fn new(room: Room) -> Self {
        Self { room, ..Self::default() }
    }
}

impl<'m> Translator<'m, '_> {
    /// The body to translate in place of a call of `callee`, if that is worth it.
    pub(super) fn inlinable(&self, callee: FuncIndex) -> Option<Inlinable<'m>> {
        let Inlines { around, room, copied, .. } = &self.inlines;
        let price = self.inlining.price(self.index, callee, self.loops() > 0, *copied)?;
        let body = self.module.body_of(callee)?;
        let room = room.after(price, body.range.len() as u64)?;
        // What is half spent on the way is left for the rest of the function.
        let cheap = self.steps <= self.most_steps / 2;
        let recursive = callee == self.index || around.contains(&callee);
        (cheap && !recursive && around.len() < inlining::DEPTH).then_some(Inlinable {
            body,
            room,
            price,
        })
    }

    /// Translates `body`, that of `callee`, with `arguments`; its results are on the stack then.
    pub(super) fn inline(
        &mut self,
        callee: FuncIndex,
        Inlinable { body, room, price }: Inlinable<'m>,
        arguments: &[Value],
    ) -> Result<(), CompileError> {
        let call = self.position();
        let (index, offset, shift) = (self.index, self.offset, self.shift);
        let Inlines { frame, locals: outer_locals, copied, .. } = self.inlines;
        let start = self.next_position;
        let len = body.range.len() as u32;
        self.inlines.bodies.push(Inlined { function: callee.as_u32(), len, call });
        self.inlines.around.push(index);
        self.inlines.room = room;
        self.inlines.copied |= price == Price::Copied;
        self.next_position += len;
        self.most_steps += limits::STEPS * u64::from(len);
        self.shift = start.wrapping_sub(body.range.start as u32);
        self.inlines.locals += self.locals.len();
        self.inlines.frame = self.control.len();
        self.index = callee;
        let locals = std::mem::take(&mut self.locals);
        let dispatches = std::mem::take(&mut self.dispatches);

        let done = self.body(body, arguments);

        self.dispatches = dispatches;
        self.locals = locals;
        (self.index, self.offset, self.shift) = (index, offset, shift);
        (self.inlines.frame, self.inlines.locals) = (frame, outer_locals);
        self.inlines.copied = copied;
        self.inlines.around.pop();
        done.map_err(|error| error.in_function(callee))
    }

    /// The depth of the frame that the results of the current body go to, if it is an inlined one.
    pub(super) fn inlined_end(&self) -> Option<u32> {
        let inlined = !self.inlines.around.is_empty();
        inlined.then(|| (self.control.len() - 1 - self.inlines.frame) as u32)
    }

    /// The position of the current operator.
    pub(super) fn position(&self) -> u32 {
        (self.offset as u32).wrapping_add(self.shift)
    }

    /// The locals that there are, those of the functions around among them.
    pub(super) fn all_locals(&self) -> usize {
        self.inlines.locals + self.locals.len()
    }

    pub(super) fn dispatches(&mut self, body: &Body<'_>) {
        self.dispatches = Dispatches::new(&body.body, self.all_locals());
    }
}
