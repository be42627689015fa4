//! Turns functions into text for people: CLIF, or assembly with the Wasm operators between the
//! instructions they became.

use crate::{
    error::{CompileError, OptionsError},
    index::FuncIndex,
    module::{Body, Module},
    options::Options,
    parse,
    symbol::Symbol,
    translate::{self, Buffers, ModuleContext},
    vmctx::VmctxPlan,
};
use capstone::prelude::*;
use cranelift_codegen::{
    Context, FinalizedRelocTarget, control::ControlPlane, ir::ExternalName, isa::TargetIsa,
};
use lithify_abi::{machine::Machine, plain::Plain, site::Inlined};
use std::{collections::BTreeMap, fmt::Write};

type Result<T> = std::result::Result<T, CompileError>;

/// What [`dump`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// Cranelift's intermediate representation, before optimisation. `@1f3` before an
    /// instruction is the position of its operator: the offset in the Wasm file or, from the end of
    /// the function's body on, that in the bodies which were inlined, one after the other.
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
    parse::parse(wasm, options, |module| {
        let selected = function.map(|name| find(&module, name)).transpose()?;
        write(&module, options, what, selected)
    })
}

fn write(
    module: &Module<'_>,
    options: &Options,
    what: Dump,
    selected: Option<FuncIndex>,
) -> Result<String> {
    let plan = VmctxPlan::new(module);
    let module_context = ModuleContext::new(module, &plan, options)?;
    let mut out = String::new();
    let mut context = Context::new();
    let mut buffers = Buffers::default();
    for (index, body) in module.defined() {
        if selected.is_some_and(|selected| selected != index) {
            continue;
        }
        let func = &mut context.func;
        let translated = translate::translate(&module_context, index, body, func, &mut buffers)?;
        let (name, ty) = (module.function_name(index), module.function_type(index));
        let (start, end) = (body.range.start, body.range.end);
        let (func, shown) = (index.as_u32(), Plain(&name));
        let _ = writeln!(out, ";; function {func} {shown}: {ty}, Wasm {start:#x}..{end:#x}");
        match what {
            Dump::Clif => {
                let _ = writeln!(out, "{}", context.func.display());
            }
            Dump::Asm => {
                let isa = module_context.isas.isa(translated.way);
                let operators = Operators { module, body, inlined: &translated.inlined };
                assembly(operators, isa, options.target.machine, &mut context, &mut out)
                    .map_err(|message| CompileError::Codegen { func, name, message })?;
            }
        }
        context.clear();
    }
    Ok(out)
}

/// The function that a user names: by index, export or name section.
fn find(module: &Module<'_>, name: &str) -> std::result::Result<FuncIndex, OptionsError> {
    let numbered = || {
        let index: u32 = name.parse().ok()?;
        module.functions.keys().nth(index as usize)
    };
    let named = || module.functions.keys().find(|index| module.names[*index] == Some(name));
    match numbered().or_else(|| module.exported_function(name)).or_else(named) {
        Some(index) if module.import_of(index).is_some() => Err(OptionsError::NoBody(name.into())),
        Some(index) => Ok(index),
        None => Err(OptionsError::NoFunction {
            name: name.into(),
            first: module.imported_functions.len() as u32,
            last: module.functions.len().saturating_sub(1) as u32,
        }),
    }
}

/// Writes the assembly of the function in `context`.
fn assembly(
    operators: Operators<'_>,
    isa: &dyn TargetIsa,
    machine: Machine,
    context: &mut Context,
    out: &mut String,
) -> std::result::Result<(), String> {
    context.compile(isa, &mut ControlPlane::default()).map_err(|e| format!("{:?}", e.inner))?;
    let compiled = context.compiled_code().expect("just compiled");
    let module = operators.module;
    let operators = operators.by_position().map_err(|e| e.to_string())?;
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
        if let Some(position) = locations.get(&start) {
            let operator = operators.range(..=position).next_back();
            let operator = operator.map_or("", |(_, operator)| operator);
            let _ = writeln!(out, "    ;; {operator}");
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

/// What a function's code is made of.
#[derive(Clone, Copy)]
struct Operators<'m> {
    module: &'m Module<'m>,
    body: &'m Body<'m>,
    inlined: &'m [Inlined],
}

impl Operators<'_> {
    /// The operators by their position, with their offset in the file and as the text format writes
    /// them, nearly; those of an inlined body with its function.
    fn by_position(&self) -> wasmparser::Result<BTreeMap<u32, String>> {
        let mut all = BTreeMap::new();
        let mut add = |body: &Body<'_>, start: u32, of: &str| -> wasmparser::Result<()> {
            let mut reader = body.body.get_operators_reader()?;
            while !reader.eof() {
                let (operator, offset) = reader.read_with_offset()?;
                let position = start + (offset - body.range.start) as u32;
                all.insert(position, format!("@{offset:x} {of}{operator:?}"));
            }
            Ok(())
        };
        add(self.body, self.body.range.start as u32, "")?;
        let mut start = self.body.range.end as u32;
        for Inlined { function, len, .. } in self.inlined {
            let index = FuncIndex::from_u32(*function);
            let body = self.module.body_of(index).expect("what was inlined has a body");
            add(body, start, &format!("{}: ", Plain(&self.module.function_name(index))))?;
            start += len;
        }
        Ok(all)
    }
}

fn symbol_name(module: &Module<'_>, symbol: Symbol) -> String {
    match symbol {
        Symbol::Function(index) if module.import_of(index).is_some() => {
            format!("import {}", index.as_u32())
        }
        Symbol::Function(index) => module.function_name(index),
        Symbol::Libcall(libcall) | Symbol::Runtime(libcall) => libcall.symbol().into(),
        Symbol::Allocator(call) => format!("heap[{call}]"),
        Symbol::Bulk(bulk) => format!("short[{}]", bulk.libcall().symbol()),
        Symbol::Table(index) => format!("table {}", index.as_u32()),
        Symbol::Descriptor => "function records".into(),
        Symbol::Text => "start of the text".into(),
        Symbol::Import(index) => module.imports[index].field.into(),
    }
}
