//! Resolves what a module imports, by name and type.
//!
//! All that is missing is reported at once: who moves a runtime to another host wants the list,
//! not its first line.

use super::error::{ImageError, UnresolvedImport};
use super::imports::{Closure, Function, Imports};
use super::metadata::{ExternType, Limits};
use super::section::{self, Records};
use lithify_abi::descriptor::{Import, kind};
use lithify_abi::libcall::Libcall;
use lithify_abi::symbols;
use lithify_abi::types::ValType;
use std::collections::HashMap;

/// What a function import is bound to.
pub(crate) enum Bound {
    /// A host function in Rust.
    Closure {
        closure: Closure,
        slots: usize,
        /// Whether a result is a reference to a function.
        gives_funcs: bool,
        ty: u32,
    },
    /// Nothing: the message names what is missing.
    Missing(String),
    /// Native code that the guest calls directly, or not a function.
    Direct,
}

/// All imports, resolved.
#[derive(Default)]
pub(crate) struct Bindings {
    /// One for each import.
    pub functions: Vec<Bound>,
    /// The initial value of each import that is a global, 0 for others.
    pub globals: Vec<u128>,
    /// The sizes of the imported memory and of imported tables, by index, that were provided.
    pub memory: Option<Limits>,
    pub tables: Vec<(u32, Limits)>,
    /// What goes into a place that is to hold the address of a symbol.
    pub symbols: HashMap<String, Target>,
}

/// An address for the linkage table.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// An offset in the text.
    Text(u32),
    /// An address outside the image.
    Native(usize),
}

impl Bindings {
    /// Resolves the imports of a module that is not linked, and its libcalls.
    pub fn resolve(
        metadata: &[u8],
        records: &Records,
        imports: &Imports,
        libcalls: fn(Libcall) -> usize,
    ) -> Result<Self, ImageError> {
        let mut bindings = Self::default();
        let mut tables = 0;
        let mut unresolved = Vec::new();
        let mut types = HashMap::new();
        for import in &records.imports {
            let name = |span| section::name(metadata, &records.descriptor, span);
            let (module, field) = (name(import.module), name(import.field));
            let resolved = bindings.import(import, module, field, tables, records, imports);
            tables += u32::from(import.kind == kind::TABLE);
            unresolved.extend(resolved.err());
            if import.kind == kind::FUNCTION {
                check_type(&mut types, module, field, import.ty)?;
            }
        }
        if !unresolved.is_empty() {
            let imports = unresolved;
            return Err(ImageError::Imports { imports });
        }
        for libcall in Libcall::ALL {
            let target = Target::Native(libcalls(*libcall));
            bindings.symbols.insert(libcall.symbol().into(), target);
        }
        Ok(bindings)
    }

    fn import(
        &mut self,
        import: &Import,
        module: &str,
        field: &str,
        table: u32,
        records: &Records,
        imports: &Imports,
    ) -> Result<(), UnresolvedImport> {
        let (mut bound, mut value) = (Bound::Direct, 0);
        match import.kind {
            kind::FUNCTION => {
                let ty = &records.types[import.ty as usize];
                let mut target = Target::Text(import.code);
                bound = match imports.find_function(module, field, ty)? {
                    Some(Function::Closure(closure)) => Bound::Closure {
                        closure,
                        slots: ty.params.len().max(ty.results.len()),
                        gives_funcs: ty.results.contains(&ValType::FuncRef),
                        ty: import.ty,
                    },
                    Some(Function::Native(address)) => {
                        target = Target::Native(address as usize);
                        Bound::Direct
                    }
                    None => Bound::Missing(format!("{module}.{field}: {ty}")),
                };
                self.symbols.insert(symbols::import(symbols::PREFIX, module, field), target);
            }
            kind::GLOBAL => {
                let ty = u8::try_from(import.ty).ok().and_then(ValType::from_u8);
                if let Some(ty) = ty {
                    value = imports.find_global(module, field, ty, import.code == 1)?;
                }
            }
            kind::MEMORY => {
                let wanted = ExternType::Memory(Limits::new(import.ty, import.code));
                self.memory = imports.find_size(module, field, &wanted)?;
            }
            _ => {
                let wanted = ExternType::Table(Limits::new(import.ty, import.code));
                let limits = imports.find_size(module, field, &wanted)?;
                self.tables.extend(limits.map(|limits| (table, limits)));
            }
        }
        self.functions.push(bound);
        self.globals.push(value);
        Ok(())
    }

    /// The bindings of a linked module, whose functions the linker has bound. There is nobody to
    /// give values to its globals.
    pub fn linked(metadata: &[u8], records: &Records) -> Result<Self, ImageError> {
        let names = |import: &Import| {
            [import.module, import.field]
                .map(|name| section::name(metadata, &records.descriptor, name))
        };
        let mut unresolved = Vec::new();
        let mut types = HashMap::new();
        for import in &records.imports {
            let [module, field] = names(import);
            let ty = u8::try_from(import.ty).ok().and_then(ValType::from_u8);
            if let (kind::GLOBAL, Some(ty)) = (import.kind, ty) {
                let nothing = Imports::new().find_global(module, field, ty, import.code == 1);
                unresolved.extend(nothing.err());
            }
            if import.kind == kind::FUNCTION {
                check_type(&mut types, module, field, import.ty)?;
            }
        }
        if !unresolved.is_empty() {
            return Err(ImageError::Imports { imports: unresolved });
        }
        Ok(Self {
            functions: records.imports.iter().map(|_| Bound::Direct).collect(),
            globals: vec![0; records.imports.len()],
            ..Self::default()
        })
    }
}

/// Notes the type of a function import. Two of one name are one symbol, so they have one type.
fn check_type<'m>(
    types: &mut HashMap<(&'m str, &'m str), u32>,
    module: &'m str,
    field: &'m str,
    ty: u32,
) -> Result<(), ImageError> {
    match *types.entry((module, field)).or_insert(ty) == ty {
        true => Ok(()),
        false => Err(ImageError::AmbiguousImport { module: module.into(), name: field.into() }),
    }
}
