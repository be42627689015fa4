//! Finds branches whose way through a dispatching loop is known beforehand.
//!
//! ```text
//! loop $l                                      loop $l
//!   block $1                                     block $1
//!     block $0                                     block $0
//!       local.get $next                              local.get $next
//!       br_table $0 $1                               br_table $0 $1
//!     end                                          end
//!     ... i32.const 1  local.set $next             ... i32.const 1  local.set $next
//!     br $l                              ->        jump to the code after `end $1`
//!   end                                          end
//!   ...                                          ...
//! end                                          end
//! ```
//!
//! WebAssembly has no jump from anywhere to anywhere. Go makes one of every jump: each of its
//! functions is such a loop, around a table of its basic blocks. LLVM writes control flow that is
//! not nested that way.
//!
//! The rule not to break: between the loop's start and its `br_table` nothing happens but that
//! blocks open and the local is read. So a branch to the loop with *k* in the local does what a
//! branch to the table's entry *k* does, which carries no values, as there are none. And *k* is in
//! the local for certain: a constant was written to it, and from there to the branch the code is
//! a line that nothing writes the local in and nothing leads into (no `loop`, `else` or `end`).
//! The local is written all the same; all other branches go through the table.
//!
//! Not here: what is made of it (`control.rs`), and validation. Where a body is not valid, what is
//! found up to there is of no matter, since translating it ends there.

use std::collections::{BTreeSet, HashMap};
use wasmparser::{BlockType, BrTable, FunctionBody, Operator};

/// The dispatching loops of a function, and the branches whose way through them is known.
#[derive(Default)]
pub(super) struct Dispatches {
    /// By the offset of their table, ascending.
    tables: Vec<(usize, Table)>,
    /// By their offset, ascending: the entry of the table, as its depth there.
    jumps: Vec<(usize, u32)>,
}

/// The table of a dispatching loop.
pub(super) struct Table {
    /// How many blocks there are between the loop and its table.
    pub blocks: u32,
    /// Those of them that are jumped to after their end, by their depth at the table.
    pub late: BTreeSet<u32>,
    /// Whether nothing goes around the loop to its table any more.
    pub entered_once: bool,
    local: u32,
    entries: Vec<u32>,
    default: u32,
    /// Blocks of it that have ended.
    ended: u32,
    /// Whether a branch goes another way.
    used: bool,
}

/// Blocks jumped to after their end, times the locals that may have to be merged in each, up to
/// which a function is changed: the code generator's time grows faster than they do. Met in Go's
/// functions: far less, since only the heads of its loops are such blocks.
const LATE_LOCALS: usize = 1 << 15;

impl Dispatches {
    /// Reads the body of a function with so many locals once.
    pub(super) fn new(body: &FunctionBody<'_>, locals: usize) -> Self {
        let mut scan = Scan::default();
        let Ok(mut operators) = body.get_operators_reader() else { return Self::default() };
        while !operators.eof() {
            let Ok((operator, offset)) = operators.read_with_offset() else { break };
            scan.operator(&operator, offset);
        }
        let Dispatches { mut tables, jumps } = scan.found;
        let late: usize = tables.iter().map(|(_, table)| table.late.len()).sum();
        if late.saturating_mul(locals) > LATE_LOCALS {
            return Self::default();
        }
        tables.retain(|(_, table)| table.used || table.entered_once);
        Self { tables, jumps }
    }

    /// The dispatching loop's table at this offset.
    pub(super) fn table(&self, offset: usize) -> Option<&Table> {
        let at = self.tables.binary_search_by_key(&offset, |(at, _)| *at).ok()?;
        Some(&self.tables[at].1)
    }

    /// Where the branch at this offset goes by the table of the loop that it names.
    pub(super) fn jump(&self, offset: usize) -> Option<u32> {
        let at = self.jumps.binary_search_by_key(&offset, |(at, _)| *at).ok()?;
        Some(self.jumps[at].1)
    }
}

impl Table {
    /// The depth at the table of what it has for `index`.
    fn entry(&self, index: i32) -> u32 {
        self.entries.get(index as u32 as usize).copied().unwrap_or(self.default)
    }
}

