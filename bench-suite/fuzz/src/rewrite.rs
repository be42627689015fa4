//! Rewrites a module for comparison.
//!
//! [`bounded`] makes every call end and everything visible: each function and each round of a
//! loop takes one unit from the exported global `fuel`, and traps when there is none, on every
//! engine at the same operator. All functions, globals and the memory are exported; [`bounded_within`]
//! leaves most functions to the module, so that a compiler knows all of their callers.
//!
//! [`canonical`] makes an engine that leaves the bits of NaNs open give canonical ones, by a choice
//! after each operator that computes a float. What Lithify makes canonical by itself is thereby
//! checked against it.
//!
//! [`plain`] says the same in a roundabout way, which leaves an interpreter no operators to join
//! and no local to read later than it should: where it then gives another answer than before, the
//! mistake is the interpreter's. wasmi 2.0.0 makes two such mistakes; both are among the cases.

use anyhow::{Result, anyhow};
use std::convert::Infallible;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection,
    GlobalType, Ieee32, Ieee64, Instruction, Module, SectionId, ValType,
};
use wasmparser::{FunctionBody, Operator, Parser, Payload, TypeRef};

/// The global that holds what is left for a call.
pub const FUEL: &str = "fuel";
/// Functions and rounds of loops that one call may enter.
pub const FUEL_PER_CALL: i32 = 20_000;
/// What the memory is exported as.
pub const MEMORY: &str = "memory";

/// A module in the form that [`bounded`] gives, of functions in text form. They have the global `$fuel` to
/// take their units from, and `$g` of their own.
pub fn of_functions(functions: &str) -> Vec<u8> {
    let text = format!(
        "(module (memory (export \"{MEMORY}\") 1)
           (global $fuel (export \"{FUEL}\") (mut i32) (i32.const {FUEL_PER_CALL}))
           (global $g (export \"g\") (mut i32) (i32.const 0))
           {functions})"
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

type Done<T = ()> = std::result::Result<T, Error<Infallible>>;

/// `wasm` with fuel, and exports: functions as `f0`, `f1`, globals as `g0`, `g1`. A module that
/// exports the fuel already stays as it is.
pub fn bounded(wasm: &[u8]) -> Result<Vec<u8>> {
    let shape = Shape::of(wasm)?;
    if shape.fuel {
        return Ok(wasm.to_vec());
    }
    encode(&mut Bounded { shape, hides: false, global: false, exports: false }, wasm)
}

/// The same, with a third of the functions exported.
pub fn bounded_within(wasm: &[u8]) -> Result<Vec<u8>> {
    let shape = Shape::of(wasm)?;
    encode(&mut Bounded { shape, hides: true, global: false, exports: false }, wasm)
}

/// `wasm` with canonical NaNs wherever it computes a float.
pub fn canonical(wasm: &[u8]) -> Result<Vec<u8>> {
    encode(&mut Canonical { shape: Shape::of(wasm)?, next: 0, plain: false }, wasm)
}

/// The same, with every value of a local and every condition of a select computed anew.
pub fn plain(wasm: &[u8]) -> Result<Vec<u8>> {
    encode(&mut Canonical { shape: Shape::of(wasm)?, next: 0, plain: true }, wasm)
}

/// A module that does the same, and whose functions, but for those behind the first [`MAX_DEAR`],
/// the compiler does not optimise.
pub fn dear(wasm: &[u8]) -> Result<Vec<u8>> {
    encode(&mut Dear { left: MAX_DEAR }, wasm)
}

fn encode(rewrite: &mut impl Reencode<Error = Infallible>, wasm: &[u8]) -> Result<Vec<u8>> {
    let mut module = Module::new();
    let done = rewrite.parse_core_module(&mut module, Parser::new(0), wasm);
    done.map_err(|error| anyhow!("cannot rewrite the module: {error}"))?;
    Ok(module.finish())
}

/// What of a module is needed before its first section is written.
pub struct Shape {
    /// Parameters by type.
    pub params: Vec<Vec<wasmparser::ValType>>,
    /// Type of each function, imported ones first.
    pub functions: Vec<u32>,
    /// How many of them are imported.
    pub imported: u32,
    /// Whether a defined function does more than trap.
    pub works: Vec<bool>,
    globals: u32,
    memory: bool,
    fuel: bool,
}

impl Shape {
    /// Reads a valid module.
    pub fn of(wasm: &[u8]) -> Result<Self> {
        let mut shape = Self {
            params: vec![],
            functions: vec![],
            imported: 0,
            works: vec![],
            globals: 0,
            memory: false,
            fuel: false,
        };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        shape.params.push(ty?.params().to_vec());
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import?.ty {
                            TypeRef::Func(ty) => shape.functions.push(ty),
                            TypeRef::Global(_) => shape.globals += 1,
                            TypeRef::Memory(_) => shape.memory = true,
                            _ => {}
                        }
                    }
                    shape.imported = shape.functions.len() as u32;
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        shape.functions.push(ty?);
                    }
                }
                Payload::MemorySection(section) => shape.memory |= section.count() > 0,
                Payload::GlobalSection(section) => shape.globals += section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        shape.fuel |= export?.name == FUEL;
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let mut operators = body.get_operators_reader()?;
                    shape.works.push(!matches!(operators.read()?, Operator::Unreachable));
                }
                _ => {}
            }
        }
        Ok(shape)
    }

    /// The types of a body's locals, its parameters among them.
    fn locals(&self, defined: usize, body: &FunctionBody<'_>) -> Done<Vec<wasmparser::ValType>> {
        let ty = self.functions[self.imported as usize + defined];
        let mut locals = self.params[ty as usize].clone();
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            locals.extend(std::iter::repeat_n(ty, count as usize));
        }
        Ok(locals)
    }
}

