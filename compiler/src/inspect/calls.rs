//! Which functions of a module call which, with the first argument of a call where it is a constant.
//!
//! By operators alone, in their order: a constant counts as an argument when nothing but constants and
//! reads of locals and globals stands between it and the call, which is how compilers write what they
//! know. What an indirect call reaches is not known; it is counted.

use crate::{
    error::CompileError,
    index::FuncIndex,
    module::{Body, ExportKind, Module},
    options::{Options, Profile},
    parse,
};
use wasmparser::Operator;

/// A function, and what it calls.
#[derive(Clone, Debug)]
pub struct FunctionCalls {
    /// Its name in the name section, that of its import, or `wasm[INDEX]`.
    pub name: String,
    /// The names that it is exported under.
    pub exports: Vec<String>,
    /// Direct calls in the order of operators; one that is written twice is there twice.
    pub calls: Vec<Call>,
    /// Number of indirect calls.
    pub indirect: usize,
}

/// A direct call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Function index of what is called.
    pub callee: u32,
    /// The first argument, where it is an `i32.const`.
    pub argument: Option<u32>,
}

/// Lists the functions of `wasm` with their calls, imports included; the position is the index.
///
/// # Errors
///
/// As [`inspect`](super::inspect); bodies are not validated.
pub fn calls(wasm: &[u8]) -> Result<Vec<FunctionCalls>, CompileError> {
    let options = Options { profile: Some(Profile::General), ..Options::default() };
    parse::parse(wasm, &options, |module| {
        let mut functions: Vec<FunctionCalls> = (0..module.functions.len())
            .map(|index| {
                let index = FuncIndex::from_u32(index as u32);
                let imported = module.import_of(index).map(|import| &module.imports[import]);
                let name = imported.map(|import| format!("{}.{}", import.module, import.field));
                let name = name.unwrap_or_else(|| module.function_name(index));
                FunctionCalls { name, exports: Vec::new(), calls: Vec::new(), indirect: 0 }
            })
            .collect();
        for export in &module.exports {
            if let ExportKind::Function(index) = export.kind {
                functions[index.as_u32() as usize].exports.push(export.name.into());
            }
        }
        for (index, body) in module.defined() {
            let function = &mut functions[index.as_u32() as usize];
            read(&module, body, function).map_err(CompileError::from)?;
        }
        Ok(functions)
    })
}

fn read(
    module: &Module<'_>,
    body: &Body<'_>,
    function: &mut FunctionCalls,
) -> wasmparser::Result<()> {
    // What is on the operand stack for certain, as far as it was put there without a detour.
    let mut known: Vec<Option<u32>> = Vec::new();
    for operator in body.body.get_operators_reader()? {
        match operator? {
            Operator::I32Const { value } => known.push(Some(value as u32)),
            Operator::I64Const { .. }
            | Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::LocalGet { .. }
            | Operator::GlobalGet { .. } => known.push(None),
            Operator::Call { function_index } => {
                // A body that is not valid may name anything.
                if function_index as usize >= module.functions.len() {
                    continue;
                }
                let count = module.function_type(FuncIndex::from_u32(function_index)).params.len();
                let first = known.len().checked_sub(count).filter(|_| count > 0);
                let argument = first.and_then(|first| known[first]);
                function.calls.push(Call { callee: function_index, argument });
                known.clear();
            }
            Operator::CallIndirect { .. } => {
                function.indirect += 1;
                known.clear();
            }
            _ => known.clear(),
        }
    }
    Ok(())
}
