//! A module that imports its memory, as one that has its own.
//!
//! Engines map initial memory copy-on-write and pool it only where the module owns it, and a
//! Substrate node rewrites every runtime in the same way before it compiles it. The node's default
//! heap is put on top.

use anyhow::{Result, bail};
use lithify_runtime::polkadot::call::{INITIALIZER, REACTOR_PAGES, reactor_max_pages};
use lithify_runtime::polkadot::native::DEFAULT_HEAP_PAGES;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{ExportKind, ExportSection, ImportSection, MemorySection, Module, SectionId};
use wasmparser::{MemoryType, Parser, Payload, TypeRef};

/// What the memory is exported as.
pub const MEMORY: &str = "memory";

/// The largest memory, in pages.
const MAX_PAGES: u64 = 65536;

/// Where the pages of the heap are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heap {
    /// There from the start, as on a Substrate node; memory does not grow.
    Static,
    /// Added as the allocator needs them: for an engine that writes all of a new memory.
    Growing,
}

/// `wasm` with a memory of its own that is exported and has the default heap.
pub fn own_memory(wasm: &[u8], heap: Heap) -> Result<Vec<u8>> {
    let mut rewrite =
        Rewrite { heap, reactor: is_reactor(wasm), imported: None, has_memory: false };
    let mut module = Module::new();
    if let Err(error) = rewrite.parse_core_module(&mut module, Parser::new(0), wasm) {
        bail!("cannot rewrite the module: {error}");
    }
    Ok(module.finish())
}

/// Whether the module's runtime takes the memory behind its initial pages itself: see
/// `lithify_runtime::polkadot::call`.
fn is_reactor(wasm: &[u8]) -> bool {
    let exports = |wanted: &str| {
        Parser::new(0).parse_all(wasm).map_while(|payload| payload.ok()).any(|payload| {
            let Payload::ExportSection(section) = payload else { return false };
            section.into_iter().map_while(|export| export.ok()).any(|e| e.name == wanted)
        })
    };
    exports(INITIALIZER) && !exports("__heap_base")
}

struct Rewrite {
    heap: Heap,
    reactor: bool,
    /// The memory that was imported and is not yet defined.
    imported: Option<MemoryType>,
    has_memory: bool,
}

impl Rewrite {
    fn define(&mut self, memories: &mut MemorySection, memory: MemoryType) {
        let pages = (memory.initial + u64::from(DEFAULT_HEAP_PAGES)).min(MAX_PAGES);
        let (minimum, maximum) = match (self.reactor, self.heap) {
            (true, _) => {
                let initial = u32::try_from(memory.initial).unwrap_or(u32::MAX);
                let maximum = u64::from(reactor_max_pages(initial));
                ((memory.initial + u64::from(REACTOR_PAGES)).min(maximum), maximum)
            }
            (false, Heap::Static) => (pages, pages),
            (false, Heap::Growing) => (memory.initial, pages),
        };
        self.has_memory = true;
        memories.memory(wasm_encoder::MemoryType {
            minimum,
            maximum: Some(maximum),
            memory64: memory.memory64,
            shared: memory.shared,
            page_size_log2: memory.page_size_log2,
        });
    }
}

type Done = std::result::Result<(), Error<std::convert::Infallible>>;

impl Reencode for Rewrite {
    type Error = std::convert::Infallible;

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Done {
        for import in section.into_imports() {
            let import = import?;
            match import.ty {
                TypeRef::Memory(memory) => self.imported = Some(memory),
                _ => utils::parse_import(self, imports, import)?,
            }
        }
        Ok(())
    }

    /// Defines the memory where its section belongs: behind tables, before whatever follows.
    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Done {
        let earlier = [SectionId::Type, SectionId::Import, SectionId::Function, SectionId::Table];
        if before.is_none_or(|section| !earlier.contains(&section))
            && let Some(memory) = self.imported.take()
        {
            let mut memories = MemorySection::new();
            self.define(&mut memories, memory);
            module.section(&memories);
        }
        Ok(())
    }

    fn parse_memory_section(
        &mut self,
        memories: &mut MemorySection,
        section: wasmparser::MemorySectionReader<'_>,
    ) -> Done {
        for memory in section {
            self.define(memories, memory?);
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Done {
        for export in section {
            let export = export?;
            // Under whichever name it was exported, it is under ours now.
            if export.kind != wasmparser::ExternalKind::Memory {
                utils::parse_export(self, exports, export)?;
            }
        }
        if self.has_memory {
            exports.export(MEMORY, ExportKind::Memory, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(wat: &str, heap: Heap) -> Vec<u8> {
        own_memory(&wat::parse_str(wat).expect("the test's text"), heap).expect("a valid module")
    }

    /// The memory is defined with the heap on top, and what uses it still does.
    #[test]
    fn imported_and_defined_memories_become_own_ones() {
        let imported = r#"(import "env" "memory" (memory 17)) (import "env" "f" (func))"#;
        let defined = r#"(import "env" "f" (func)) (memory (export "mem") 17 20)"#;
        for (memory, heap) in [
            (imported, Heap::Static),
            (imported, Heap::Growing),
            (defined, Heap::Static),
            (defined, Heap::Growing),
        ] {
            let text = format!(
                r#"(module {memory}
                     (global (export "__heap_base") i32 (i32.const 70000))
                     (func (export "e") (result i32) call 0 (i32.load (i32.const 8)))
                     (data (i32.const 8) "data"))"#
            );
            let wasm = rewritten(&text, heap);
            let module = ::wasmi::Module::new(&::wasmi::Engine::default(), &wasm).expect("valid");
            let Some(::wasmi::ExternType::Memory(ty)) = module.get_export(MEMORY) else {
                panic!("no memory is exported from {memory}")
            };
            let pages = 17 + u64::from(DEFAULT_HEAP_PAGES);
            let minimum = if heap == Heap::Static { pages } else { 17 };
            assert_eq!((ty.minimum(), ty.maximum()), (minimum, Some(pages)));
            assert!(module.imports().all(|import| import.name() == "f"));
            assert!(module.get_export("e").is_some());
        }
    }
}
