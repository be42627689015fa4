//! Turns one function body into CLIF, validating it on the way.
//!
//! One operator is read, validated and translated at a time, so nothing unvalidated is ever
//! translated and the operand types can be taken for granted. What is done for each operator is in
//! `translate/operator.rs`; how, in the families beside it.
//!
//! Every guest function takes `base` first, which dominates all its blocks, and then the Wasm
//! arguments. One result is returned in a register; the others go to the return area in the
//! vmctx, from which the caller takes them before it does anything else.

mod call;
mod control;
mod dispatch;
mod global;
mod home;
mod memory;
mod numeric;
mod operator;
mod simd;
mod table;

use crate::{
    error::CompileError,
    index::{FuncIndex, SignatureIndex},
    isa::{self, Isas, Way},
    limits,
    module::{Body, Module},
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
use lithify_abi::types::ValType;
use std::{borrow::Cow, collections::HashMap};
use target_lexicon::Architecture;
use wasmparser::{FuncValidator, FuncValidatorAllocations, Operator, ValidatorResources};

type Result<T> = std::result::Result<T, CompileError>;

/// What all functions of a module have in common.
#[derive(Clone, Copy)]
pub struct ModuleContext<'m> {
    /// The module.
    pub module: &'m Module<'m>,
    /// Where its things lie at run time.
    pub plan: &'m VmctxPlan,
    /// The instruction set.
    pub isas: &'m Isas,
}

/// A function body in CLIF.
pub struct Translated {
    /// The validator's, for the next function.
    pub allocations: FuncValidatorAllocations,
    /// The work that it is; see [`limits::FUNCTION_WORK`].
    pub work: u64,
    /// How code is generated from it.
    pub way: Way,
}

/// Translates `body`, that of function `index`, into `func`: optimised, unless that is beyond what grows
/// with more than a function's length, see [`limits::STEPS`].
pub fn translate(
    module: ModuleContext<'_>,
    index: FuncIndex,
    body: &Body<'_>,
    allocations: FuncValidatorAllocations,
    func: &mut Function,
    builder: &mut FunctionBuilderContext,
) -> Result<Translated> {
    let in_function = |error: CompileError| error.in_function(index);
    let optimised = Translator::new(module, index, body, func, builder, Way::Optimised);
    let translated = optimised.function(module, body, allocations).map_err(in_function)?;
    if let Some(translated) = translated {
        widen::widen(func);
        return Ok(translated);
    }
    func.clear();
    *builder = FunctionBuilderContext::new();
    let plain = Translator::new(module, index, body, func, builder, Way::Plain);
    let allocations = FuncValidatorAllocations::default();
    let translated = plain.function(module, body, allocations).map_err(in_function)?;
    Ok(translated.expect("nothing is too much to be compiled plainly, or it is an error"))
}

/// One function under translation.
pub(crate) struct Translator<'m, 'f> {
    module: &'m Module<'m>,
    plan: &'m VmctxPlan,
    /// Which function it is.
    index: FuncIndex,
    /// Offset of the current operator in the file.
    offset: usize,
    builder: FunctionBuilder<'f>,
    /// Whether the target is x86-64.
    x86_64: bool,
    /// The hidden argument.
    base: Value,
    locals: Vec<Local>,
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
    fn new<'m, 'f>(
        context: ModuleContext<'m>,
        index: FuncIndex,
        body: &Body<'_>,
        func: &'f mut Function,
        builder: &'f mut FunctionBuilderContext,
        way: Way,
    ) -> Translator<'m, 'f> {
        let ModuleContext { module, plan, isas } = context;
        let isa = isas.isa(way);
        func.signature = isa::signature(isa, module.function_type(index));
        func.name = Symbol::Function(index).user_name();
        Translator {
            module,
            plan,
            index,
            offset: body.range.start,
            builder: FunctionBuilder::new(func, builder),
            x86_64: isa.triple().architecture == Architecture::X86_64,
            base: Value::from_u32(0),
            locals: vec![],
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
            signatures: HashMap::new(),
            functions: HashMap::new(),
            symbols: HashMap::new(),
            regions: HashMap::new(),
        }
    }

    /// Translates the body; none where it should not be optimised.
    fn function(
        mut self,
        context: ModuleContext<'_>,
        body: &Body<'_>,
        allocations: FuncValidatorAllocations,
    ) -> Result<Option<Translated>> {
        let mut validator = body.validator(allocations);
        let mut reader = body.body.get_binary_reader();
        validator.read_locals(&mut reader)?;
        self.begin(&validator);
        if self.way() == Way::Optimised {
            self.dispatches = Dispatches::new(&body.body, self.locals.len());
        }

        let (way, most) = (self.way(), limits::steps(body.range.len() as u64));
        let mut operators = wasmparser::OperatorsReader::new(reader);
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            self.offset = offset;
            validator.op(offset, &operator)?;
            self.builder.set_srcloc(SourceLoc::new(offset as u32));
            if self.reachable {
                self.operator(operator)?;
            } else {
                self.unreachable_operator(&operator);
            }
            self.settle_deep();
            self.work += 1;
            self.steps += self.steps_of_operator(offset - body.range.start);
            self.check_limits()?;
            if way == Way::Optimised && self.steps > most {
                return Ok(None);
            }
        }
        operators.finish()?;
        self.builder.finalize(context.isas.isa(way).frontend_config());
        let allocations = validator.into_allocations();
        let work = match way {
            Way::Optimised => self.work + self.steps / limits::STEPS_OF_WORK,
            Way::Plain => self.work,
        };
        Ok(Some(Translated { allocations, work, way }))
    }

    /// Starts the entry block.
    fn begin(&mut self, validator: &FuncValidator<ValidatorResources>) {
        let ty = self.module.function_type(self.index);
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        self.builder.seal_block(entry);
        self.set_base(self.builder.block_params(entry)[0]);
        for (i, param) in ty.params.iter().enumerate() {
            let value = self.builder.block_params(entry)[i + 1];
            self.declare_local(*param, value);
        }
        self.declare_locals(ty.params.len() as u32, validator);
        self.push_function_frame(ty);
    }

    fn way(&self) -> Way {
        if self.homes.is_some() { Way::Plain } else { Way::Optimised }
    }

    /// What an operator may cost where it is optimised: a walk past the blocks before it, a place
    /// among the values that may be alive, a look at each loop around it.
    #[inline]
    fn steps_of_operator(&self, bytes_before: usize) -> u64 {
        // A local that was not mentioned yet is not alive.
        let alive = (self.stack.len() + self.locals.len().min(bytes_before)) as u64;
        2 * self.branches + 8 * alive + 256 * u64::from(self.loops())
    }

    #[inline]
    fn check_limits(&self) -> Result<()> {
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
