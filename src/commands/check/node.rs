//! The rules of a node: what `sc-executor`, the executor of every polkadot-sdk node, asks of a module
//! beyond what the compiler's runtime profile validates. `tests/check.rs` has a module for each.
//!
//! A node parses the module as WebAssembly 1.0, makes an imported memory one of the module's own,
//! exported by the name of its import, drops its largest size, instantiates and then grows memory by
//! the heap. Where nodes of other years differ, the message says so.

use super::Report;
use lithify_compiler::{ModuleInfo, limits};
use lithify_polkadot::{
    native::{self, DEFAULT_HEAP_PAGES, MEMORY},
    resolve,
};
use lithify_runtime::{ExternType, MemoryType, ValType};

/// What a runtime must export to be executed at all.
const NEEDED_ENTRIES: &[&str] = &["Core_version", "Core_execute_block", "Core_initialize_block"];
/// How many elements of a table the pool of a node has room for.
const TABLE_ELEMENTS: u64 = 8192;
/// The largest memory, in pages, and the size of one, in bytes.
const MAX_PAGES: u32 = 65_536;
const PAGE: u64 = 65_536;
/// How the names of functions begin that nodes have dropped, and when.
const HISTORIC: &[(&str, &str)] = &[
    ("ext_storage_child_", "May 2020"),
    ("ext_misc_chain_id_", "the middle of 2020"),
    ("ext_sandbox_", "2023"),
];
/// The same of functions that only some nodes have, and which.
const OPTIONAL: &[(&str, &str)] = &[
    ("ext_storage_proof_size_", "nodes of parachains"),
    ("ext_statement_store_", "nodes with a statement store"),
    ("ext_benchmarking_", "nodes built for benchmarks"),
];

impl Report {
    pub(super) fn imports(&mut self, info: &ModuleInfo) {
        let mut functions = Vec::new();
        for import in &info.imports {
            if let ExternType::Func(ty) = &import.ty
                && import.module == "env"
            {
                functions.push(&*import.name);
                if let Err(error) = resolve(&import.module, &import.name, ty) {
                    self.obstacles.push(error.to_string());
                }
            }
        }
        let named = |prefix: &str| functions.iter().any(|name| name.starts_with(prefix));
        for (prefix, year) in HISTORIC.iter().filter(|(prefix, _)| named(prefix)) {
            self.notes.push(format!("imports {prefix}*, which nodes had until {year}"));
        }
        for (prefix, nodes) in OPTIONAL.iter().filter(|(prefix, _)| named(prefix)) {
            self.notes.push(format!("imports {prefix}*, which only {nodes} have"));
        }
    }

    pub(super) fn exports(&mut self, info: &ModuleInfo) {
        let export = |name: &str| info.exports.iter().find(|export| export.name == name);
        match export("__heap_base").map(|export| &export.ty) {
            Some(ExternType::Global { ty: ValType::I32, .. }) => {}
            Some(other) => {
                self.obstacles.push(format!("__heap_base is a {other}, not a global of type i32"));
            }
            None => self.obstacles.push(
                "no exported global __heap_base: the host cannot tell where the heap begins \
                 (link with --export=__heap_base)"
                    .into(),
            ),
        }
        self.memory(info);
        self.segments(info);
        let entry = ExternType::Func(native::entry_type());
        for name in NEEDED_ENTRIES {
            match export(name) {
                None if *name == "Core_version" && info.embeds_version => self.notes.push(
                    "no entry point Core_version: nodes take the version of the custom section"
                        .into(),
                ),
                None => self.obstacles.push(format!("no entry point {name}")),
                Some(export) if export.ty != entry => self
                    .obstacles
                    .push(format!("entry point {name} is a {}, not a {entry}", export.ty)),
                Some(_) => {}
            }
        }
        for name in ["_start", "_initialize"] {
            if export(name).is_some() {
                self.notes.push(format!(
                    "exports {name}, which no Polkadot host calls: what it would initialise has \
                     to be so without it"
                ));
            }
        }
    }

