//! Runs a body on what is known of values.
//!
//! Where what is known does not decide a branch, both ways are run, so that what holds in the end holds
//! whichever it was.

use super::{
    Case, MARGIN,
    value::{Byte, Comparison, Sum, Value},
};
use crate::short::{Bulk, LONGEST};
use lithify_abi::types::FuncType;
use std::ops::Range;
use wasmparser::{BinaryReaderError, BlockType, FunctionBody, MemArg, Operator};

/// Branches of one run that are taken both ways, at most.
const UNDECIDED: u32 = 4;
/// Operators of one run. The slowest way is some ten for a byte.
const STEPS: u32 = 40 * LONGEST;
/// Locals of a body.
const LOCALS: u32 = 256;
/// Targets of a `br_table`, which are read one after the other.
const TARGETS: u32 = 2 * LONGEST;

/// What a fill stores, as an i32 of which the lowest byte counts.
const FILLER: [Byte; 8] = {
    let zero = Byte::Constant(0);
    [Byte::Source(0), Byte::Unknown, Byte::Unknown, Byte::Unknown, zero, zero, zero, zero]
};

/// A body that may be run.
pub struct Program<'a> {
    /// What it might do: what loads nothing may fill.
    pub bulk: Bulk,
    /// Its parameters: three, or two of what fills with zeros.
    params: usize,
    operators: Vec<Operator<'a>>,
    /// Where the block that begins at an operator ends, and, for `if`, where `else` is.
    ends: Vec<End>,
    locals: usize,
    /// Whether it returns a value.
    results: usize,
}

#[derive(Clone, Copy, Default)]
struct End {
    end: usize,
    or_else: Option<usize>,
}

/// Why a run proves nothing.
struct NoCopy;

type Result<T> = std::result::Result<T, NoCopy>;

impl<'a> Program<'a> {
    /// Reads a body; none if it does what no copy does, or more than so many operators.
    pub fn new(body: &FunctionBody<'a>, ty: &FuncType, most: usize) -> Option<Self> {
        Self::read(body, ty, most).ok().flatten()
    }

    fn read(
        body: &FunctionBody<'a>,
        ty: &FuncType,
        most: usize,
    ) -> std::result::Result<Option<Self>, BinaryReaderError> {
        let (params, results) = (ty.params.len(), ty.results.len());
        let mut locals = params as u64;
        for declared in body.get_locals_reader()? {
            locals += u64::from(declared?.0);
        }
        if locals > u64::from(LOCALS) {
            return Ok(None);
        }
        let (mut operators, mut ends, mut open) = (Vec::new(), Vec::new(), Vec::new());
        let (mut loads, mut stores) = (false, false);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let operator = reader.read()?;
            let at = operators.len();
            ends.push(End::default());
            match &operator {
                Operator::Block { blockty }
                | Operator::Loop { blockty }
                | Operator::If { blockty } => {
                    if matches!(blockty, BlockType::FuncType(_)) {
                        return Ok(None);
                    }
                    open.push(at);
                }
                Operator::Else => match open.last() {
                    Some(start) => ends[*start].or_else = Some(at),
                    None => return Ok(None),
                },
                Operator::End => {
                    if let Some(start) = open.pop() {
                        ends[start].end = at;
                        if let Some(or_else) = ends[start].or_else {
                            ends[or_else].end = at;
                        }
                    }
                }
                Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::GlobalSet { .. }
                | Operator::MemoryGrow { .. } => return Ok(None),
                Operator::BrTable { targets } if targets.len() > TARGETS => return Ok(None),
                Operator::I32Load8U { .. } => loads = true,
                Operator::I32Store8 { .. } => stores = true,
                _ => {}
            }
            if at >= most {
                return Ok(None);
            }
            operators.push(operator);
        }
        // Bytes are what every copy has to do with.
        let bulk = if loads { Bulk::Copy } else { Bulk::Fill };
        let this = Self { bulk, params, operators, ends, locals: locals as usize, results };
        let fits = stores && (bulk == Bulk::Fill || params == 3);
        Ok((fits && open.is_empty()).then_some(this))
    }

    /// Whether it does nothing but copy, or fill, in such a case. `steps` are the operators that may still be
    /// run.
    pub fn does_it(&self, case: Case, steps: &mut u32) -> bool {
        let mut taken = 0u32;
        loop {
            let mut run = Run::new(self, case, taken);
            if run.run(self, steps).is_err() {
                return false;
            }
            // The next way differs in the last decision that was "no".
            let mut decisions = (0..run.decisions).rev();
            let Some(next) = decisions.find(|at| taken & (1 << at) == 0) else { return true };
            taken = (taken & ((1 << next) - 1)) | 1 << next;
        }
    }
}

