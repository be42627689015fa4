//! Turns function bodies into machine code, in parallel, and lays out the text.
//!
//! Workers take functions largest first and put each result in its place, so the text does not
//! depend on how many there are. Calls within the text are resolved here; what refers to
//! anything outside it stays a relocation.

use crate::{
    allocator::{self, HeapCall},
    error::CompileError,
    isa::{self, Isas, Symbol, Way},
    limits::{self, Work},
    module::{ImportKind, Module},
    options::Options,
    parse,
    patch::{Form, patch},
    progress::Progress,
    stub, trampoline,
    translate::{self, Common, Translated},
    vmctx::Layout,
};
use cranelift_codegen::{
    Context,
    binemit::Reloc as RelocKind,
    control::ControlPlane,
    ir::{ExternalName, Function},
    isa::{TargetIsa, unwind::UnwindInfo},
};
use cranelift_frontend::FunctionBuilderContext;
use lithify_abi::{
    libcall::Libcall,
    machine::Machine,
    site::{self, Site},
};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use wasmparser::FuncValidatorAllocations;

type Result<T> = std::result::Result<T, CompileError>;

/// A contiguous piece of machine code: a function, a stub or a trampoline.
#[derive(Default)]
pub struct Piece {
    /// Machine code.
    pub code: Vec<u8>,
    /// What in it is still to be resolved.
    pub relocs: Vec<Reloc>,
    /// Its stream of sites.
    pub sites: Vec<u8>,
    /// How to unwind through it.
    pub unwind: Option<UnwindInfo>,
}

/// A reference from code.
#[derive(Clone, Copy, Debug)]
pub struct Reloc {
    /// Offset in the piece, in bytes.
    pub offset: u32,
    /// How the reference is encoded.
    pub kind: RelocKind,
    /// To what.
    pub symbol: Symbol,
    /// Added to the symbol's address.
    pub addend: i64,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The function of this index, or its stub when it is imported.
    Function(u32),
    /// What stands before an allocator function.
    Heap(HeapCall),
    /// The stub of a libcall.
    Libcall(Libcall),
    /// The entry trampoline of a type.
    Entry(u32),
    /// The exit trampoline of the import at this position.
    Exit(u32),
    /// All that there is in a module without functions.
    Nothing,
}

/// The machine code of a module, in its final order.
pub struct Text {
    /// What each piece is; the functions come first, in order of their index.
    pub roles: Vec<Role>,
    /// The pieces.
    pub pieces: Vec<Piece>,
    /// Where each starts, in bytes from the start of the text.
    pub offsets: Vec<u32>,
    /// Length of the text, in bytes.
    pub len: u32,
    /// Alignment of every piece, in bytes.
    pub align: u32,
}

/// Compiles `module`. `wasm` is what it was parsed from. Exit trampolines are only of use where
/// our own loader binds the imports.
pub fn codegen(
    wasm: &[u8],
    module: &Module<'_>,
    layout: &Layout,
    options: &Options,
    exits: bool,
    progress: &dyn Progress,
) -> Result<Text> {
    let isas = Isas::new(options.target)?;
    let isa = isas.isa(Way::Optimised);
    let common = Common { module, layout, isas: &isas };
    let mut roles: Vec<Role> = (0..module.functions.len() as u32).map(Role::Function).collect();
    let mut pieces: Vec<Piece> = Vec::with_capacity(roles.len());
    for (position, import) in (0..).zip(&module.imports) {
        if let ImportKind::Function(_) = import.kind {
            pieces.push(stub::stub(options.target.machine, Symbol::Import(position)));
        }
    }
    pieces.extend(functions(wasm, common, options.jobs, progress)?);
    heap_calls(layout, isa, &mut roles, &mut pieces)?;
    trampolines(module, layout, isa, exits, &mut roles, &mut pieces)?;

    let used: BTreeSet<Libcall> = (pieces.iter().flat_map(|piece| &piece.relocs))
        .filter_map(|reloc| match reloc.symbol {
            Symbol::Libcall(libcall) => Some(libcall),
            _ => None,
        })
        .collect();
    for libcall in used {
        roles.push(Role::Libcall(libcall));
        pieces.push(stub::stub(options.target.machine, Symbol::Runtime(libcall)));
    }
    if pieces.is_empty() {
        // So that the text has an address. It traps: `ud2` twice, `udf`.
        roles.push(Role::Nothing);
        let code = match options.target.machine {
            Machine::X86_64 => vec![0x0f, 0x0b, 0x0f, 0x0b],
            Machine::Aarch64 => vec![0; 4],
        };
        pieces.push(Piece { code, ..Piece::default() });
    }
    lay_out(roles, pieces, isa.function_alignment().preferred)
}

