//! Turns a module into what it imports and exports, and its imports into host functions: for engines in C,
//! which call the host by the place of an import, with raw arguments.

use crate::instance::with_context;
use anyhow::{Context, Result, bail, ensure};
use lithify_abi::types::{FuncType, ValType};
use lithify_polkadot::{HostFunction, resolve};
use lithify_runtime::host::Guest;
use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef};

/// What a module imports and exports, as far as a runtime does.
#[derive(Default)]
pub struct Interface {
    /// In its order.
    pub imports: Vec<Import>,
    /// Exported functions of the type of an entry point.
    pub entries: Vec<String>,
    /// Those of the type `() -> ()`.
    pub initializers: Vec<String>,
    /// The value of `__heap_base`, a constant; none where only an instance is asked for it.
    pub heap_base: Option<u32>,
    /// How many pages its memory has at first.
    pub min_pages: u64,
    /// The most pages that its memory may have.
    pub max_pages: Option<u32>,
}

/// A function that it imports.
pub struct Import {
    pub module: String,
    pub name: String,
    pub ty: FuncType,
}

impl Interface {
    /// Of a module.
    pub fn of(wasm: &[u8]) -> Result<Self> {
        let mut interface = Self::default();
        let mut types = Vec::new();
        let mut functions = Vec::new();
        let mut globals = Vec::new();
        let mut has_memory = false;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        types.push(ty?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        let TypeRef::Func(ty) = import.ty else {
                            bail!("it imports {}, which is no function", import.name);
                        };
                        functions.push(ty);
                        interface.imports.push(Import {
                            module: import.module.into(),
                            name: import.name.into(),
                            ty: abi_type(types.get(ty as usize).context("no such type")?)?,
                        });
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        functions.push(ty?);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        let memory = memory?;
                        interface.min_pages = memory.initial;
                        interface.max_pages = memory.maximum.and_then(|max| max.try_into().ok());
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        let global = global?;
                        let mut value = global.init_expr.get_operators_reader();
                        globals.push(match value.read()? {
                            Operator::I32Const { value } if !global.ty.mutable => Some(value),
                            _ => None,
                        });
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Global && export.name == "__heap_base" {
                            let value = globals.get(export.index as usize).copied().flatten();
                            let value = value.context("__heap_base is no constant")?;
                            interface.heap_base = Some(value as u32);
                        }
                        has_memory |=
                            export.kind == ExternalKind::Memory && export.name == "memory";
                        if export.kind != ExternalKind::Func {
                            continue;
                        }
                        let ty = functions.get(export.index as usize);
                        let ty =
                            ty.and_then(|ty| types.get(*ty as usize)).context("no function")?;
                        if let Ok(ty) = abi_type(ty) {
                            interface.export(export.name, &ty);
                        }
                    }
                }
                _ => {}
            }
        }
        ensure!(has_memory, "the module exports no `memory`");
        Ok(interface)
    }

    /// Notes an exported function, which the host may call or not.
    pub fn export(&mut self, name: &str, ty: &FuncType) {
        if *ty == lithify_polkadot::native::entry_type() {
            self.entries.push(name.into());
        } else if *ty == FuncType::new(&[], &[]) {
            self.initializers.push(name.into());
        }
    }

    /// What its imports are bound to, in their order.
    pub fn hosts(&self, probe: &str) -> Vec<Host> {
        self.imports.iter().map(|import| Host::of(import, probe)).collect()
    }
}

/// What an import is bound to.
pub enum Host {
    Function(&'static HostFunction),
    Probe,
    /// It traps, with that message.
    Missing(String),
}

impl Host {
    fn of(import: &Import, probe: &str) -> Self {
        let of_probe = FuncType::new(&[ValType::I32], &[ValType::I32]);
        if import.name == probe && import.module == "env" && import.ty == of_probe {
            return Self::Probe;
        }
        match resolve(&import.module, &import.name, &import.ty) {
            Ok(function) => Self::Function(function),
            Err(missing) => Self::Missing(missing.to_string()),
        }
    }

    /// How many arguments it reads.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Function(function) => function.ty().params.len(),
            Self::Probe => 1,
            Self::Missing(_) => 0,
        }
    }

    /// How many results it gives: none or one.
    pub fn results(&self) -> usize {
        match self {
            Self::Function(function) => function.ty().results.len(),
            Self::Probe => 1,
            Self::Missing(_) => 0,
        }
    }

    /// Runs it with raw arguments, an `i32` in the low half; an error is why the guest is to trap.
    pub fn run(&self, guest: &mut impl Guest, arguments: &[u64]) -> Result<u64, String> {
        match self {
            Self::Probe => Ok(u64::from((arguments[0] as u32).wrapping_add(1))),
            Self::Missing(why) => Err(why.clone()),
            Self::Function(function) => {
                match with_context(|context| function.call(context, guest, arguments)) {
                    Err(outside) => Err(outside.to_string()),
                    Ok(done) => done.map_err(|error| error.to_string()),
                }
            }
        }
    }
}

/// A type of WebAssembly as ours.
fn abi_type(ty: &wasmparser::FuncType) -> Result<FuncType> {
    let ours = |ty: &wasmparser::ValType| {
        Ok(match ty {
            wasmparser::ValType::I32 => ValType::I32,
            wasmparser::ValType::I64 => ValType::I64,
            wasmparser::ValType::F32 => ValType::F32,
            wasmparser::ValType::F64 => ValType::F64,
            other => bail!("{other} in a runtime"),
        })
    };
    Ok(FuncType {
        params: ty.params().iter().map(ours).collect::<Result<_>>()?,
        results: ty.results().iter().map(ours).collect::<Result<_>>()?,
    })
}
