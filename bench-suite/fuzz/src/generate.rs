//! Makes modules: a function of the seed and a number, and of the runtimes given.

use crate::{
    chains, copies, dispatch, loops,
    rewrite::{self, Shape},
};
use anyhow::{Context, Result};
use arbitrary::Unstructured;
use lithify_bench::engine::{Heap, own_memory};
use lithify_polkadot::Input;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    path::PathBuf,
};
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, ExportSection, Function, FunctionSection, Instruction, Module};
use wasm_mutate::WasmMutate;
use wasm_smith::Config;
use wasmparser::{Operator, Parser, Payload, Validator, WasmFeatures};

/// The bundled runtime, of which there is always one to carve from.
const BUNDLED: &[u8] =
    include_bytes!("../../../workloads/solochain/solochain.compact.compressed.wasm");

/// Of so many modules one comes from a runtime.
const RUNTIME_EVERY: u64 = 4;
/// Of so many modules one is of loops over memory.
const LOOPS_EVERY: u64 = 8;
/// Of so many modules one is of loops around a table of blocks.
const DISPATCH_EVERY: u64 = 8;
/// Of so many modules one is of chains of comparisons.
const CHAINS_EVERY: u64 = 16;
/// Of so many modules one is of functions that copy.
const COPIES_EVERY: u64 = 16;
/// Of so many modules one is compiled without optimising.
const DEAR_EVERY: u64 = 8;
/// Of so many modules one exports few of its functions.
const WITHIN_EVERY: u64 = 3;
/// The code that is carved out of a runtime, in bytes.
const CARVED: usize = 24 << 10;
/// Mutations of one carved module, at most.
const MUTATIONS: u64 = 12;

/// Where modules come from.
pub struct Generator {
    seed: u64,
    runtimes: Vec<Runtime>,
}

impl Generator {
    /// A generator that carves from the bundled runtime and those in `files`.
    pub fn new(seed: u64, files: &[PathBuf]) -> Result<Self> {
        let mut runtimes = vec![Runtime::new(BUNDLED.to_vec(), "the bundled runtime")?];
        for file in files {
            let name = file.display().to_string();
            let bytes = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
            runtimes.push(Runtime::new(bytes, &name)?);
        }
        Ok(Self { seed, runtimes })
    }

    /// Module `number`; none where the random bytes do not make one.
    pub fn module(&self, number: u64) -> Option<Vec<u8>> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed.rotate_left(32) ^ number);
        let mut wasm = match number % RUNTIME_EVERY {
            0 => {
                let runtime = &self.runtimes[random.random_range(0..self.runtimes.len())];
                mutate(runtime.carve(&mut random).ok()?, &mut random)
            }
            _ if number % LOOPS_EVERY == 3 => loops::module(&mut random),
            _ if number % DISPATCH_EVERY == 5 => dispatch::module(&mut random),
            _ if number % CHAINS_EVERY == 6 => chains::module(&mut random),
            _ if number % COPIES_EVERY == 14 => copies::module(&mut random),
            _ => smith(&mut random)?,
        };
        if number / DEAR_EVERY % DEAR_EVERY == number % DEAR_EVERY {
            wasm = rewrite::dear(&wasm).ok()?;
        }
        if number / WITHIN_EVERY % WITHIN_EVERY == number % WITHIN_EVERY {
            wasm = rewrite::bounded_within(&wasm).ok()?;
        }
        Validator::new_with_features(WasmFeatures::WASM2).validate_all(&wasm).ok()?;
        Some(wasm)
    }
}

/// A module of wasm-smith's.
fn smith(random: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    // The types of functions that modules may import; what they do is up to the stub.
    const IMPORTS: &str = r#"(module
        (import "host" "nothing" (func))
        (import "host" "word" (func (result i32)))
        (import "host" "sum" (func (param i32 i64) (result i64)))
        (import "host" "floats" (func (param f32 f64) (result f64)))
        (import "host" "many" (func (param i32 i32 i32 i64 i64 f32 f64 i32 i64) (result i32)))
        (import "host" "pair" (func (param i64) (result i32 i64))))"#;
    // Only wasmtime knows vectors here, and only wasmi references.
    let vectors = random.random_bool(0.3);
    let config = Config {
        available_imports: Some(wat::parse_str(IMPORTS).ok()?),
        max_imports: random.random_range(0..6),
        min_funcs: 3,
        min_memories: 1,
        max_data_segments: 2,
        max_element_segments: 3,
        max_instructions: [100, 300, 1500][random.random_range(0..3)],
        max_memories: 1,
        max_tables: 4,
        max_memory32_bytes: 4 << 16,
        memory_max_size_required: true,
        max_table_elements: 1000,
        table_max_size_required: true,
        allow_floats: random.random_bool(0.7),
        disallow_traps: random.random_bool(0.5),
        reference_types_enabled: !vectors && random.random_bool(0.3),
        simd_enabled: vectors,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        exceptions_enabled: false,
        tail_call_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        multi_value_enabled: true,
        bulk_memory_enabled: true,
        sign_extension_ops_enabled: true,
        saturating_float_to_int_enabled: true,
        extended_const_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    };
    let mut bytes = vec![0; 16 << 10];
    random.fill_bytes(&mut bytes);
    Some(wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).ok()?.to_bytes())
}

