//! Turns the text of an image back into instructions, and follows all control flow in it.
//!
//! Compiled code is as good a sandbox as its branches. [`branches`] believes nothing that the
//! compiler knows: it reads the finished file, starts where code can be entered, and takes every
//! way from there. What it proves is in [`Branches`]. It is for tests and for whoever wants to
//! look at an image; compiling does not need it.
//!
//! The rule not to break: an instruction that is not known to fall through, or whose targets
//! cannot be told, is a [`Stray`], never skipped.

mod aarch64;
mod image;
mod x86_64;

use image::{Image, Part};
use lithify_abi::machine::Machine;
use std::collections::BTreeSet;

/// What was found in an image in which nothing goes astray:
///
/// - a branch stays in its piece (a function, a stub or a trampoline) and meets an instruction;
/// - so does each target in each jump table, and the table is as long as the check before it says;
/// - a call meets the first instruction of a piece, and so do table elements, function records,
///   exports and the start function;
/// - an indirect branch is one through a jump table, or a stub's through the slot of an import;
/// - an indirect call is listed among the piece's sites, as all calls are, and a call through
///   memory goes through a slot;
/// - no instruction lies in another one or in a jump table, and none changes the processor's mode
///   or calls the system;
/// - traps listed among the sites lie on instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Branches {
    /// Functions, stubs and trampolines.
    pub pieces: usize,
    /// Instructions that can be reached.
    pub instructions: usize,
    /// Direct branches, conditional ones among them.
    pub branches: usize,
    /// Direct calls.
    pub calls: usize,
    /// Calls through a register or a slot.
    pub indirect_calls: usize,
    /// Jumps through a slot.
    pub slot_jumps: usize,
    /// Jump tables.
    pub tables: usize,
    /// Targets in jump tables, defaults among them.
    pub targets: usize,
}

impl std::ops::AddAssign for Branches {
    fn add_assign(&mut self, other: Self) {
        self.pieces += other.pieces;
        self.instructions += other.instructions;
        self.branches += other.branches;
        self.calls += other.calls;
        self.indirect_calls += other.indirect_calls;
        self.slot_jumps += other.slot_jumps;
        self.tables += other.tables;
        self.targets += other.targets;
    }
}

/// Why [`branches`] does not vouch for an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stray {
    /// The file is no image of this release.
    #[error("not an image: {0}")]
    Image(String),

    /// Control can go where it should not.
    #[error("at {place:#x} in the text, in the piece that starts at {piece:#x}: {message}")]
    Code {
        /// Offset in the text, in bytes.
        place: u64,
        /// Start of the function, stub or trampoline, likewise.
        piece: u64,
        /// What is wrong there.
        message: String,
    },

    /// A record or a table names code that does not start a piece.
    #[error("{what} names code at {place:#x} in the text, where nothing starts")]
    Entry {
        /// What names it.
        what: &'static str,
        /// Offset in the text, in bytes.
        place: u64,
    },
}

/// Follows all control flow in an image that [`compile`](crate::compile) made.
///
/// # Errors
///
/// [`Stray`], for the first thing that is not as [`Branches`] says.
pub fn branches(image: &[u8]) -> Result<Branches, Stray> {
    let image = Image::read(image)?;
    let decoder: Box<dyn Decode> = match image.machine {
        Machine::X86_64 => Box::new(x86_64::Decoder::new().map_err(Stray::Image)?),
        Machine::Aarch64 => Box::new(aarch64::Decoder),
    };
    let mut found = Branches::default();
    for part in &image.parts {
        let mut walk = Walk {
            image: &image,
            part,
            state: vec![State::Unseen; part.code.len()],
            todo: vec![0],
            returns: BTreeSet::new(),
            run: Vec::new(),
            found: &mut found,
        };
        walk.all(&*decoder).map_err(|(at, message)| Stray::Code {
            place: part.start + at as u64,
            piece: part.start,
            message,
        })?;
    }
    for (what, place) in &image.entries {
        if !image.starts_piece(*place) {
            return Err(Stray::Entry { what, place: *place });
        }
    }
    Ok(found)
}

/// How control leaves an instruction. Places are offsets from the piece's start, and may lie
/// outside it; slots are addresses.
enum Flow {
    /// It goes on behind it.
    On,
    /// It goes on, or there.
    Branch(i64),
    /// It goes there.
    Jump(i64),
    /// It goes there and comes back.
    Call(i64),
    /// It goes where a register says, and comes back.
    CallRegister,
    /// It goes where a slot says, and comes back.
    CallSlot(u64),
    /// It goes where a slot says.
    JumpSlot(u64),
    /// It goes to one of so many places, whose distances from the table stand behind it.
    Table(usize),
    /// It returns, or traps.
    End,
}

/// An instruction set.
trait Decode {
    /// Length and flow of the last instruction in `run`; those before it lead up to it.
    fn decode(&self, part: &Part<'_>, run: &[usize]) -> Result<(usize, Flow), String>;
}

/// What is known of a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    /// An instruction starts here.
    Start,
    /// The rest of one.
    Inside,
    /// Of a jump table.
    Table,
}