/// A label that branches lead to.
#[derive(Clone, Copy)]
struct Label {
    /// Where a branch to it goes on.
    target: usize,
    is_loop: bool,
    /// Values that lie on the stack below it, and that a branch carries.
    height: usize,
    arity: usize,
}

struct Run {
    case: Case,
    locals: Vec<Value>,
    stack: Vec<Value>,
    labels: Vec<Label>,
    /// What was stored.
    to: [Byte; LONGEST as usize],
    /// What to decide where nothing else decides, a bit each, and how many were needed.
    taken: u32,
    decisions: u32,
}

impl Run {
    fn new(program: &Program<'_>, case: Case, taken: u32) -> Self {
        let mut locals = vec![Value::Constant(0); program.locals];
        let other = match program.bulk {
            Bulk::Copy => Sum::FROM.into(),
            Bulk::Fill => Value::Bytes(FILLER),
        };
        let params = [Sum::TO.into(), other, Value::Constant(case.len.into())];
        let params = if program.params == 2 { &[params[0], params[2]] } else { &params[..] };
        locals[..params.len()].copy_from_slice(params);
        let to = [Byte::Unknown; LONGEST as usize];
        Self { case, locals, stack: vec![], labels: vec![], to, taken, decisions: 0 }
    }

    /// Runs to the end and looks at what came of it.
    fn run(&mut self, program: &Program<'_>, steps: &mut u32) -> Result<()> {
        let end = program.operators.len();
        let arity = program.results;
        self.labels.push(Label { target: end, is_loop: false, height: 0, arity });
        let mut left = STEPS;
        let mut at = 0;
        while at < end {
            *steps = steps.checked_sub(1).ok_or(NoCopy)?;
            left = left.checked_sub(1).ok_or(NoCopy)?;
            at = self.operator(program, at)?;
        }
        let result = if program.results == 1 { self.pop()? } else { Sum::TO.into() };
        let wanted = |at: usize| match (program.bulk, program.params) {
            (Bulk::Copy, _) => Byte::Source(at as u8),
            (Bulk::Fill, 3) => Byte::Source(0),
            (Bulk::Fill, _) => Byte::Constant(0),
        };
        let done = (self.to.iter().take(self.case.len as usize).enumerate())
            .all(|(at, byte)| *byte == wanted(at));
        if done && result == Sum::TO.into() { Ok(()) } else { Err(NoCopy) }
    }