    /// Memory under the name that nodes look for, with room for the heap.
    fn memory(&mut self, info: &ModuleInfo) {
        let Some(MemoryType { min: pages, imported, .. }) = info.memory else {
            return self.obstacles.push("no memory".into());
        };
        let is_memory = |ty: &ExternType| matches!(ty, ExternType::Memory(_));
        let import = info.imports.iter().find(|import| is_memory(&import.ty));
        let by_import = import.map(|import| &*import.name);
        let exports = info.exports.iter().filter(|export| is_memory(&export.ty));
        let exports: Vec<&str> = exports.map(|export| &*export.name).collect();
        let taken = |name: &str| info.exports.iter().any(|export| export.name == name);
        match by_import {
            Some(name) if taken(name) => self.obstacles.push(format!(
                "memory is imported as {name}, and {name} is exported, too: nodes export an \
                 imported memory by its name, which is then there twice"
            )),
            Some(MEMORY) => {}
            _ if exports.contains(&MEMORY) => {}
            Some(name) => self.obstacles.push(format!(
                "memory is imported as {name}: nodes look for it under the name {MEMORY}"
            )),
            None if exports.is_empty() => {
                debug_assert!(!imported);
                self.obstacles.push(format!(
                    "memory is neither imported nor exported: nodes look for an export {MEMORY}"
                ));
            }
            None => self.obstacles.push(format!(
                "memory is exported as {}: nodes look for it under the name {MEMORY}",
                exports.join(", ")
            )),
        }
        if pages > MAX_PAGES - DEFAULT_HEAP_PAGES {
            self.obstacles.push(format!(
                "memory has {pages} pages from the start, so that nodes cannot add the \
                 {DEFAULT_HEAP_PAGES} of the heap: there are {MAX_PAGES} at most"
            ));
        }
    }

    /// A heap that begins where a node gives it memory.
    pub(super) fn heap(&mut self, info: &ModuleInfo, base: Option<u32>) {
        let pages = info.memory.map_or(0, |memory| memory.min);
        let end = u64::from(pages.saturating_add(DEFAULT_HEAP_PAGES)) * PAGE;
        if let Some(base) = base.filter(|base| u64::from(*base) >= end) {
            self.obstacles.push(format!(
                "__heap_base is {base:#x}, but memory ends at {end:#x} with the heap that nodes add: \
                 nothing can be allocated"
            ));
        }
    }

    /// Tables of branches that wasmtime takes.
    pub(super) fn branches(&mut self, targets: u32) {
        if u64::from(targets) > limits::BR_TABLE {
            self.obstacles.push(format!(
                "a br_table has {targets} targets: nodes take {} at most",
                limits::BR_TABLE
            ));
        }
    }

    /// Segments and tables that a node can instantiate.
    fn segments(&mut self, info: &ModuleInfo) {
        let (data_end, elements_end) = info.segments_end;
        let pages = info.memory.map_or(0, |memory| memory.min);
        let (memory, with_heap) =
            (u64::from(pages) * PAGE, u64::from(pages + DEFAULT_HEAP_PAGES) * PAGE);
        if data_end > memory {
            let before = if data_end > with_heap {
                ""
            } else {
                " (nodes with sc-executor-wasmtime 0.44 or older add the heap first, and take it)"
            };
            self.obstacles.push(format!(
                "data segments reach to {data_end:#x}, but memory begins with {memory:#x} bytes: \
                 it cannot be instantiated{before}"
            ));
        }
        let (_, elements) = info.tables;
        if elements_end > elements {
            self.obstacles.push(format!(
                "element segments reach to {elements_end}, but the table has {elements} elements: \
                 it cannot be instantiated"
            ));
        }
        if elements > TABLE_ELEMENTS {
            self.obstacles.push(format!(
                "the table has {elements} elements; the pool of a node has room for \
                 {TABLE_ELEMENTS} (only with --wasmtime-instantiation-strategy \
                 recreate-instance it takes more)"
            ));
        }
    }
}
