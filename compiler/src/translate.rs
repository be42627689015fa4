//! Turns one function body into CLIF, validating it on the way.
//!
//! One operator is read, validated and translated at a time, so nothing unvalidated is ever
//! translated and the operand types can be taken for granted. What is done for each operator is in
//! `translate/operator.rs`; how, in the families beside it.
//!
//! Every guest function takes `base` first, which dominates all its blocks, and then the Wasm
//! arguments. One result is returned in a register; the others go to the return area in the
//! vmctx, from which the caller takes them before it does anything else. Functions that are inlined
//! (`translate/inline.rs`) are blocks of their callers.

mod bulk;
mod call;
mod control;
mod copy;
mod dispatch;
mod global;
mod home;
mod inline;
mod memory;
mod numeric;
mod operator;
mod simd;
mod table;

use crate::{
    copying::Copyings,
    error::CompileError,
    heat::{Warmth, Warmths},
    index::{FuncIndex, SignatureIndex},
    inlining::{Inlining, Room},
    isa::{self, Isas, Way},
    limits,
    module::{Body, Module},
    options::Options,
    sites::Unreachable,
    switch,
    symbol::Symbol,
    vmctx::VmctxPlan,
    widen,
};
use control::Frame;
use cranelift_codegen::ir::{
    self, AliasRegion, AliasRegionData, Function, GlobalValue, InstBuilder, MemFlagsData, SigRef,
    SourceLoc, Value,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use dispatch::Dispatches;
use home::{Homes, Local};
use inline::Inlines;
use lithify_abi::{site::Inlined, types::ValType};
use std::{borrow::Cow, collections::HashMap};
use wasmparser::{FuncValidator, FuncValidatorAllocations, Operator, ValidatorResources};

type Result<T> = std::result::Result<T, CompileError>;

/// What all functions of a module have in common.
pub struct ModuleContext<'m> {
    /// The module.
    pub module: &'m Module<'m>,
    /// Where its things lie at run time.
    pub plan: &'m VmctxPlan,
    /// The instruction set.
    pub isas: Isas,
    /// How warm functions are.
    pub warmths: Warmths,
    /// Which functions copy memory.
    pub copyings: Copyings,
    /// Which calls become bodies.
    pub inlining: Inlining,
    /// Whether functions say which operators their code is of.
    pub debug_info: bool,
}

impl<'m> ModuleContext<'m> {
    /// Reads what is needed of all bodies.
    pub fn new(module: &'m Module<'m>, plan: &'m VmctxPlan, options: &Options) -> Result<Self> {
        let isas = Isas::new(options.target)?;
        let warmths = Warmths::new(module, options)?;
        let copyings = Copyings::new(module, options);
        let inlining = Inlining::new(module, plan, options, &warmths, &copyings);
        let debug_info = options.debug_info;
        Ok(Self { module, plan, isas, warmths, copyings, inlining, debug_info })
    }
}

/// A function body in CLIF. Source locations in it are positions, see [`lithify_abi::site`].
#[derive(Default)]
pub struct Translated {
    /// The work that it is; see [`limits::FUNCTION_WORK`].
    pub work: u64,
    /// How code is generated from it.
    pub way: Way,
    /// The bodies that it holds beside its own.
    pub inlined: Vec<Inlined>,
    /// Where its traps are that branches may become.
    pub unreachable: Unreachable,
}

/// Buffers that translating a function reuses.
#[derive(Default)]
pub struct Buffers {
    builder: FunctionBuilderContext,
    /// Those of validators, one for each body within another.
    validators: Vec<FuncValidatorAllocations>,
}

impl Buffers {
    /// Buffers of a validator.
    pub fn allocations(&mut self) -> FuncValidatorAllocations {
        self.validators.pop().unwrap_or_default()
    }
}