    /// Runs one operator; returns where the next one is.
    fn operator(&mut self, program: &Program<'_>, at: usize) -> Result<usize> {
        use Operator as O;
        let End { end, or_else } = program.ends[at];
        match &program.operators[at] {
            O::Nop => {}
            O::Block { blockty } => self.enter(end + 1, false, blockty),
            O::Loop { blockty } => self.enter(at + 1, true, blockty),
            O::If { blockty } => {
                let condition = self.condition()?;
                self.enter(end + 1, false, blockty);
                match (condition, or_else) {
                    (true, _) => {}
                    (false, Some(or_else)) => return Ok(or_else + 1),
                    (false, None) => return Ok(end),
                }
            }
            O::Else => return Ok(end),
            O::End => {
                self.labels.pop().ok_or(NoCopy)?;
            }
            O::Br { relative_depth } => return self.branch(*relative_depth),
            O::BrIf { relative_depth } => {
                if self.condition()? {
                    return self.branch(*relative_depth);
                }
            }
            O::BrTable { targets } => {
                let Value::Constant(index) = self.pop()? else { return Err(NoCopy) };
                let target = match index < u64::from(targets.len()) {
                    true => targets.targets().nth(index as usize).ok_or(NoCopy)?,
                    false => Ok(targets.default()),
                };
                return self.branch(target.map_err(|_| NoCopy)?);
            }
            O::Return => {
                return self.branch(self.labels.len().checked_sub(1).ok_or(NoCopy)? as u32);
            }
            O::Drop => drop(self.pop()?),
            O::Select => {
                let condition = self.condition()?;
                let (b, a) = (self.pop()?, self.pop()?);
                self.stack.push(if condition { a } else { b });
            }
            O::LocalGet { local_index } => {
                let value = *self.locals.get(*local_index as usize).ok_or(NoCopy)?;
                self.stack.push(value);
            }
            O::LocalSet { local_index } => {
                let value = self.pop()?;
                *self.locals.get_mut(*local_index as usize).ok_or(NoCopy)? = value;
            }
            O::LocalTee { local_index } => {
                let value = *self.stack.last().ok_or(NoCopy)?;
                *self.locals.get_mut(*local_index as usize).ok_or(NoCopy)? = value;
            }
            // Whatever its type is: nothing is known of it, and operators of i64 forget the rest.
            O::GlobalGet { global_index } => {
                self.stack.push(Sum { global: (*global_index, 1), ..Sum::default() }.into());
            }
            O::I32Const { value } => self.stack.push(Value::Constant((*value as u32).into())),
            O::I64Const { value } => self.stack.push(Value::Constant(*value as u64)),
            O::I32Eqz => {
                self.stack.push(Value::Constant(0));
                self.compare(Comparison::Same, false, false)?;
            }
            O::I32Eq => self.compare(Comparison::Same, false, false)?,
            O::I32Ne => self.compare(Comparison::Same, false, true)?,
            O::I32LtU => self.compare(Comparison::Less, false, false)?,
            O::I32GeU => self.compare(Comparison::Less, false, true)?,
            O::I32GtU => self.compare(Comparison::Less, true, false)?,
            O::I32LeU => self.compare(Comparison::Less, true, true)?,
            O::I32LtS => self.compare_signed(|a, b| a < b)?,
            O::I32GeS => self.compare_signed(|a, b| a >= b)?,
            O::I32GtS => self.compare_signed(|a, b| a > b)?,
            O::I32LeS => self.compare_signed(|a, b| a <= b)?,
            O::I32Add => self.binary(|a, b, _| a.add(b))?,
            O::I32Sub => self.binary(|a, b, _| a.sub(b))?,
            O::I32Mul => self.binary(|a, b, _| a.mul(b, 32))?,
            O::I32And => self.binary(Value::and)?,
            O::I32Or => self.binary(Value::or)?,
            O::I32Xor => self.binary(Value::xor)?,
            O::I32Shl => self.binary(|a, b, _| a.shl(b, 32))?,
            O::I32ShrU => self.binary(|a, b, _| a.shr(b, 32))?,
            O::I64Mul => self.binary(|a, b, _| a.wide().mul(b.wide(), 64))?,
            O::I64And => self.binary(|a, b, case| a.wide().and(b.wide(), case))?,
            O::I64Or => self.binary(|a, b, case| a.wide().or(b.wide(), case))?,
            O::I64Shl => self.binary(|a, b, _| a.wide().shl(b, 64))?,
            O::I64ShrU => self.binary(|a, b, _| a.wide().shr(b, 64))?,
            O::I64ExtendI32U => {
                let value = self.pop()?.wide();
                self.stack.push(value);
            }
            O::I32WrapI64 => {
                let value = self.pop()?.wide().and(Value::Constant(u32::MAX.into()), self.case);
                self.stack.push(value);
            }
            O::I32Load8U { memarg } | O::I64Load8U { memarg } => self.load(memarg, 1)?,
            O::I32Load16U { memarg } | O::I64Load16U { memarg } => self.load(memarg, 2)?,
            O::I32Load { memarg } | O::I64Load32U { memarg } => self.load(memarg, 4)?,
            O::I64Load { memarg } => self.load(memarg, 8)?,
            O::I32Store8 { memarg } | O::I64Store8 { memarg } => self.store(memarg, 1)?,
            O::I32Store16 { memarg } | O::I64Store16 { memarg } => self.store(memarg, 2)?,
            O::I32Store { memarg } | O::I64Store32 { memarg } => self.store(memarg, 4)?,
            O::I64Store { memarg } => self.store(memarg, 8)?,
            _ => return Err(NoCopy),
        }
        Ok(at + 1)
    }

