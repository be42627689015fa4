//! Turns a module into a header for C: what a program defines for the module's object, and what it
//! gets of it.
//!
//! Names of the module reach the header as symbols, which are identifiers whatever the names are,
//! and in comments, where nothing of them can end the comment.

use crate::{
    error::{CompileError, OptionsError},
    module::Module,
    options::{Options, Symbols},
    parse,
    vmctx::VmctxPlan,
};
use lithify_abi::{
    symbols,
    types::{FuncType, ValType},
    vmctx::VALUE_SIZE,
};
use std::{collections::HashMap, fmt::Write};

/// The header for the object that [`compile_object`](crate::compile_object) makes of `wasm` with
/// the same options. It stands beside `lithify.h` of the runtime library.
///
/// # Errors
///
/// As [`compile`](crate::compile), though function bodies are not looked at; and
/// [`CompileError::Options`] when an export that is asked for is not there, the prefix is no
/// identifier, or one name is imported with two types, which C cannot bind.
pub fn header(wasm: &[u8], options: &Options) -> Result<String, CompileError> {
    parse::parse(wasm, options, |module| write_header(&module, &options.symbols))
}

fn write_header(module: &Module<'_>, symbols: &Symbols) -> Result<String, CompileError> {
    let Symbols { prefix, .. } = symbols;
    let exports = symbols.of(module)?;
    let imports = imports(module)?;
    let mut text = format!(
        "/* What an object of Lithify needs of the program that it is linked into, and gives it: see\n \
         * lithify.h. Made from the module; a module with other imports needs another one. */\n\n\
         #ifndef {prefix}_MODULE_H\n#define {prefix}_MODULE_H\n\n#include \"lithify.h\"\n"
    );
    let types = || imports.iter().map(|(_, _, ty)| *ty);
    let types = types().chain(exports.iter().map(|(index, _, _)| module.function_type(*index)));
    if types.into_iter().any(|ty| ty.params.iter().chain(&ty.results).any(|v| *v == ValType::V128))
    {
        text.push_str(VECTORS);
    }
    text.push_str("\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
    let area = VmctxPlan::new(module).return_area;
    let mut function = |comment: &str, ty: &FuncType, symbol: &str| {
        let more = match ty.results.len() {
            0 | 1 => String::new(),
            _ => format!(
                "; results from the second on: from base{area:+} on, {VALUE_SIZE} bytes apart"
            ),
        };
        let result = ty.results.first().map_or("void", |ty| c_type(*ty));
        let params: String =
            ty.params.iter().enumerate().map(|(i, ty)| format!(", {} p{i}", c_type(*ty))).collect();
        let (comment, ty) = (printable(comment), ty.to_string());
        let _ = write!(
            text,
            "\n/* {comment}: {ty}{more} */\n{result} {symbol}(uint8_t *base{params});\n"
        );
    };
    for (module, field, ty) in &imports {
        let symbol = symbols::import(prefix, module, field);
        function(&format!("the program defines {module}.{field}"), ty, &symbol);
    }
    for (index, name, symbol) in &exports {
        function(&format!("the module defines {name}"), module.function_type(*index), symbol);
    }
    let descriptor = symbols::descriptor(prefix);
    let _ = write!(
        text,
        "\n/* The module, for lithify_pool_new. */\nextern const uint8_t {descriptor}[];\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
    );
    Ok(text)
}

/// The type of a vector, which only some modules use.
const VECTORS: &str = "
#ifndef LITHIFY_V128
#define LITHIFY_V128
#ifdef __x86_64__
#include <emmintrin.h>
typedef __m128i lithify_v128;
#else
#include <arm_neon.h>
typedef uint8x16_t lithify_v128;
#endif
#endif
";

/// The functions that the module imports, each once, by module name, field and type.
fn imports<'m>(
    module: &'m Module<'_>,
) -> Result<Vec<(&'m str, &'m str, &'m FuncType)>, OptionsError> {
    let (mut imports, mut types) = (Vec::new(), HashMap::new());
    for (index, import) in &module.imported_functions {
        let (import, ty) = (&module.imports[*import], module.function_type(index));
        let (from, field) = (import.module, import.field);
        match types.insert((from, field), ty) {
            None => imports.push((from, field, ty)),
            Some(known) if known == ty => {}
            Some(known) => {
                let name = format!("{from}.{field}");
                let types = Box::new([known.clone(), ty.clone()]);
                return Err(OptionsError::TwoTypes { name, types });
            }
        }
    }
    Ok(imports)
}

/// Addresses are among the integers, so they have no sign.
fn c_type(ty: ValType) -> &'static str {
    match ty {
        ValType::I32 => "uint32_t",
        ValType::I64 | ValType::FuncRef | ValType::ExternRef => "uint64_t",
        ValType::F32 => "float",
        ValType::F64 => "double",
        ValType::V128 => "lithify_v128",
    }
}

/// A name as a comment may hold it: one line of ASCII without `*`.
fn printable(name: &str) -> String {
    let plain = |c: char| (c.is_ascii_graphic() && c != '*' && c != '\\') || c == ' ';
    let text = |c: char| if plain(c) { c.to_string() } else { c.escape_unicode().to_string() };
    name.chars().map(text).collect()
}