/// Translates `body`, that of function `index`, into `func`: with others inlined, and optimised,
/// unless it is cold, or that is beyond what grows with more than a function's length, see
/// [`limits::STEPS`].
pub fn translate(
    context: &ModuleContext<'_>,
    index: FuncIndex,
    body: &Body<'_>,
    func: &mut Function,
    buffers: &mut Buffers,
) -> Result<Translated> {
    let mut ways = match context.warmths.of(index) {
        Warmth::Cold => vec![(Way::Plain, false), (Way::Quick, false)],
        _ => vec![(Way::Plain, false), (Way::Optimised, false), (Way::Optimised, true)],
    };
    while let Some((way, inline)) = ways.pop() {
        let Buffers { builder, validators } = &mut *buffers;
        let translator =
            Translator::new(context, index, body, func, builder, validators, way, inline);
        let attempt = translator.function(context, body);
        match attempt.map_err(|error| error.in_function(index))? {
            Attempt::Done(mut translated) => {
                if translated.way == Way::Optimised {
                    switch::switch(func);
                    translated.unreachable = Unreachable::new(func);
                    widen::widen(func);
                }
                return Ok(translated);
            }
            Attempt::TooMuch { inlined } => {
                if inline && !inlined {
                    ways.pop();
                }
            }
        }
        func.clear();
        buffers.builder = FunctionBuilderContext::new();
    }
    unreachable!("nothing is too much to be compiled plainly, or it is an error")
}

/// What came of translating a function in one way.
enum Attempt {
    Done(Translated),
    /// It is too much, perhaps since others were inlined.
    TooMuch {
        inlined: bool,
    },
}

/// One function under translation.
pub(crate) struct Translator<'m, 'f> {
    module: &'m Module<'m>,
    plan: &'m VmctxPlan,
    inlining: &'m Inlining,
    /// Which function's body it is in.
    index: FuncIndex,
    /// Offset of the current operator in the file.
    offset: usize,
    /// Added to that, its position.
    shift: u32,
    /// The position where the next inlined body starts.
    next_position: u32,
    inlines: Inlines,
    validators: &'f mut Vec<FuncValidatorAllocations>,
    builder: FunctionBuilder<'f>,
    /// The hidden argument.
    base: Value,
    locals: Vec<Local>,
    way: Way,
    /// The frame of a plain function.
    homes: Option<Homes>,
    /// The operand stack; what lies on it while `reachable` is false is meaningless.
    stack: Vec<Value>,
    control: Vec<Frame>,
    dispatches: Dispatches,
    reachable: bool,
    /// Operators translated, and what they carried.
    work: u64,
    /// Branches and ends of blocks.
    branches: u64,
    /// Operands that branches carry.
    carried: u64,
    /// What optimising takes; see [`limits::STEPS`].
    steps: u64,
    /// What it may take.
    most_steps: u64,
    /// Whether it is more than should be done in this way.
    too_much: bool,
    /// Values passed to calls and got back.
    call_operands: u64,
    signatures: HashMap<SignatureIndex, SigRef>,
    functions: HashMap<Symbol, ir::FuncRef>,
    symbols: HashMap<(Symbol, i64), GlobalValue>,
    regions: HashMap<u32, AliasRegion>,
}

/// Disjoint kinds of memory, for alias analysis. Globals follow after `GLOBAL`.
mod region {
    pub const MEMORY: u32 = 0;
    pub const TABLE: u32 = 1;
    pub const VMCTX: u32 = 2;
    pub const GLOBAL: u32 = 3;
}