    fn pop(&mut self) -> Result<Value> {
        self.stack.pop().ok_or(NoCopy)
    }

    fn enter(&mut self, target: usize, is_loop: bool, ty: &BlockType) {
        let arity = usize::from(!is_loop && !matches!(ty, BlockType::Empty));
        self.labels.push(Label { target, is_loop, height: self.stack.len(), arity });
    }

    fn branch(&mut self, depth: u32) -> Result<usize> {
        let at = self.labels.len().checked_sub(depth as usize + 1).ok_or(NoCopy)?;
        let Label { target, is_loop, height, arity } = self.labels[at];
        let carried = self.stack.len().checked_sub(arity).ok_or(NoCopy)?;
        if carried < height {
            return Err(NoCopy);
        }
        self.stack.drain(height..carried);
        self.labels.truncate(at + usize::from(is_loop));
        Ok(target)
    }

    /// Pops a condition and decides it.
    fn condition(&mut self) -> Result<bool> {
        let value = self.pop()?;
        match value.compare(Comparison::Same, Value::Constant(0), self.case) {
            Value::Constant(zero) => Ok(zero == 0),
            _ => {
                let decision = self.decisions;
                self.decisions += 1;
                if decision == UNDECIDED {
                    Err(NoCopy)
                } else {
                    Ok(self.taken & (1 << decision) != 0)
                }
            }
        }
    }

    fn binary(&mut self, of: impl Fn(Value, Value, Case) -> Value) -> Result<()> {
        let (b, a) = (self.pop()?, self.pop()?);
        self.stack.push(of(a, b, self.case));
        Ok(())
    }

    fn compare(&mut self, comparison: Comparison, swapped: bool, negated: bool) -> Result<()> {
        self.binary(|a, b, case| {
            let (a, b) = if swapped { (b, a) } else { (a, b) };
            match a.compare(comparison, b, case) {
                Value::Constant(holds) => Value::from((holds != 0) != negated),
                _ => Value::Unknown,
            }
        })
    }

    fn compare_signed(&mut self, of: impl Fn(i32, i32) -> bool) -> Result<()> {
        self.binary(|a, b, _| match (a, b) {
            (Value::Constant(a), Value::Constant(b)) => Value::from(of(a as i32, b as i32)),
            _ => Value::Unknown,
        })
    }

    /// Where an access of so many bytes at `index` begins and ends behind `base`.
    fn range(&self, index: Value, memarg: &MemArg, size: i64, base: Sum) -> Result<Range<i64>> {
        let Value::Sum(sum) = index else { return Err(NoCopy) };
        let offset = sum.behind(base, self.case).ok_or(NoCopy)?;
        // An offset has 32 bits and does not wrap around.
        let at = i64::from(offset) + i64::try_from(memarg.offset).map_err(|_| NoCopy)?;
        Ok(at..at + size)
    }

    fn load(&mut self, memarg: &MemArg, size: i64) -> Result<()> {
        let index = self.pop()?;
        let Range { start, end } = self.range(index, memarg, size, Sum::FROM)?;
        let (len, margin) = (i64::from(self.case.len), i64::from(MARGIN));
        if start < -margin || end > len + margin {
            return Err(NoCopy);
        }
        let bytes = std::array::from_fn(|byte| match start + byte as i64 {
            at if at >= end => Byte::Constant(0),
            at if (0..len).contains(&at) => Byte::Source(at as u8),
            // The destination may lie here.
            _ => Byte::Unknown,
        });
        self.stack.push(Value::of_bytes(bytes));
        Ok(())
    }

    fn store(&mut self, memarg: &MemArg, size: i64) -> Result<()> {
        let value = self.pop()?.bytes();
        let index = self.pop()?;
        let Range { start, end } = self.range(index, memarg, size, Sum::TO)?;
        if start < 0 || end > i64::from(self.case.len) {
            return Err(NoCopy);
        }
        self.to[start as usize..end as usize].copy_from_slice(&value[..size as usize]);
        Ok(())
    }
}
