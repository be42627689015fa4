//! A module that imports its memory, as one that has its own.
//!
//! Engines map initial memory copy-on-write and pool it only where the module owns it, and a
//! Substrate node rewrites every runtime in the same way before it compiles it. The node's default
//! heap is put on top.
//!
//! A reactor's heap lies where the guest never comes (`lithify_polkadot::call`), which an
//! engine's memory cannot keep from it; so what `memory.size` counts becomes a global of the module,
//! and `memory.grow` a function that adds to it.

use anyhow::{Result, bail};
use lithify_polkadot::call::{REACTOR_HEAP_PAGES, reactor_guest_pages};
use lithify_polkadot::native::DEFAULT_HEAP_PAGES;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, Instruction, MemorySection, Module, SectionId,
    TypeSection, ValType,
};
use wasmparser::{MemoryType, Operator, Parser, Payload, TypeRef};

/// What the memory is exported as.
pub const MEMORY: &str = "memory";

/// The largest memory, in pages.
const MAX_PAGES: u64 = 65536;

/// Where the pages of the heap are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Heap {
    /// There from the start, as on a Substrate node; memory does not grow.
    #[default]
    Static,
    /// Added as the allocator needs them: for an engine that writes all of a new memory.
    Growing,
}

/// `wasm` with a memory of its own that is exported and has the default heap.
pub fn own_memory(wasm: &[u8], heap: Heap) -> Result<Vec<u8>> {
    let mut rewrite = Rewrite { heap, reactor: is_reactor(wasm), ..Rewrite::default() };
    let mut module = Module::new();
    if let Err(error) = rewrite.parse_core_module(&mut module, Parser::new(0), wasm) {
        bail!("cannot rewrite the module: {error}");
    }
    Ok(module.finish())
}

/// Whether the module's runtime takes the memory behind its initial pages itself: see
/// `lithify_polkadot::call`.
fn is_reactor(wasm: &[u8]) -> bool {
    let exports = |wanted: &str| {
        Parser::new(0).parse_all(wasm).map_while(|payload| payload.ok()).any(|payload| {
            let Payload::ExportSection(section) = payload else { return false };
            section.into_iter().map_while(|export| export.ok()).any(|e| e.name == wanted)
        })
    };
    !exports("__heap_base")
}

#[derive(Default)]
struct Rewrite {
    heap: Heap,
    reactor: bool,
    /// What a reactor sees of its memory, once its size is known.
    view: Option<View>,
    imported_functions: u32,
    imported_globals: u32,
    /// Of the function that grows, once known.
    grow_type: u32,
    grow_function: u32,
    /// Of the global that has the size, once it is defined.
    size_global: Option<u32>,
    /// The memory that was imported and is not yet defined.
    imported: Option<MemoryType>,
    has_memory: bool,
}

/// The memory of a reactor as the guest sees it, in pages.
#[derive(Clone, Copy)]
struct View {
    initial: u32,
    max: u32,
}

impl Rewrite {
    /// Defines the global with the size behind those of the module.
    fn define_size(&mut self, globals: &mut GlobalSection) {
        let Some(view) = self.view else { return };
        self.size_global = Some(self.imported_globals + globals.len());
        let ty = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(ty, &ConstExpr::i32_const(view.initial as i32));
    }

    /// What `memory.grow` does, on the global instead.
    fn grow(&self) -> Option<Function> {
        let (view, size) = (self.view?, self.size_global?);
        let mut body = Function::new([]);
        for instruction in [
            Instruction::LocalGet(0),
            Instruction::I32Const(view.max as i32),
            Instruction::GlobalGet(size),
            Instruction::I32Sub,
            Instruction::I32GtU,
            Instruction::If(BlockType::Empty),
            Instruction::I32Const(-1),
            Instruction::Return,
            Instruction::End,
            Instruction::GlobalGet(size),
            Instruction::GlobalGet(size),
            Instruction::LocalGet(0),
            Instruction::I32Add,
            Instruction::GlobalSet(size),
            Instruction::End,
        ] {
            body.instruction(&instruction);
        }
        Some(body)
    }

    fn define(&mut self, memories: &mut MemorySection, memory: MemoryType) {
        let pages = (memory.initial + u64::from(DEFAULT_HEAP_PAGES)).min(MAX_PAGES);
        let initial = u32::try_from(memory.initial).unwrap_or(u32::MAX);
        let guest = self.reactor.then(|| reactor_guest_pages(initial)).flatten();
        self.view = guest.map(|pages| View { initial, max: initial + pages });
        let (minimum, maximum) = match (self.view, self.heap) {
            (Some(view), _) => {
                let all = u64::from(view.max + REACTOR_HEAP_PAGES);
                (all, all)
            }
            (None, Heap::Static) => (pages, pages),
            (None, Heap::Growing) => (memory.initial, pages),
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

/// Whether a section comes before that of memories.
fn is_early(section: SectionId) -> bool {
    [SectionId::Type, SectionId::Import, SectionId::Function, SectionId::Table].contains(&section)
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
            self.imported_functions += u32::from(matches!(import.ty, TypeRef::Func(_)));
            self.imported_globals += u32::from(matches!(import.ty, TypeRef::Global(_)));
        }
        Ok(())
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> Done {
        utils::parse_type_section(self, types, section)?;
        if self.reactor {
            self.grow_type = types.len();
            types.ty().function([ValType::I32], [ValType::I32]);
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Done {
        utils::parse_function_section(self, functions, section)?;
        if self.reactor {
            self.grow_function = self.imported_functions + functions.len();
            functions.function(self.grow_type);
        }
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Done {
        utils::parse_global_section(self, globals, section)?;
        self.define_size(globals);
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Done {
        utils::parse_code_section(self, code, section)?;
        if self.reactor {
            // A module without memory has nothing to grow, but the function was declared.
            let mut nothing = Function::new([]);
            nothing.instruction(&Instruction::I32Const(-1)).instruction(&Instruction::End);
            code.function(&self.grow().unwrap_or(nothing));
        }
        Ok(())
    }

    fn instruction<'a>(
        &mut self,
        operator: Operator<'a>,
    ) -> std::result::Result<Instruction<'a>, Error<Self::Error>> {
        match (operator, self.size_global) {
            (Operator::MemorySize { .. }, Some(size)) => Ok(Instruction::GlobalGet(size)),
            (Operator::MemoryGrow { .. }, Some(_)) => Ok(Instruction::Call(self.grow_function)),
            (operator, _) => utils::instruction(self, operator),
        }
    }

    /// Defines the memory where its section belongs: behind tables, before whatever follows.
    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Done {
        if before.is_none_or(|section| !is_early(section))
            && let Some(memory) = self.imported.take()
        {
            let mut memories = MemorySection::new();
            self.define(&mut memories, memory);
            module.section(&memories);
        }
        let earlier = [SectionId::Memory, SectionId::Tag, SectionId::Global];
        let earlier = |section| is_early(section) || earlier.contains(&section);
        if before.is_none_or(|section| !earlier(section)) && self.size_global.is_none() {
            let mut globals = GlobalSection::new();
            self.define_size(&mut globals);
            if !globals.is_empty() {
                module.section(&globals);
            }
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