/// Changes a module in a few places, so that it stays valid and does something else.
fn mutate(mut wasm: Vec<u8>, random: &mut ChaCha8Rng) -> Vec<u8> {
    for _ in 0..random.random_range(0..MUTATIONS) {
        let mut mutation = WasmMutate::default();
        mutation.seed(random.next_u64()).fuel(300).preserve_semantics(false);
        let next = mutation.run(&wasm).ok().and_then(|mut modules| modules.next()?.ok());
        if let Some(next) = next.filter(|next| next.len() < 2 * wasm.len() + 4096) {
            wasm = next;
        }
    }
    wasm
}

/// A runtime to carve from.
struct Runtime {
    wasm: Vec<u8>,
    shape: Shape,
    /// Defined functions by what they call, and the length of their bodies in bytes.
    bodies: Vec<(Vec<u32>, usize)>,
}

impl Runtime {
    fn new(bytes: Vec<u8>, name: &str) -> Result<Self> {
        let Input::Runtime(runtime) = Input::read(bytes, name)? else {
            anyhow::bail!("{name} is an image; a runtime is needed")
        };
        let wasm = own_memory(runtime.wasm(), Heap::Growing)?;
        let shape = Shape::of(&wasm)?;
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            let Payload::CodeSectionEntry(body) = payload? else { continue };
            let mut calls = Vec::new();
            for operator in body.get_operators_reader()? {
                if let Operator::Call { function_index } = operator? {
                    calls.push(function_index);
                }
            }
            bodies.push((calls, body.range().len()));
        }
        Ok(Self { wasm, shape, bodies })
    }

    /// A function with what it calls, up to so much code; what is left out traps.
    fn carve(&self, random: &mut ChaCha8Rng) -> Result<Vec<u8>> {
        let imported = self.shape.imported;
        let root = imported + random.random_range(0..self.bodies.len() as u32);
        let mut kept = BTreeSet::new();
        let mut waiting = VecDeque::from([root]);
        let mut left = CARVED;
        while let Some(function) = waiting.pop_front() {
            let Some(defined) = function.checked_sub(imported) else { continue };
            let (calls, len) = &self.bodies[defined as usize];
            if *len > left || !kept.insert(function) {
                continue;
            }
            left -= len;
            waiting.extend(calls);
        }
        let mut module = Module::new();
        let mut carving = Carving::new(&self.shape, &kept);
        let done = carving.parse_core_module(&mut module, Parser::new(0), &self.wasm);
        done.map_err(|error| anyhow::anyhow!("cannot carve: {error}"))?;
        Ok(module.finish())
    }
}

/// Keeps some functions; all others are one function that traps for each type.
struct Carving<'s> {
    shape: &'s Shape,
    /// New index by old one.
    indices: Vec<u32>,
    /// Types of the defined functions that stay, and of those that trap.
    types: Vec<u32>,
    kept: &'s BTreeSet<u32>,
    /// The next defined function of the runtime.
    next: u32,
}

type Done<T = ()> = std::result::Result<T, Error<Infallible>>;

impl<'s> Carving<'s> {
    fn new(shape: &'s Shape, kept: &'s BTreeSet<u32>) -> Self {
        let imported = shape.imported;
        let mut types: Vec<u32> = kept.iter().map(|f| shape.functions[*f as usize]).collect();
        let mut traps = BTreeMap::new();
        let mut indices = Vec::new();
        for (function, ty) in (0..).zip(&shape.functions) {
            let index = match kept.iter().position(|kept| *kept == function) {
                _ if function < imported => function,
                Some(position) => imported + position as u32,
                None => *traps.entry(*ty).or_insert_with(|| {
                    types.push(*ty);
                    imported + types.len() as u32 - 1
                }),
            };
            indices.push(index);
        }
        Self { shape, indices, types, kept, next: imported }
    }
}

impl Reencode for Carving<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Done<u32> {
        Ok(self.indices[function as usize])
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        _: wasmparser::FunctionSectionReader<'_>,
    ) -> Done {
        for ty in &self.types {
            functions.function(*ty);
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        _: &mut ExportSection,
        _: wasmparser::ExportSectionReader<'_>,
    ) -> Done {
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> Done {
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Done {
        if self.kept.contains(&self.next) {
            wasm_encoder::reencode::utils::parse_function_body(self, code, body)?;
        }
        self.next += 1;
        if self.next as usize == self.shape.functions.len() {
            for _ in self.kept.len()..self.types.len() {
                let mut function = Function::new([]);
                function.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
                code.function(&function);
            }
        }
        Ok(())
    }
}