/// Compiles the defined functions.
fn functions(
    wasm: &[u8],
    common: Common<'_>,
    jobs: usize,
    progress: &dyn Progress,
) -> Result<Vec<Piece>> {
    let module = common.module;
    let mut order: Vec<usize> = (0..module.bodies.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(module.bodies[*i].range.len()));
    let next = AtomicUsize::new(0);
    let total = Work::default();
    let text = AtomicU64::new(0);
    let results: Vec<Mutex<Option<Result<Piece>>>> =
        module.bodies.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        let mut worker = Worker::new();
        while let Some(i) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let piece = match progress.stop() {
                Some(reason) => Err(CompileError::Stopped(reason)),
                None => worker.function(common, *i, &total).and_then(|piece| {
                    let len = piece.code.len() as u64;
                    limits::check_text(text.fetch_add(len, Ordering::Relaxed) + len)?;
                    Ok(piece)
                }),
            };
            let failed = piece.is_err();
            progress.function(module.bodies[*i].range.len(), order.len());
            *results[*i].lock().expect("a worker does not panic while it holds it") = Some(piece);
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
    let mut pieces = Vec::with_capacity(results.len());
    let mut skipped = false;
    for (i, result) in results.into_iter().enumerate() {
        match result.into_inner().expect("no worker panicked") {
            Some(Ok(piece)) => pieces.push(piece),
            Some(Err(error)) => {
                let func = module.imported_functions + i as u32;
                return Err(parse::explain(wasm, module.profile, Some(func), error));
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
fn heap_calls(
    layout: &Layout,
    isa: &dyn TargetIsa,
    roles: &mut Vec<Role>,
    pieces: &mut Vec<Piece>,
) -> Result<()> {
    let Some(place) = &layout.heap else {
        return Ok(());
    };
    let mut worker = Worker::new();
    for call in HeapCall::ALL {
        allocator::function(isa, place, *call, &mut worker.context.func, &mut worker.builder);
        roles.push(Role::Heap(*call));
        pieces.push(worker.generate(isa, 0).map_err(|e| failed("heap function", e))?);
    }
    Ok(())
}

/// Adds the entry trampoline of every type that an exported function or a reference has, and the
/// exit trampolines.
fn trampolines(
    module: &Module<'_>,
    layout: &Layout,
    isa: &dyn TargetIsa,
    exits: bool,
    roles: &mut Vec<Role>,
    pieces: &mut Vec<Piece>,
) -> Result<()> {
    let mut worker = Worker::new();
    for ty in entry_types(module, layout) {
        trampoline::entry(
            isa,
            layout,
            &module.types[ty as usize],
            &mut worker.context.func,
            &mut worker.builder,
        );
        roles.push(Role::Entry(ty));
        pieces.push(worker.generate(isa, 0).map_err(|e| failed("entry trampoline", e))?);
    }
    if !exits {
        return Ok(());
    }
    for (position, import) in (0..).zip(&module.imports) {
        let ImportKind::Function(index) = import.kind else {
            continue;
        };
        let ty = module.function_type(index);
        let (func, builder) = (&mut worker.context.func, &mut worker.builder);
        trampoline::exit(isa, layout, position, ty, func, builder);
        roles.push(Role::Exit(position));
        pieces.push(worker.generate(isa, 0).map_err(|e| failed("exit trampoline", e))?);
    }
    Ok(())
}

fn failed(what: &str, message: String) -> CompileError {
    CompileError::Codegen { func: 0, name: what.into(), message }
}

/// Types of functions that the runtime can call.
fn entry_types(module: &Module<'_>, layout: &Layout) -> BTreeSet<u32> {
    let exported = module.exports.iter().filter_map(|export| match export.kind {
        crate::module::ExportKind::Function(index) => Some(index),
        _ => None,
    });
    (exported.chain(layout.func_records.iter().copied()).chain(module.start))
        .map(|index| module.functions[index as usize])
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

    /// Compiles the defined function at position `i`.
    fn function(&mut self, common: Common<'_>, i: usize, total: &Work) -> Result<Piece> {
        let Common { module, isas, .. } = common;
        let index = module.imported_functions + i as u32;
        let body = &module.bodies[i];
        let Translated { allocations, work, way } = translate::translate(
            common,
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
            func: index,
            name: module.function_name(index),
            message,
        })
    }

    /// Compiles the CLIF in the context and clears it.
    fn generate(&mut self, isa: &dyn TargetIsa, body: u32) -> std::result::Result<Piece, String> {
        self.context.compile(isa, &mut self.control).map_err(|e| format!("{:?}", e.inner))?;
        let compiled = self.context.compiled_code().expect("just compiled");
        let mut sites = Vec::new();
        let places = collect_sites(compiled, body);
        // Cranelift drops the low bits of a branch's distance without a look.
        let unit = isa.function_alignment().minimum;
        if places.iter().any(|site| !site.code.is_multiple_of(unit)) {
            return Err(format!("an instruction beside its {unit} bytes"));
        }
        site::encode(&places, body, &mut sites);
        let unwind = compiled.create_unwind_info(isa).map_err(|e| e.to_string())?;
        let code = compiled.code_buffer().to_vec();
        let relocs = collect_relocs(compiled, &self.context.func);
        self.context.clear();
        Ok(Piece { code, relocs, sites, unwind })
    }
}

/// Trap sites and call sites in order of their address.
fn collect_sites(compiled: &cranelift_codegen::CompiledCode, body: u32) -> Vec<Site> {
    let traps = (compiled.buffer.traps().iter())
        .map(|trap| (trap.offset, trap.offset, isa::from_trap_code(trap.code) as u8));
    // A call's return address is the byte after it: the call itself is one byte before.
    let calls = compiled.buffer.call_sites().map(|s| (s.ret_addr, s.ret_addr - 1, site::CALL));
    let mut sites: Vec<(u32, u32, u8)> = traps.chain(calls).collect();
    sites.sort_unstable();
    let mut locations = compiled.buffer.get_srclocs_sorted().iter().peekable();
    let mut wasm = body;
    (sites.into_iter())
        .map(|(code, inside, kind)| {
            while let Some(location) = locations.next_if(|l| l.start <= inside) {
                if !location.loc.is_default() {
                    wasm = location.loc.bits();
                }
            }
            Site { code, wasm, kind }
        })
        .collect()
}

fn collect_relocs(compiled: &cranelift_codegen::CompiledCode, func: &Function) -> Vec<Reloc> {
    use cranelift_codegen::FinalizedRelocTarget;
    (compiled.buffer.relocs().iter())
        .map(|reloc| {
            let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = &reloc.target else {
                unreachable!("only our own symbols are referred to, not {:?}", reloc.target)
            };
            let name = &func.params.user_named_funcs()[*name];
            let symbol = Symbol::from_external_name(name);
            let (kind, symbol) = match (reloc.kind, symbol) {
                (RelocKind::X86PCRel4 | RelocKind::X86CallPCRel4, Symbol::Slot(import)) => {
                    (RelocKind::X86GOTPCRel4, Symbol::Import(import))
                }
                other => other,
            };
            Reloc { offset: reloc.offset, kind, symbol, addend: reloc.addend }
        })
        .collect()
}

/// Gives every piece its place and resolves the references between them.
fn lay_out(roles: Vec<Role>, mut pieces: Vec<Piece>, align: u32) -> Result<Text> {
    let mut len = 0u64;
    let mut offsets = Vec::with_capacity(pieces.len());
    for piece in &pieces {
        len = len.next_multiple_of(u64::from(align));
        offsets.push(len as u32);
        len += piece.code.len() as u64;
    }
    limits::check_text(len)?;
    let helpers: Vec<(Symbol, u32)> = (roles.iter().zip(&offsets))
        .filter_map(|(role, offset)| match role {
            Role::Libcall(libcall) => Some((Symbol::Libcall(*libcall), *offset)),
            Role::Heap(call) => Some((Symbol::Heap(*call), *offset)),
            _ => None,
        })
        .collect();
    let place = |symbol: Symbol| match symbol {
        Symbol::Function(index) => Some(offsets[index as usize]),
        Symbol::Libcall(_) | Symbol::Heap(_) => {
            helpers.iter().find(|(helper, _)| *helper == symbol).map(|(_, offset)| *offset)
        }
        Symbol::Text => Some(0),
        Symbol::Table(_)
        | Symbol::Descriptor
        | Symbol::Import(_)
        | Symbol::Slot(_)
        | Symbol::Runtime(_) => None,
    };
    for (piece, offset) in pieces.iter_mut().zip(&offsets) {
        let Piece { code, relocs, .. } = piece;
        let mut rest = Vec::new();
        for reloc in std::mem::take(relocs) {
            match (place(reloc.symbol), reloc.kind) {
                (Some(to), RelocKind::X86PCRel4 | RelocKind::X86CallPCRel4) => {
                    call(code, *offset, to, &reloc, Form::Relative32)?;
                }
                (Some(to), RelocKind::Arm64Call) => {
                    call(code, *offset, to, &reloc, Form::Call26)?;
                }
                _ => rest.push(reloc),
            }
        }
        *relocs = rest;
    }
    Ok(Text { roles, pieces, offsets, len: len as u32, align })
}

/// Resolves a call from the piece that starts at `offset` to what lies at `to`.
fn call(code: &mut [u8], offset: u32, to: u32, reloc: &Reloc, form: Form) -> Result<()> {
    let place = i64::from(offset) + i64::from(reloc.offset);
    patch(code, u64::from(reloc.offset), place, i64::from(to) + reloc.addend, form)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lays out a function that calls the last one, past another of `len` bytes, with an
    /// aarch64 `bl`.
    fn call_past(len: u64) -> Result<Text> {
        let piece = |code: Vec<u8>, relocs| Piece { code, relocs, ..Piece::default() };
        let symbol = Symbol::Function(2);
        let call = Reloc { offset: 0, kind: RelocKind::Arm64Call, symbol, addend: 0 };
        let pieces = vec![
            piece(0x9400_0000_u32.to_le_bytes().to_vec(), vec![call]),
            piece(vec![0; len as usize], vec![]),
            piece(vec![0; 4], vec![]),
        ];
        lay_out((0..3).map(Role::Function).collect(), pieces, 32)
    }

    #[test]
    fn a_call_reaches_the_end_of_the_longest_text() {
        let text = call_past(limits::TEXT - 64).expect("as long as it may be");
        let distance = u32::from_le_bytes(*text.pieces[0].code.first_chunk().expect("a word"));
        assert_eq!(u64::from(distance & 0x03ff_ffff) * 4, limits::TEXT - 32);
        let error = call_past(limits::TEXT - 32).err().expect("too long").to_string();
        assert!(error.ends_with("more than 134217728 bytes of code"), "{error}");
    }
}
