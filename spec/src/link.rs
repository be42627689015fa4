//! What modules of a script import: `spectest`, and what other instances export.
//!
//! A function is called across, a constant is copied. Memory, tables and mutable globals of
//! another instance cannot be imported: `base` is the exporter's memory and vmctx in one, and
//! an image has a numbering of function types of its own. The types of such imports are checked
//! all the same.

use lithify_runtime::{
    Caller, ExternType, FuncType, HostError, Imports, Instance, Limits, Metadata, ValType,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

/// A running instance of a script.
pub struct Live {
    instance: Mutex<Instance>,
    /// The instances whose functions it calls.
    imports: Vec<Arc<Live>>,
    /// Set when a module that would have shared its state was skipped.
    unknown: OnceLock<&'static str>,
}

impl Live {
    /// `instance`, which calls functions of `imports`.
    pub fn new(instance: Instance, imports: Vec<Arc<Live>>) -> Arc<Self> {
        Arc::new(Self { instance: Mutex::new(instance), imports, unknown: OnceLock::new() })
    }

    /// The instance.
    pub fn lock(&self) -> MutexGuard<'_, Instance> {
        self.instance.lock().expect("no call panicked")
    }

    /// Why its state is not what the script thinks, if so.
    pub fn unknown(&self) -> Option<&'static str> {
        let own = self.unknown.get().copied();
        own.or_else(|| self.imports.iter().find_map(|import| import.unknown()))
    }
}

/// The modules that a script registered: an instance, or why there is none.
pub type Registered = HashMap<String, Result<Arc<Live>, String>>;

/// What a module imports.
pub struct Linked {
    /// What there is under the names that it imports, with its types.
    pub imports: Imports,
    /// The instances it imports functions from.
    pub from: Vec<Arc<Live>>,
    /// State of other instances that it imports, and so cannot run.
    shared: Vec<(Arc<Live>, &'static str)>,
}

/// Why a module cannot be linked.
pub enum LinkError {
    /// The script is right about that, or should be.
    Unknown(String),
    /// An instance that it needs is missing for this reason.
    Missing(String),
}

impl Linked {
    /// Finds what a module imports.
    pub fn new(metadata: &Metadata, registered: &Registered) -> Result<Self, LinkError> {
        let mut linked = Self { imports: spectest(), from: vec![], shared: vec![] };
        for import in &metadata.imports {
            let (module, name) = (import.module.as_str(), import.name.as_str());
            match registered.get(module) {
                Some(Ok(exporter)) => linked.export(exporter, module, name)?,
                Some(Err(reason)) => return Err(LinkError::Missing(reason.clone())),
                // The runtime library knows the others.
                None if module == "spectest" && ["memory", "table"].contains(&name) => {}
                None if matches!(import.ty, ExternType::Memory(_) | ExternType::Table(_)) => {
                    return Err(LinkError::Unknown(format!("unknown import {module}.{name}")));
                }
                None => {}
            }
        }
        Ok(linked)
    }

    /// Provides an export of another instance, or its type.
    fn export(&mut self, exporter: &Arc<Live>, module: &str, name: &str) -> Result<(), LinkError> {
        let instance = exporter.lock();
        let exports = instance.metadata().exports;
        let Some(export) = exports.into_iter().find(|export| export.name == name) else {
            return Err(LinkError::Unknown(format!("unknown import {module}.{name}")));
        };
        let imports = &mut self.imports;
        let shared = match export.ty {
            ExternType::Func(ty) => {
                imports.func(module, name, ty, call_across(exporter, name));
                self.from.push(Arc::clone(exporter));
                None
            }
            ExternType::Global { ty, mutable } => {
                let bits = instance.global_get(name).expect("it is exported").to_bits();
                let reference = matches!(ty, ValType::FuncRef | ValType::ExternRef) && bits != 0;
                imports.global(module, name, ty, mutable, if reference { 0 } else { bits });
                match (mutable, reference) {
                    (true, _) => Some("imports a mutable global of another instance"),
                    (_, true) => Some("imports a reference of another instance"),
                    _ => None,
                }
            }
            ExternType::Memory(Limits { max, .. }) => {
                let min = (instance.memory_len() >> 16) as u32;
                imports.memory(module, name, Limits { min, max });
                Some("imports the memory of another instance")
            }
            ExternType::Table(Limits { max, .. }) => {
                let min = instance.table_len(name).expect("it is exported");
                imports.table(module, name, Limits { min, max });
                Some("imports a table of another instance")
            }
        };
        drop(instance);
        self.shared.extend(shared.map(|reason| (Arc::clone(exporter), reason)));
        Ok(())
    }

    /// Why the module cannot run although its imports are there, if so. The state of the
    /// instances that it would have shared is unknown from now on.
    pub fn skip(&self) -> Option<&'static str> {
        for (exporter, _) in &self.shared {
            let _ = exporter.unknown.set("state shared with a module that was skipped");
        }
        self.shared.first().map(|(_, reason)| *reason)
    }
}

/// A host function that calls the function exported as `name`.
fn call_across(
    exporter: &Arc<Live>,
    name: &str,
) -> impl Fn(&mut Caller<'_>, &mut [u128]) -> Result<(), HostError> + Send + Sync + 'static {
    let (exporter, name) = (Arc::clone(exporter), name.to_owned());
    move |_, slots| {
        let busy = |_| HostError("the instance waits for another call".into());
        let mut instance = exporter.instance.try_lock().map_err(busy)?;
        let func = instance.func(&name).expect("it is exported");
        let mut inner = slots.to_vec();
        inner.resize(func.array_len().max(slots.len()), 0);
        let trap = |trap: lithify_runtime::Trap| HostError(trap.code.message().into());
        instance.call(&func, &mut inner, &mut ()).map_err(trap)?;
        slots.copy_from_slice(&inner[..slots.len()]);
        Ok(())
    }
}

/// The host module that scripts expect.
fn spectest() -> Imports {
    use ValType::{F32, F64, I32, I64};
    let mut imports = Imports::new();
    for (name, params) in [
        ("print", &[][..]),
        ("print_i32", &[I32]),
        ("print_i64", &[I64]),
        ("print_f32", &[F32]),
        ("print_f64", &[F64]),
        ("print_i32_f32", &[I32, F32]),
        ("print_f64_f64", &[F64, F64]),
    ] {
        imports.func("spectest", name, FuncType::new(params, &[]), |_, _| Ok(()));
    }
    imports.global("spectest", "global_i32", I32, false, 666);
    imports.global("spectest", "global_i64", I64, false, 666);
    imports.global("spectest", "global_f32", F32, false, u128::from(666.6f32.to_bits()));
    imports.global("spectest", "global_f64", F64, false, u128::from(666.6f64.to_bits()));
    imports.memory("spectest", "memory", Limits { min: 1, max: Some(2) });
    imports.table("spectest", "table", Limits { min: 10, max: Some(20) });
    imports
}
