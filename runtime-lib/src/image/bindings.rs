//! Resolves what a module imports, by name and type.
//!
//! All that is missing is reported at once: who moves a runtime to another host wants the list,
//! not its first line.

use super::error::{ImageError, UnresolvedImport};
use super::imports::{Closure, Function, Imports};
use super::section::{ExternDesc, ExternGlobal, Import, Records, Section};
use lithify_abi::types::{ExternType, Limits, ValType};
use std::collections::HashMap;

/// What a function import is bound to.
pub(crate) enum Bound {
    /// A host function in Rust.
    Closure {
        closure: Closure,
        /// Length of its array.
        array_len: usize,
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
    /// What goes into the linkage table for each import, by its position; nothing for what is no function.
    pub targets: Vec<Option<Target>>,
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
    /// Resolves the imports of a module that is not linked.
    pub fn resolve(section: &Section<'_>, imports: &Imports) -> Result<Self, ImageError> {
        let mut bindings = Self::default();
        let mut unresolved = Vec::new();
        let imported = &section.records.imports;
        let mut types = HashMap::with_capacity(imported.len());
        for import in imported {
            let (module, field) = (section.name(import.module), section.name(import.field));
            let resolved = bindings.import(import, module, field, &section.records, imports);
            unresolved.extend(resolved.err());
            if let ExternDesc::Func(function) = import.desc {
                check_type(&mut types, module, field, function.ty)?;
            }
        }
        if !unresolved.is_empty() {
            let imports = unresolved;
            return Err(ImageError::Imports { imports });
        }
        Ok(bindings)
    }

    fn import(
        &mut self,
        import: &Import,
        module: &str,
        field: &str,
        records: &Records,
        imports: &Imports,
    ) -> Result<(), UnresolvedImport> {
        let (mut bound, mut value, mut target) = (Bound::Direct, 0, None);
        match import.desc {
            ExternDesc::Func(function) => {
                let ty = records.func_type(function.ty);
                let mut to = Target::Text(function.exit);
                bound = match imports.find_function(module, field, ty)? {
                    Some(Function::Closure(closure)) => Bound::Closure {
                        closure,
                        array_len: ty.params.len().max(ty.results.len()),
                        gives_funcs: ty.results.contains(&ValType::FuncRef),
                        ty: function.ty,
                    },
                    Some(Function::Native(address)) => {
                        to = Target::Native(address as usize);
                        Bound::Direct
                    }
                    None => Bound::Missing(format!("{module}.{field}: {ty}")),
                };
                target = Some(to);
            }
            ExternDesc::Global(ExternGlobal { ty, mutable, .. }) => {
                value = imports.find_global(module, field, ty, mutable)?;
            }
            ExternDesc::Memory(limits) => {
                self.memory = imports.find_size(module, field, &ExternType::Memory(limits))?;
            }
            ExternDesc::Table { index, limits } => {
                let limits = imports.find_size(module, field, &ExternType::Table(limits))?;
                self.tables.extend(limits.map(|limits| (index, limits)));
            }
        }
        self.functions.push(bound);
        self.globals.push(value);
        self.targets.push(target);
        Ok(())
    }

    /// The bindings of a linked module, whose functions the linker has bound. There is nobody to
    /// give values to its globals.
    pub fn linked(section: &Section<'_>) -> Result<Self, ImageError> {
        let mut unresolved = Vec::new();
        let mut types = HashMap::new();
        let all = &section.records.imports;
        for import in all {
            let (module, field) = (section.name(import.module), section.name(import.field));
            match import.desc {
                ExternDesc::Func(function) => {
                    check_type(&mut types, module, field, function.ty)?;
                }
                ExternDesc::Global(ExternGlobal { ty, mutable, .. }) => {
                    let nothing = Imports::new().find_global(module, field, ty, mutable);
                    unresolved.extend(nothing.err());
                }
                ExternDesc::Memory(_) | ExternDesc::Table { .. } => {}
            }
        }
        if !unresolved.is_empty() {
            return Err(ImageError::Imports { imports: unresolved });
        }
        Ok(Self {
            functions: all.iter().map(|_| Bound::Direct).collect(),
            globals: vec![0; all.len()],
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
