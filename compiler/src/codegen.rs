//! Turns function bodies into machine code, in parallel.
//!
//! Workers take functions largest first and put each result in its place, so the text does not
//! depend on how many there are. Stubs and trampolines follow the functions.

use crate::{
    allocator::{self, AllocatorCall},
    error::CompileError,
    index::{DefinedFuncIndex, SignatureIndex},
    isa::{Isas, Way},
    limits::{self, Work},
    module::{Body, Module},
    options::Options,
    progress::Progress,
    sites::sites,
    stub,
    symbol::Symbol,
    text::{Piece, Reloc, Role, Text, TextBuilder},
    trampoline,
    translate::{self, ModuleContext, Translated},
    vmctx::VmctxPlan,
};
use cranelift_codegen::{Context, control::ControlPlane, isa::TargetIsa};
use cranelift_frontend::FunctionBuilderContext;
use lithify_abi::{machine::Machine, site};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use wasmparser::FuncValidatorAllocations;

type Result<T> = std::result::Result<T, CompileError>;

/// Compiles `module`. Exit trampolines are only of use where our own loader binds the imports.
pub fn codegen(
    module: &Module<'_>,
    plan: &VmctxPlan,
    options: &Options,
    exits: bool,
    progress: &dyn Progress,
) -> Result<Text> {
    let isas = Isas::new(options.target)?;
    let isa = isas.isa(Way::Optimised);
    let context = ModuleContext { module, plan, isas: &isas };
    let machine = options.target.machine;
    let mut text = TextBuilder::default();
    for (index, import) in &module.imported_functions {
        text.push(Role::Function(index), stub::stub(machine, Symbol::Import(*import)));
    }
    let pieces = functions(context, options.jobs, progress)?;
    for ((index, _), piece) in module.defined().zip(pieces) {
        text.push(Role::Function(index), piece);
    }
    allocator_calls(plan, isa, &mut text)?;
    trampolines(module, plan, isa, exits, &mut text)?;
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
    context: ModuleContext<'_>,
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
    let work = || {
        let mut worker = Worker::new();
        while let Some((defined, body)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let piece = match progress.stop() {
                Some(reason) => Err(CompileError::Stopped(reason)),
                None => worker.function(context, *defined, &total).and_then(|piece| {
                    let len = piece.code.len() as u64;
                    limits::check_text(text.fetch_add(len, Ordering::Relaxed) + len)?;
                    Ok(piece)
                }),
            };
            let failed = piece.is_err();
            progress.function(body.range.len(), order.len());
            let outcome = &outcomes[defined.as_u32() as usize];
            *outcome.lock().expect("a worker does not panic while it holds it") = Some(piece);
            if failed {
                // Everyone stops; what was compiled before the first error is thrown away.
                next.store(order.len(), Ordering::Relaxed);
            }
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
    let outcomes = outcomes.into_iter().map(|o| o.into_inner().expect("no worker panicked"));
    let done: Vec<Piece> = outcomes.flatten().collect::<Result<_>>()?;
    assert_eq!(done.len(), bodies.len(), "functions are skipped only after an error");
    Ok(done)
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
        let piece = worker.generate(isa, 0).map_err(|e| failed("heap function", e))?;
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
        let piece = worker.generate(isa, 0).map_err(|e| failed("entry trampoline", e))?;
        text.push(Role::Entry(signature), piece);
    }
    for (index, import) in module.imported_functions.iter().filter(|_| exits) {
        let ty = module.function_type(index);
        let (func, builder) = (&mut worker.context.func, &mut worker.builder);
        trampoline::exit(isa, plan, *import, ty, func, builder);
        let piece = worker.generate(isa, 0).map_err(|e| failed("exit trampoline", e))?;
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
    builder: FunctionBuilderContext,
    allocations: FuncValidatorAllocations,
    control: ControlPlane,
}

impl Worker {
    fn new() -> Self {
        Self {
            context: Context::new(),
            builder: FunctionBuilderContext::new(),
            allocations: FuncValidatorAllocations::default(),
            control: ControlPlane::default(),
        }
    }

    /// Compiles a function that has a body.
    fn function(
        &mut self,
        context: ModuleContext<'_>,
        defined: DefinedFuncIndex,
        total: &Work,
    ) -> Result<Piece> {
        let ModuleContext { module, isas, .. } = context;
        let (index, body) = (module.defined_index(defined), &module.bodies[defined]);
        let Translated { allocations, work, way } = translate::translate(
            context,
            index,
            body,
            std::mem::take(&mut self.allocations),
            &mut self.context.func,
            &mut self.builder,
        )?;
        self.allocations = allocations;
        total.add(work)?;
        let generated = self.generate(isas.isa(way), body.range.start as u32);
        generated.map_err(|message| CompileError::Codegen {
            func: index.as_u32(),
            name: module.function_name(index),
            message,
        })
    }

    /// Compiles the CLIF in the context and clears it.
    fn generate(&mut self, isa: &dyn TargetIsa, body: u32) -> std::result::Result<Piece, String> {
        self.context.compile(isa, &mut self.control).map_err(|e| format!("{:?}", e.inner))?;
        let compiled = self.context.compiled_code().expect("just compiled");
        let places = sites(compiled, body);
        // Cranelift drops the low bits of a branch's distance without a look.
        let unit = isa.function_alignment().minimum;
        if places.iter().any(|site| !site.code.is_multiple_of(unit)) {
            return Err(format!("an instruction beside its {unit} bytes"));
        }
        let mut sites = Vec::new();
        site::encode(&places, body, &mut sites);
        let unwind = compiled.create_unwind_info(isa).map_err(|e| e.to_string())?;
        let code = compiled.code_buffer().to_vec();
        let relocs = Reloc::of(compiled, &self.context.func);
        self.context.clear();
        Ok(Piece { code, relocs, sites, unwind })
    }
}
