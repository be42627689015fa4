//! Turns function bodies into machine code, in parallel.
//!
//! Workers take functions largest first and put each result in its place, so the text does not
//! depend on how many there are. A function that its only caller may have inlined is compiled when
//! code that calls it still has been, by the same worker; else it is only validated. In the text,
//! stubs of imports come first, then the functions, hot ones before cold ones, then trampolines.

use crate::{
    allocator::{self, AllocatorCall},
    error::CompileError,
    index::{DefinedFuncIndex, FuncIndex, SignatureIndex},
    isa::Way,
    limits::{self, Work},
    module::{Body, Module},
    options::Options,
    progress::Progress,
    short,
    sites::{Origins, sites},
    stub,
    symbol::Symbol,
    text::{Piece, Reloc, Role, Text, TextBuilder},
    trampoline,
    translate::{self, Buffers, ModuleContext, Translated},
    vmctx::VmctxPlan,
};
use cranelift_codegen::{Context, control::ControlPlane, isa::TargetIsa};
use cranelift_frontend::FunctionBuilderContext;
use lithify_abi::{machine::Machine, site};
use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

type Result<T> = std::result::Result<T, CompileError>;

/// Compiles `module`. Exit trampolines are only of use where our own loader binds the imports.
pub fn codegen(
    module: &Module<'_>,
    plan: &VmctxPlan,
    options: &Options,
    exits: bool,
    progress: &dyn Progress,
) -> Result<Text> {
    let context = &ModuleContext::new(module, plan, options)?;
    let isa = context.isas.isa(Way::Optimised);
    let machine = options.target.machine;
    let mut text = TextBuilder::default();
    for (index, import) in &module.imported_functions {
        text.push(Role::Function(index), stub::stub(machine, Symbol::Import(*import)));
    }
    let pieces = functions(context, options.jobs, progress)?;
    let mut pieces: Vec<_> = module.defined().map(|(index, _)| index).zip(pieces).collect();
    // What runs together lies together; else in the module's order.
    pieces.sort_by_key(|(index, _)| context.warmths.of(*index));
    for (index, piece) in pieces {
        text.push(Role::Function(index), piece);
    }
    allocator_calls(plan, isa, &mut text)?;
    trampolines(module, plan, isa, exits, &mut text)?;
    for bulk in text.bulks() {
        let mut worker = Worker::new();
        short::function(isa, bulk, &mut worker.context.func, &mut worker.builder);
        let piece = worker.stub(isa).map_err(|e| failed("bulk memory", e))?;
        text.push(Role::Bulk(bulk), piece);
    }
    for libcall in text.libcalls() {
        text.push(Role::Libcall(libcall), stub::stub(machine, Symbol::Runtime(libcall)));
    }
    if text.is_empty() {
        text.push(Role::Nothing, nothing(machine));
    }
    text.lay_out(isa.function_alignment().preferred)
}

/// A piece so that the text has an address. It traps: `ud2` twice, `udf`.
fn nothing(machine: Machine) -> Piece {
    let code = match machine {
        Machine::X86_64 => vec![0x0f, 0x0b, 0x0f, 0x0b],
        Machine::Aarch64 => vec![0; 4],
    };
    Piece { code, ..Piece::default() }
}

/// What becomes of the function with a body at the same position; empty until a worker is done.
type Outcome = Mutex<Option<Result<Piece>>>;