impl Translator<'_, '_> {
    #[allow(clippy::too_many_arguments, reason = "what there is, with no meaning together")]
    fn new<'m, 'f>(
        context: &'m ModuleContext<'m>,
        index: FuncIndex,
        body: &Body<'_>,
        func: &'f mut Function,
        builder: &'f mut FunctionBuilderContext,
        validators: &'f mut Vec<FuncValidatorAllocations>,
        way: Way,
        inline: bool,
    ) -> Translator<'m, 'f> {
        let ModuleContext { module, plan, isas, inlining, .. } = context;
        let isa = isas.isa(way);
        func.signature = isa::signature(isa, module.function_type(index));
        func.name = Symbol::Function(index).user_name();
        let bytes = body.range.len() as u64;
        let room = if inline { inlining.room(bytes) } else { Room::default() };
        Translator {
            module,
            plan,
            inlining,
            index,
            offset: body.range.start,
            shift: 0,
            next_position: body.range.end as u32,
            inlines: Inlines::new(room),
            validators,
            builder: FunctionBuilder::new(func, builder),
            base: Value::from_u32(0),
            locals: vec![],
            way,
            homes: (way == Way::Plain).then(|| Homes::new(body)),
            stack: vec![],
            control: vec![],
            dispatches: Dispatches::default(),
            reachable: true,
            work: 0,
            branches: 0,
            call_operands: 0,
            carried: 0,
            steps: 0,
            most_steps: limits::steps(bytes),
            too_much: false,
            signatures: HashMap::new(),
            functions: HashMap::new(),
            symbols: HashMap::new(),
            regions: HashMap::new(),
        }
    }

    /// Translates the function.
    fn function(mut self, context: &ModuleContext<'_>, body: &Body<'_>) -> Result<Attempt> {
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        self.builder.seal_block(entry);
        let params = self.builder.block_params(entry).to_vec();
        self.set_base(params[0]);
        if let (Way::Optimised, Some(copying)) = (self.way, context.copyings.of(self.index)) {
            self.builder.set_srcloc(SourceLoc::new(self.position()));
            self.copy_in_line(&params[1..], copying);
        }
        self.body(body, &params[1..])?;
        if self.too_much {
            return Ok(Attempt::TooMuch { inlined: !self.inlines.bodies.is_empty() });
        }
        let way = self.way;
        self.builder.finalize(context.isas.isa(way).frontend_config());
        let work = match way {
            Way::Optimised | Way::Quick => self.work + self.steps / limits::STEPS_OF_WORK,
            Way::Plain => self.work,
        };
        let (inlined, unreachable) = (self.inlines.bodies, Unreachable::default());
        Ok(Attempt::Done(Translated { work, way, inlined, unreachable }))
    }