struct Bounded {
    shape: Shape,
    /// Whether only some functions are exported.
    hides: bool,
    /// Whether the global of the fuel is written.
    global: bool,
    /// Whether the exports are.
    exports: bool,
}

impl Bounded {
    fn fuel(&mut self, globals: &mut GlobalSection) {
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i32_const(FUEL_PER_CALL));
        self.global = true;
    }

    fn export(&mut self, exports: &mut ExportSection) {
        for (defined, works) in self.shape.works.iter().enumerate() {
            if *works && (!self.hides || defined % 3 == 0) {
                let index = self.shape.imported + defined as u32;
                exports.export(&format!("f{index}"), ExportKind::Func, index);
            }
        }
        for index in 0..self.shape.globals {
            exports.export(&format!("g{index}"), ExportKind::Global, index);
        }
        exports.export(FUEL, ExportKind::Global, self.shape.globals);
        if self.shape.memory {
            exports.export(MEMORY, ExportKind::Memory, 0);
        }
        self.exports = true;
    }

    /// Takes one unit, or traps.
    fn spend(&self, function: &mut Function) {
        let fuel = self.shape.globals;
        function
            .instruction(&Instruction::GlobalGet(fuel))
            .instruction(&Instruction::I32Eqz)
            .instruction(&Instruction::If(BlockType::Empty))
            .instruction(&Instruction::Unreachable)
            .instruction(&Instruction::End)
            .instruction(&Instruction::GlobalGet(fuel))
            .instruction(&Instruction::I32Const(1))
            .instruction(&Instruction::I32Sub)
            .instruction(&Instruction::GlobalSet(fuel));
    }
}

/// The order of sections around those that may have to be added.
fn rank(section: Option<SectionId>) -> u8 {
    match section {
        Some(
            SectionId::Custom
            | SectionId::Type
            | SectionId::Import
            | SectionId::Function
            | SectionId::Table
            | SectionId::Memory
            | SectionId::Tag,
        ) => 0,
        Some(SectionId::Global) => 1,
        Some(SectionId::Export) => 2,
        _ => 3,
    }
}

impl Reencode for Bounded {
    type Error = Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Done {
        utils::parse_global_section(self, globals, section)?;
        self.fuel(globals);
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        _: wasmparser::ExportSectionReader<'_>,
    ) -> Done {
        self.export(exports);
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> Done {
        Ok(())
    }

    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Done {
        if !self.global && rank(before) > 1 {
            let mut globals = GlobalSection::new();
            self.fuel(&mut globals);
            module.section(&globals);
        }
        if !self.exports && rank(before) > 2 {
            let mut exports = ExportSection::new();
            self.export(&mut exports);
            module.section(&exports);
        }
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Done {
        let mut function = utils::new_function_with_parsed_locals(self, &body)?;
        self.spend(&mut function);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            let is_loop = matches!(operator, Operator::Loop { .. });
            function.instruction(&self.instruction(operator)?);
            if is_loop {
                self.spend(&mut function);
            }
        }
        code.function(&function);
        Ok(())
    }
}

/// Gives each body locals and a branch of many ways, for which the compiler does not optimise it.
struct Dear {
    /// So many more.
    left: usize,
}

/// The table of each takes its time on every engine.
const MAX_DEAR: usize = 16;

/// Ways of the branch. Their square times the locals is what counts, for any body of
/// 24 KiB.
const WAYS: usize = 4096;
/// Locals, which nobody uses.
const LOCALS: u32 = 15;

impl Reencode for Dear {
    type Error = Infallible;

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Done {
        let mut locals = Vec::new();
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            locals.push((count, self.val_type(ty)?));
        }
        locals.push((LOCALS, ValType::I32));
        let mut function = Function::new(locals);
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            function.instruction(&Instruction::Block(BlockType::Empty));
            function.instruction(&Instruction::I32Const(0));
            function.instruction(&Instruction::BrTable(vec![0; WAYS].into(), 0));
            function.instruction(&Instruction::End);
        }
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            function.instruction(&self.instruction(operators.read()?)?);
        }
        code.function(&function);
        Ok(())
    }
}