/// Compiles the functions that have a body.
fn functions(
    context: &ModuleContext<'_>,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<Vec<Piece>> {
    let bodies = &context.module.bodies;
    let mut order: Vec<(DefinedFuncIndex, &Body<'_>)> = bodies.iter().collect();
    order.sort_by_key(|(_, body)| std::cmp::Reverse(body.range.len()));
    let next = AtomicUsize::new(0);
    let total = Work::default();
    let text = AtomicU64::new(0);
    let outcomes: Vec<Outcome> = bodies.values().map(|_| Mutex::new(None)).collect();
    let put = |defined: DefinedFuncIndex, piece: Result<Piece>| {
        if piece.is_err() {
            // Everyone stops; what was compiled before the first error is thrown away.
            next.store(order.len(), Ordering::Relaxed);
        }
        let outcome = &outcomes[defined.as_u32() as usize];
        *outcome.lock().expect("a worker does not panic while it holds it") = Some(piece);
    };
    let compile = |worker: &mut Worker, defined: DefinedFuncIndex| {
        if let Some(reason) = progress.stop() {
            return Err(CompileError::Stopped(reason));
        }
        let piece = worker.function(context, defined, &total)?;
        let len = piece.code.len() as u64;
        limits::check_text(text.fetch_add(len, Ordering::Relaxed) + len)?;
        Ok(piece)
    };
    let is_optional = |index: &FuncIndex| context.inlining.is_optional(*index);
    let claimed: Vec<AtomicBool> = bodies.values().map(|_| AtomicBool::new(false)).collect();
    let claim = |defined: &DefinedFuncIndex| {
        !claimed[defined.as_u32() as usize].swap(true, Ordering::Relaxed)
    };
    let work = || {
        let mut worker = Worker::new();
        while let Some((defined, body)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if is_optional(&context.module.defined_index(*defined)) {
                if let Err(error) = worker.validate(context.module, *defined) {
                    put(*defined, Err(error));
                }
            } else {
                let mut left = vec![*defined];
                while let Some(defined) = left.pop() {
                    let piece = compile(&mut worker, defined);
                    let called = piece.iter().flat_map(Piece::called).filter(is_optional);
                    let called = called.filter_map(|index| context.module.defined_of(index));
                    left.extend(called.filter(claim));
                    put(defined, piece);
                }
            }
            progress.function(body.range.len(), order.len());
        }
    };
    let jobs = worker_count(jobs).min(order.len());
    std::thread::scope(|scope| {
        for _ in 1..jobs {
            // Where the system gives no more threads, the others do the work.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let mut pieces = Vec::with_capacity(bodies.len());
    let mut skipped = false;
    for (defined, outcome) in bodies.keys().zip(outcomes) {
        match outcome.into_inner().expect("no worker panicked") {
            Some(piece) => pieces.push(piece?),
            None if is_optional(&context.module.defined_index(defined)) => {
                pieces.push(Piece::default());
            }
            None => skipped = true,
        }
    }
    assert!(!skipped, "functions are skipped only after an error");
    Ok(pieces)
}

fn worker_count(jobs: usize) -> usize {
    match jobs {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        n => n,
    }
}

/// Adds the functions that stand before the allocator's.
fn allocator_calls(plan: &VmctxPlan, isa: &dyn TargetIsa, text: &mut TextBuilder) -> Result<()> {
    let Some(place) = &plan.allocator else {
        return Ok(());
    };
    let mut worker = Worker::new();
    for call in AllocatorCall::ALL {
        allocator::function(isa, place, *call, &mut worker.context.func, &mut worker.builder);
        let piece = worker.stub(isa).map_err(|e| failed("heap function", e))?;
        text.push(Role::Allocator(*call), piece);
    }
    Ok(())
}

/// Adds the entry trampoline of every type that an exported function or a reference has, and the
/// exit trampolines.
fn trampolines(
    module: &Module<'_>,
    plan: &VmctxPlan,
    isa: &dyn TargetIsa,
    exits: bool,
    text: &mut TextBuilder,
) -> Result<()> {
    let mut worker = Worker::new();
    for signature in entry_signatures(module, plan) {
        let ty = &module.signatures[signature];
        trampoline::entry(isa, plan, ty, &mut worker.context.func, &mut worker.builder);
        let piece = worker.stub(isa).map_err(|e| failed("entry trampoline", e))?;
        text.push(Role::Entry(signature), piece);
    }
    for (index, import) in module.imported_functions.iter().filter(|_| exits) {
        let ty = module.function_type(index);
        let (func, builder) = (&mut worker.context.func, &mut worker.builder);
        trampoline::exit(isa, plan, *import, ty, func, builder);
        let piece = worker.stub(isa).map_err(|e| failed("exit trampoline", e))?;
        text.push(Role::Exit(*import), piece);
    }
    Ok(())
}

fn failed(what: &str, message: String) -> CompileError {
    CompileError::Codegen { func: 0, name: what.into(), message }
}

/// Types of functions that the runtime can call.
fn entry_signatures(module: &Module<'_>, plan: &VmctxPlan) -> BTreeSet<SignatureIndex> {
    (module.exported_functions().chain(plan.func_records.values().copied()).chain(module.start))
        .map(|index| module.functions[index])
        .collect()
}

/// Buffers that one thread reuses from function to function.
struct Worker {
    context: Context,
    buffers: Buffers,
    builder: FunctionBuilderContext,
    control: ControlPlane,
}

impl Worker {
    fn new() -> Self {
        Self {
            context: Context::new(),
            buffers: Buffers::default(),
            builder: FunctionBuilderContext::new(),
            control: ControlPlane::default(),
        }
    }

    /// Compiles a function that has a body.
    fn function(
        &mut self,
        context: &ModuleContext<'_>,
        defined: DefinedFuncIndex,
        total: &Work,
    ) -> Result<Piece> {
        let ModuleContext { module, isas, debug_info, .. } = context;
        let (index, body) = (module.defined_index(defined), &module.bodies[defined]);
        let (func, buffers) = (&mut self.context.func, &mut self.buffers);
        let translated = translate::translate(context, index, body, func, buffers)?;
        total.add(translated.work)?;
        let range = body.range.start as u32..body.range.end as u32;
        let isa = isas.isa(translated.way);
        let generated = self.generate(isa, range, &translated, *debug_info);
        generated.map_err(|message| CompileError::Codegen {
            func: index.as_u32(),
            name: module.function_name(index),
            message,
        })
    }

    /// Validates a function that nothing is compiled of.
    fn validate(&mut self, module: &Module<'_>, defined: DefinedFuncIndex) -> Result<()> {
        let body = &module.bodies[defined];
        let validated = body.validator(self.buffers.allocations()).validate(&body.body);
        validated
            .map_err(|error| CompileError::from(error).in_function(module.defined_index(defined)))
    }

    /// Compiles code without operators.
    fn stub(&mut self, isa: &dyn TargetIsa) -> std::result::Result<Piece, String> {
        self.generate(isa, 0..0, &Translated::default(), false)
    }

    /// Compiles the CLIF in the context and clears it. The function's body lies there in the Wasm
    /// file; `of` is what became of it. With `debug_info` the piece says which operators it is of.
    fn generate(
        &mut self,
        isa: &dyn TargetIsa,
        body: Range<u32>,
        of: &Translated,
        debug_info: bool,
    ) -> std::result::Result<Piece, String> {
        self.context.compile(isa, &mut self.control).map_err(|e| format!("{:?}", e.inner))?;
        let compiled = self.context.compiled_code().expect("just compiled");
        let places = sites(compiled, body.start, &of.unreachable);
        // Cranelift drops the low bits of a branch's distance without a look.
        let unit = isa.function_alignment().minimum;
        if places.iter().any(|site| !site.code.is_multiple_of(unit)) {
            return Err(format!("an instruction beside its {unit} bytes"));
        }
        let origins =
            debug_info.then(|| Origins::new(compiled, body.clone(), &of.inlined, &places));
        let mut sites = Vec::new();
        site::encode(body, &of.inlined, &places, &mut sites);
        let unwind = compiled.create_unwind_info(isa).map_err(|e| e.to_string())?;
        let code = compiled.code_buffer().to_vec();
        let relocs = Reloc::of(compiled, &self.context.func);
        self.context.clear();
        Ok(Piece { code, relocs, sites, unwind, origins })
    }
}