/// The way through one piece.
struct Walk<'a, 'i> {
    image: &'a Image<'i>,
    part: &'a Part<'i>,
    state: Vec<State>,
    /// Places from which the way goes on.
    todo: Vec<usize>,
    /// Where calls return to.
    returns: BTreeSet<usize>,
    /// The instructions that lead up to the present one, without a branch that is always taken.
    run: Vec<usize>,
    found: &'a mut Branches,
}

/// A place in the piece, and what is wrong there.
type Fault = (usize, String);

impl Walk<'_, '_> {
    fn all(&mut self, decoder: &dyn Decode) -> Result<(), Fault> {
        self.found.pieces += 1;
        while let Some(at) = self.todo.pop() {
            self.run.clear();
            let mut next = Some(at);
            while let Some(at) = next {
                if self.state.get(at) == Some(&State::Start) {
                    break;
                }
                next = self.step(decoder, at)?;
            }
        }
        self.sites()
    }

    /// Takes the instruction at `at`; where the next one is, if control goes on behind it.
    fn step(&mut self, decoder: &dyn Decode, at: usize) -> Result<Option<usize>, Fault> {
        let fault = |message: String| (at, message);
        if at >= self.part.code.len() {
            return Err(fault("control runs out of the piece".into()));
        }
        self.run.push(at);
        let (len, flow) = decoder.decode(self.part, &self.run).map_err(fault)?;
        let end = at + len;
        self.mark(at, end, State::Start)?;
        self.found.instructions += 1;
        match flow {
            Flow::On => {}
            Flow::Branch(to) => {
                self.found.branches += 1;
                self.go(at, to)?;
            }
            Flow::Jump(to) => {
                self.found.branches += 1;
                self.go(at, to)?;
                return Ok(None);
            }
            Flow::Call(to) => {
                self.found.calls += 1;
                self.returns.insert(end);
                let place = to + self.part.start as i64;
                if !u64::try_from(place).is_ok_and(|place| self.image.starts_piece(place)) {
                    return Err(fault(format!("a call to {place:#x}, where nothing starts")));
                }
            }
            Flow::CallRegister => {
                self.found.indirect_calls += 1;
                self.returns.insert(end);
            }
            Flow::CallSlot(slot) => {
                self.found.indirect_calls += 1;
                self.returns.insert(end);
                self.slot(at, slot)?;
            }
            Flow::JumpSlot(slot) => {
                self.found.slot_jumps += 1;
                self.slot(at, slot)?;
                return Ok(None);
            }
            Flow::Table(len) => {
                self.table(at, end, len)?;
                return Ok(None);
            }
            Flow::End => return Ok(None),
        }
        Ok(Some(end))
    }

    /// Claims `start..end` for an instruction or a table.
    fn mark(&mut self, start: usize, end: usize, state: State) -> Result<(), Fault> {
        let bytes = self.state.get_mut(start..end);
        let bytes = bytes.ok_or((start, "an end beyond that of the piece".to_owned()))?;
        if bytes.iter().any(|byte| *byte != State::Unseen) {
            return Err((start, "an instruction or a table within another".into()));
        }
        bytes.fill(if state == State::Start { State::Inside } else { state });
        if let (Some(first), State::Start) = (bytes.first_mut(), state) {
            *first = State::Start;
        }
        Ok(())
    }

    /// Goes from `at` to `to`, later.
    fn go(&mut self, at: usize, to: i64) -> Result<(), Fault> {
        match usize::try_from(to) {
            Ok(to) if to < self.part.code.len() => {
                self.todo.push(to);
                Ok(())
            }
            _ => Err((at, format!("a branch out of the piece, to {to:#x} from its start"))),
        }
    }

    /// Goes to all targets of the table at `table`.
    fn table(&mut self, at: usize, table: usize, len: usize) -> Result<(), Fault> {
        self.mark(table, table + len * 4, State::Table)?;
        self.found.tables += 1;
        self.found.targets += len;
        let mut targets = BTreeSet::new();
        for entry in self.part.code[table..table + len * 4].as_chunks().0 {
            targets.insert(table as i64 + i64::from(i32::from_le_bytes(*entry)));
        }
        targets.into_iter().try_for_each(|to| self.go(at, to))
    }

    fn slot(&self, at: usize, slot: u64) -> Result<(), Fault> {
        match self.image.is_slot(slot) {
            true => Ok(()),
            false => Err((at, format!("a jump through {slot:#x}, which is no slot"))),
        }
    }

    /// Compares the piece's sites with what was met.
    fn sites(&self) -> Result<(), Fault> {
        let mut calls = BTreeSet::new();
        for (at, call) in &self.part.sites {
            if *call {
                calls.insert(*at);
            } else if self.state.get(*at) != Some(&State::Start) {
                return Err((*at, "a trap site without an instruction".into()));
            }
        }
        match calls.symmetric_difference(&self.returns).next() {
            Some(at) => Err((*at, "a call without a site, or a site without a call".into())),
            None => Ok(()),
        }
    }
}