struct Canonical {
    plain: bool,
    shape: Shape,
    /// The next defined function.
    next: usize,
}

impl Reencode for Canonical {
    type Error = Infallible;

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Done {
        let types = self.shape.locals(self.next, &body)?;
        let local = types.len() as u32;
        self.next += 1;
        let mut locals = Vec::new();
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            locals.push((count, self.val_type(ty)?));
        }
        locals.extend([(1, ValType::F32), (1, ValType::F64), (1, ValType::I32)]);
        let mut function = Function::new(locals);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            let float = computes(&operator);
            let select = matches!(operator, Operator::Select | Operator::TypedSelect { .. });
            if self.plain && select {
                function.instruction(&Instruction::LocalTee(local + 2));
            }
            let read = match operator {
                Operator::LocalGet { local_index } if self.plain => {
                    Some(types[local_index as usize])
                }
                _ => None,
            };
            function.instruction(&self.instruction(operator)?);
            match float {
                Some(ValType::F32) => choose(&mut function, local, &f32_nan(), &Instruction::F32Eq),
                Some(_) => choose(&mut function, local + 1, &f64_nan(), &Instruction::F64Eq),
                None => {}
            }
            if let Some(ty) = read {
                anew(&mut function, ty);
            }
        }
        code.function(&function);
        Ok(())
    }
}

/// Computes the number on the stack from itself. To reinterpret it is not enough: where a register
/// holds either type, that is no computation.
fn anew(function: &mut Function, ty: wasmparser::ValType) {
    use Instruction as I;
    let steps: &[I<'_>] = match ty {
        wasmparser::ValType::I32 => &[I::I32Const(0), I::I32Xor],
        wasmparser::ValType::I64 => &[I::I64Const(0), I::I64Xor],
        wasmparser::ValType::F32 => {
            &[I::I32ReinterpretF32, I::I32Const(0), I::I32Xor, I::F32ReinterpretI32]
        }
        wasmparser::ValType::F64 => {
            &[I::I64ReinterpretF64, I::I64Const(0), I::I64Xor, I::F64ReinterpretI64]
        }
        _ => &[],
    };
    for step in steps {
        function.instruction(step);
    }
}

/// The value on the stack if it equals itself, else the canonical NaN.
fn choose(function: &mut Function, local: u32, nan: &Instruction<'_>, equal: &Instruction<'_>) {
    function
        .instruction(&Instruction::LocalTee(local))
        .instruction(nan)
        .instruction(&Instruction::LocalGet(local))
        .instruction(&Instruction::LocalGet(local))
        .instruction(equal)
        .instruction(&Instruction::Select);
}

fn f32_nan() -> Instruction<'static> {
    Instruction::F32Const(Ieee32::new(0x7fc0_0000))
}

fn f64_nan() -> Instruction<'static> {
    Instruction::F64Const(Ieee64::new(0x7ff8_0000_0000_0000))
}

/// The type of float that an operator computes, where the bits of a NaN are the engine's choice.
fn computes(operator: &Operator<'_>) -> Option<ValType> {
    match operator {
        Operator::F32Add
        | Operator::F32Sub
        | Operator::F32Mul
        | Operator::F32Div
        | Operator::F32Min
        | Operator::F32Max
        | Operator::F32Sqrt
        | Operator::F32Ceil
        | Operator::F32Floor
        | Operator::F32Trunc
        | Operator::F32Nearest
        | Operator::F32DemoteF64 => Some(ValType::F32),
        Operator::F64Add
        | Operator::F64Sub
        | Operator::F64Mul
        | Operator::F64Div
        | Operator::F64Min
        | Operator::F64Max
        | Operator::F64Sqrt
        | Operator::F64Ceil
        | Operator::F64Floor
        | Operator::F64Trunc
        | Operator::F64Nearest
        | Operator::F64PromoteF32 => Some(ValType::F64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lithify_compiler::{Options, Profile, compile_image};

    /// Locals of a plain function live in its frame, so each use of one is a load.
    #[test]
    fn dear_functions_are_compiled_plainly() {
        let uses = "(local.set 0 (i32.add (local.get 0) (local.get 1)))".repeat(2000);
        let wat = format!(
            "(module (func (export \"f\") (param i32 i32) (result i32) {uses} (local.get 0)))"
        );
        let wasm = wat::parse_str(wat).expect("a module");
        let options = Options { profile: Some(Profile::General), ..Options::default() };
        let len = |wasm: &[u8]| compile_image(wasm, &options).expect("it compiles").len();
        let with_table = dear(&wasm).expect("it is rewritten");
        assert!(
            len(&with_table) > len(&wasm) + 4 * WAYS + 2000 * 4,
            "{} {}",
            len(&with_table),
            len(&wasm)
        );
    }
}