/// A body being read.
#[derive(Default)]
struct Scan {
    found: Dispatches,
    control: Vec<Frame>,
    start: Start,
    /// What the last operator pushed, if that is a constant.
    constant: Option<i32>,
    /// What locals are for certain.
    known: HashMap<u32, i32>,
}

/// One entry of the control stack. The number is that of a table.
#[derive(Clone, Copy)]
enum Frame {
    Plain,
    Loop(usize),
    Block(usize),
}

/// How much of the start of a dispatching loop has been read.
#[derive(Clone, Copy, Default)]
enum Start {
    #[default]
    Nothing,
    /// The loop, and so many blocks.
    Blocks(u32),
    /// A local, too.
    Index(u32, u32),
}

impl Scan {
    fn operator(&mut self, operator: &Operator<'_>, offset: usize) {
        let start = std::mem::take(&mut self.start);
        let constant = self.constant.take();
        match *operator {
            Operator::Loop { blockty } => {
                self.open();
                self.known.clear();
                if takes_nothing(blockty) {
                    self.start = Start::Blocks(0);
                }
            }
            Operator::Block { blockty } => {
                self.open();
                if let (Start::Blocks(blocks), true) = (start, takes_nothing(blockty)) {
                    self.start = Start::Blocks(blocks + 1);
                }
            }
            Operator::If { .. } => self.open(),
            Operator::Else => self.known.clear(),
            Operator::End => self.end(),
            Operator::LocalGet { local_index } => {
                if let Start::Blocks(blocks) = start {
                    self.start = Start::Index(blocks, local_index);
                }
            }
            Operator::I32Const { value } => self.constant = Some(value),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                match constant {
                    Some(constant) => self.known.insert(local_index, constant),
                    None => self.known.remove(&local_index),
                };
            }
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                self.branch(relative_depth, offset);
            }
            Operator::BrTable { ref targets } => self.br_table(targets, start, offset),
            _ => {}
        }
    }

    fn open(&mut self) {
        self.control.push(Frame::Plain);
    }

    fn end(&mut self) {
        self.known.clear();
        if let Some(Frame::Block(table)) = self.control.pop() {
            self.found.tables[table].1.ended += 1;
        }
    }

    /// The frame that `depth` names; the function itself is none.
    fn frame(&self, depth: u32) -> Option<Frame> {
        let at = self.control.len().checked_sub(depth as usize + 1)?;
        Some(self.control[at])
    }

    fn branch(&mut self, depth: u32, offset: usize) {
        let Some(Frame::Loop(table)) = self.frame(depth) else { return };
        let table = &mut self.found.tables[table].1;
        match self.known.get(&table.local).map(|index| table.entry(*index)) {
            Some(entry) if entry != table.blocks => {
                if entry < table.ended {
                    table.late.insert(entry);
                }
                table.used = true;
                self.found.jumps.push((offset, entry));
            }
            // Unknown, or the loop itself again.
            _ => table.entered_once = false,
        }
    }

    fn br_table(&mut self, targets: &BrTable<'_>, start: Start, offset: usize) {
        let Ok(entries) = targets.targets().collect::<Result<Vec<u32>, _>>() else { return };
        let default = targets.default();
        for depth in entries.iter().chain([&default]) {
            if let Some(Frame::Loop(table)) = self.frame(*depth) {
                self.found.tables[table].1.entered_once = false;
            }
        }
        let (Start::Index(blocks, local), false) = (start, entries.is_empty()) else { return };
        let number = self.found.tables.len();
        let top = self.control.len() - blocks as usize;
        self.control[top - 1] = Frame::Loop(number);
        self.control[top..].fill(Frame::Block(number));
        let entered_once = default != blocks && !entries.contains(&blocks);
        let late = BTreeSet::new();
        let (ended, used) = (0, false);
        let table = Table { blocks, late, entered_once, local, entries, default, ended, used };
        self.found.tables.push((offset, table));
    }
}

/// Whether a block takes no values, as far as its type says so here.
fn takes_nothing(ty: BlockType) -> bool {
    !matches!(ty, BlockType::FuncType(_))
}