    /// Translates `body`, that of the current function, with `arguments`. Stops where that is too
    /// much.
    fn body(&mut self, body: &Body<'_>, arguments: &[Value]) -> Result<()> {
        let mut validator = body.validator(self.validators.pop().unwrap_or_default());
        let mut reader = body.body.get_binary_reader();
        validator.read_locals(&mut reader)?;
        let ty = self.module.function_type(self.index);
        for (param, value) in ty.params.iter().zip(arguments) {
            self.declare_local(*param, *value);
        }
        self.declare_locals(ty.params.len() as u32, &validator);
        // The SSA builder may keep a place for each block up to this one, of each local.
        let blocks = self.builder.func.dfg.num_blocks() as u64;
        self.steps += u64::from(validator.len_locals()) * blocks;
        self.push_function_frame(ty);
        if self.way != Way::Plain {
            self.dispatches(body);
        }

        let mut operators = wasmparser::OperatorsReader::new(reader);
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            self.offset = offset;
            validator.op(offset, &operator)?;
            self.builder.set_srcloc(SourceLoc::new(self.position()));
            if self.reachable {
                self.operator(operator)?;
            } else {
                self.unreachable_operator(&operator);
            }
            self.settle_deep();
            self.work += 1;
            self.steps += self.steps_of_operator(offset - body.range.start);
            self.check_limits()?;
            if self.too_much {
                return Ok(());
            }
        }
        operators.finish()?;
        self.validators.push(validator.into_allocations());
        Ok(())
    }

    /// What an operator may cost where it is optimised: a walk past the blocks before it, a place
    /// among the values that may be alive, a look at each loop around it.
    #[inline]
    fn steps_of_operator(&self, bytes_before: usize) -> u64 {
        // A local that was not mentioned yet is not alive.
        let locals = self.inlines.locals + self.locals.len().min(bytes_before);
        let alive = (self.stack.len() + locals) as u64;
        2 * self.branches + 8 * alive + 256 * u64::from(self.loops())
    }

    /// Refuses what is beyond a limit; where others were inlined, that is what was too much.
    #[inline]
    fn check_limits(&mut self) -> Result<()> {
        self.too_much |= self.homes.is_none() && self.steps > self.most_steps;
        match self.within_limits() {
            Err(_) if !self.inlines.bodies.is_empty() => self.too_much = true,
            checked => checked?,
        }
        Ok(())
    }

    fn within_limits(&self) -> Result<()> {
        let check = |found, limit, what| limits::check_function(self.index, found, limit, what);
        check(self.work, limits::FUNCTION_WORK, "units of work")?;
        check(self.branches, limits::BRANCHES, "branches")?;
        check(self.call_operands, limits::CALL_OPERANDS, "operands of calls")?;
        if self.homes.is_some() {
            check(self.carried, limits::PLAIN_CARRIED, "operands of branches, not optimised")?;
        }
        check(self.control.len() as u64, limits::NESTING, "nested blocks")
    }

    fn declare_locals(&mut self, params: u32, validator: &FuncValidator<ValidatorResources>) {
        let mut zeros: HashMap<ValType, Value> = HashMap::new();
        for local in params..validator.len_locals() {
            let ty = validator.get_local_type(local).expect("the index is below the count");
            let ty = crate::parse::val_type(ty).expect("the validator's features admit it");
            let zero = match zeros.get(&ty) {
                Some(zero) => *zero,
                None => {
                    let zero = self.zero(ty);
                    zeros.insert(ty, zero);
                    zero
                }
            };
            self.declare_local(ty, zero);
        }
    }

    fn zero(&mut self, ty: ValType) -> Value {
        match ty {
            ValType::I32 => self.builder.ins().iconst(ir::types::I32, 0),
            ValType::I64 | ValType::FuncRef | ValType::ExternRef => {
                self.builder.ins().iconst(ir::types::I64, 0)
            }
            ValType::F32 => self.builder.ins().f32const(0.0),
            ValType::F64 => self.builder.ins().f64const(0.0),
            ValType::V128 => self.vector_constant([0; 16]),
        }
    }

    fn unsupported(&self, operator: &Operator<'_>) -> CompileError {
        let text = format!("{operator:?}");
        let name = text.split([' ', '{']).next().unwrap_or_default();
        CompileError::Unsupported {
            func: self.index.as_u32(),
            offset: self.offset as u64,
            feature: format!("operator {name}"),
        }
    }

    fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Value {
        self.fetch(1);
        self.stack.pop().expect("the validator knows the stack")
    }

    fn peek(&mut self) -> Value {
        self.fetch(1);
        *self.stack.last().expect("the validator knows the stack")
    }

    fn pop_n<const N: usize>(&mut self) -> [Value; N] {
        let at = self.fetch(N);
        let values = self.stack[at..].try_into().expect("N values");
        self.stack.truncate(at);
        values
    }

    /// Flags for memory that only compiled code and the runtime can name.
    fn trusted(&mut self, region: u32, description: &'static str) -> MemFlagsData {
        let region = self.region(region, description);
        MemFlagsData::trusted().with_alias_region(Some(region))
    }

    fn region(&mut self, user_id: u32, description: &'static str) -> AliasRegion {
        let regions = &mut self.builder.func.dfg.alias_regions;
        *self.regions.entry(user_id).or_insert_with(|| {
            regions.insert(AliasRegionData { user_id, description: Cow::Borrowed(description) })
        })
    }

    /// The address of `symbol` plus `offset`.
    fn symbol_address(&mut self, symbol: Symbol, offset: i64) -> Value {
        let builder = &mut self.builder;
        let global = *self.symbols.entry((symbol, offset)).or_insert_with(|| {
            let name = symbol.declare_in(builder.func);
            builder.create_global_value(ir::GlobalValueData::Symbol {
                name,
                offset: offset.into(),
                colocated: true,
                tls: false,
            })
        });
        self.builder.ins().symbol_value(ir::types::I64, global)
    }
}
