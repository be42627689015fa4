//! Turns functions into text for people: CLIF, or assembly with the Wasm operators between the
//! instructions they became.

use crate::{
    error::CompileError,
    isa::{Isas, Symbol},
    module::{Body, Module},
    options::Options,
    parse, translate,
    vmctx::Layout,
};
use capstone::prelude::*;
use cranelift_codegen::{
    Context, FinalizedRelocTarget, control::ControlPlane, ir::ExternalName, isa::TargetIsa,
};
use cranelift_frontend::FunctionBuilderContext;
use lithify_abi::{machine::Machine, plain::Plain};
use std::{collections::BTreeMap, fmt::Write};
use wasmparser::FuncValidatorAllocations;

type Result<T> = std::result::Result<T, CompileError>;

/// What [`dump`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// Cranelift's intermediate representation, before optimisation. `@1f3` before an
    /// instruction is the offset of its operator in the Wasm file.
    Clif,
    /// Assembly. Addresses count from the function's start; references to other symbols are not
    /// resolved yet and are named instead.
    Asm,
}

/// Shows `function` of `wasm`, an index or a name of the name section or an export, or all
/// functions without one.
///
/// # Errors
///
/// As [`compile`](crate::compile); and [`CompileError::Options`] when there is no such function.
pub fn dump(wasm: &[u8], options: &Options, what: Dump, function: Option<&str>) -> Result<String> {
    let module = parse::parse(wasm, options)?;
    let layout = Layout::new(&module);
    let isas = Isas::new(options.target)?;
    let selected = function.map(|name| find(&module, name)).transpose()?;
    let common = translate::Common { module: &module, layout: &layout, isas: &isas };
    let mut out = String::new();
    let mut context = Context::new();
    let mut builder = FunctionBuilderContext::new();
    let mut allocations = FuncValidatorAllocations::default();
    for (index, body) in (module.imported_functions..).zip(&module.bodies) {
        if selected.is_some_and(|selected| selected != index) {
            continue;
        }
        let (func, builder) = (&mut context.func, &mut builder);
        let translated = translate::translate(common, index, body, allocations, func, builder)
            .map_err(|e| parse::explain(wasm, module.profile, Some(index), e))?;
        allocations = translated.allocations;
        let (name, ty) = (module.function_name(index), module.function_type(index));
        let (start, end) = (body.range.start, body.range.end);
        let shown = Plain(&name);
        let _ = writeln!(out, ";; function {index} {shown}: {ty}, Wasm {start:#x}..{end:#x}");
        match what {
            Dump::Clif => {
                let _ = writeln!(out, "{}", context.func.display());
            }
            Dump::Asm => {
                let isa = isas.isa(translated.way);
                assembly(&module, isa, options.target.machine, &mut context, body, &mut out)
                    .map_err(|message| CompileError::Codegen { func: index, name, message })?;
            }
        }
        context.clear();
    }
    Ok(out)
}

fn find(module: &Module<'_>, name: &str) -> Result<u32> {
    let exported = module.exports.iter().find_map(|export| match export.kind {
        crate::module::ExportKind::Function(index) if export.name == name => Some(index),
        _ => None,
    });
    let named = || module.names.iter().position(|n| *n == Some(name)).map(|i| i as u32);
    let index = name.parse().ok().or(exported).or_else(named);
    match index {
        Some(index) if index < module.imported_functions => {
            Err(CompileError::Options(format!("function {name} is imported: it has no body")))
        }
        Some(index) if (index as usize) < module.functions.len() => Ok(index),
        _ => Err(CompileError::Options(format!(
            "there is no function {name:?}; give an export, a name of the name section, or an \
             index from {} to {}",
            module.imported_functions,
            module.functions.len().saturating_sub(1)
        ))),
    }
}

/// Writes the assembly of the function in `context`.
fn assembly(
    module: &Module<'_>,
    isa: &dyn TargetIsa,
    machine: Machine,
    context: &mut Context,
    body: &Body<'_>,
    out: &mut String,
) -> std::result::Result<(), String> {
    context.compile(isa, &mut ControlPlane::default()).map_err(|e| format!("{:?}", e.inner))?;
    let compiled = context.compiled_code().expect("just compiled");
    let operators = operators(body).map_err(|e| e.to_string())?;
    let locations: BTreeMap<u32, u32> = (compiled.buffer.get_srclocs_sorted().iter())
        .filter(|location| !location.loc.is_default())
        .map(|location| (location.start, location.loc.bits()))
        .collect();
    let references: BTreeMap<u32, String> = (compiled.buffer.relocs().iter())
        .filter_map(|reloc| match &reloc.target {
            FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
                let name = &context.func.params.user_named_funcs()[*name];
                let symbol = Symbol::from_external_name(name);
                Some((reloc.offset, symbol_name(module, symbol)))
            }
            _ => None,
        })
        .collect();
    let disassembler = disassembler(machine).map_err(|e| e.to_string())?;
    let instructions =
        disassembler.disasm_all(compiled.code_buffer(), 0).map_err(|e| e.to_string())?;
    for instruction in instructions.iter() {
        let start = instruction.address() as u32;
        if let Some(offset) = locations.get(&start) {
            let operator = operators.get(offset).map_or("", String::as_str);
            let _ = writeln!(out, "    ;; @{offset:x} {operator}");
        }
        let end = start + instruction.len() as u32;
        let reference = references.range(start..end).next();
        let reference = reference.map_or(String::new(), |(_, name)| format!("  ; {}", Plain(name)));
        let (mnemonic, operands) = (instruction.mnemonic(), instruction.op_str());
        let (mnemonic, operands) = (mnemonic.unwrap_or("?"), operands.unwrap_or_default());
        let line = format!("{start:6x}: {mnemonic:<8} {operands}{reference}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push('\n');
    Ok(())
}

fn disassembler(machine: Machine) -> CsResult<Capstone> {
    let mut disassembler = match machine {
        Machine::X86_64 => Capstone::new().x86().mode(arch::x86::ArchMode::Mode64).build()?,
        Machine::Aarch64 => Capstone::new().arm64().mode(arch::arm64::ArchMode::Arm).build()?,
    };
    // Jump tables lie in the code; they are shown as data.
    disassembler.set_skipdata(true)?;
    Ok(disassembler)
}

/// The operators of a body by their offset, as the text format writes them, nearly.
fn operators(body: &Body<'_>) -> wasmparser::Result<BTreeMap<u32, String>> {
    let mut reader = body.body.get_operators_reader()?;
    let mut operators = BTreeMap::new();
    while !reader.eof() {
        let (operator, offset) = reader.read_with_offset()?;
        operators.insert(offset as u32, format!("{operator:?}"));
    }
    Ok(operators)
}

fn symbol_name(module: &Module<'_>, symbol: Symbol) -> String {
    match symbol {
        Symbol::Function(index) if module.is_imported_function(index) => {
            format!("import {index}")
        }
        Symbol::Function(index) => module.function_name(index),
        Symbol::Libcall(libcall) | Symbol::Runtime(libcall) => libcall.symbol().into(),
        Symbol::Heap(call) => format!("heap[{call}]"),
        Symbol::Table(index) => format!("table {index}"),
        Symbol::Descriptor => "function records".into(),
        Symbol::Text => "start of the text".into(),
        Symbol::Import(position) | Symbol::Slot(position) => {
            module.imports[position as usize].field.into()
        }
    }
}
