//! Turns code and metadata into a relocatable ELF object.
//!
//! Undefined symbols are the host functions and the libcalls in use; global ones the descriptor, and
//! exported functions where they are asked for. References within the text are resolved already,
//! so what is left to a linker is little: the entries of the global offset table, the addresses of tables
//! and of the descriptor, and the information for unwinding and debugging.
//!
//! The rule not to break: no name of the module is a global symbol as it is, or it would bind what
//! the module's maker chose, such as `system`. `lithify_abi::symbols` makes symbols of names.

use crate::{
    dwarf::{Bytes, dwarf},
    error::CompileError,
    index::{FuncIndex, ImportIndex, TableIndex},
    isa::{self, Way},
    memory_image::MemoryImage,
    module::{ExportKind, Module},
    options::Symbols,
    symbol::Symbol,
    target::Target,
    text::{Placed, Role, Text},
    vmctx::{TablePlace, VmctxPlan},
};
use cranelift_codegen::{
    ir::Signature,
    isa::{CallConv, TargetIsa, unwind::UnwindInfo},
};
use cranelift_module::{
    DataDescription, DataId, FuncId, Linkage, Module as _, ModuleReloc, ModuleRelocTarget,
    default_libcall_names,
};
use cranelift_object::{ObjectBuilder, ObjectModule, ObjectProduct};
use gimli::{
    SectionId,
    write::{Address, EhFrame, FrameTable, RelocationTarget},
};
use lithify_abi::{
    IMAGE_GRANULE,
    descriptor::{Descriptor, NONE},
    machine::Machine,
    plain::Plain,
    symbols::{self, MEMORY_SECTION, METADATA_SECTION},
};
use object::{
    RelocationEncoding, RelocationFlags, RelocationKind, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
    write::{Relocation, StandardSection, SymbolId, SymbolSection},
};
use std::collections::{BTreeSet, HashMap};

type Result<T> = std::result::Result<T, CompileError>;

/// Writes the object of a compiled module.
pub fn object(
    module: &Module<'_>,
    plan: &VmctxPlan,
    text: Text,
    metadata: Vec<u8>,
    image: &MemoryImage,
    target: Target,
    symbols: &Symbols,
) -> Result<Vec<u8>> {
    let exports = symbols.of(module)?;
    let isa = isa::isa(target, Way::Optimised)?;
    let builder = ObjectBuilder::new(isa.clone(), "wasm", default_libcall_names())?;
    let mut writer = Writer {
        module,
        prefix: &symbols.prefix,
        object: ObjectModule::new(builder),
        signature: Signature::new(CallConv::SystemV),
        imports: HashMap::new(),
        tables: HashMap::new(),
        descriptor: None,
    };
    let descriptor = writer.descriptor(metadata)?;
    debug_assert!(image.bytes.len().is_multiple_of(IMAGE_GRANULE as usize));
    writer.tables(plan, &text)?;
    let pieces = writer.pieces(&text)?;
    let mut product = writer.object.finish();
    name_symbols(&mut product, module, &text, &pieces, &exports);
    locate(&mut product, descriptor, image, target)?;
    debug(&mut product, module, &text)?;
    unwind(&mut product, &*isa, text)?;
    Ok(product.emit()?)
}

struct Writer<'m> {
    module: &'m Module<'m>,
    prefix: &'m str,
    object: ObjectModule,
    /// Symbols have no signature; this one stands for all.
    signature: Signature,
    imports: HashMap<Symbol, FuncId>,
    tables: HashMap<TableIndex, DataId>,
    descriptor: Option<DataId>,
}

impl Writer<'_> {
    /// Defines the descriptor, with all of the metadata behind it.
    fn descriptor(&mut self, metadata: Vec<u8>) -> Result<DataId> {
        let mut description = DataDescription::new();
        description.define(metadata.into());
        description.set_align(16);
        description.set_custom_section(METADATA_SECTION);
        description.set_used(true);
        let name = symbols::descriptor(self.prefix);
        let id = self.object.declare_data(&name, Linkage::Export, false, false)?;
        self.object.define_data(id, &description)?;
        self.descriptor = Some(id);
        Ok(id)
    }

    /// Defines the read-only tables.
    fn tables(&mut self, plan: &VmctxPlan, text: &Text) -> Result<()> {
        for (index, table) in &plan.tables {
            let TablePlace::ReadOnly(functions) = table else {
                continue;
            };
            let mut bytes = Vec::with_capacity(8 * functions.len() + 8);
            // One entry more, which a call through an index that is too large looks at.
            for function in functions.iter().chain([&None]) {
                let (code, ty) = match function {
                    Some(index) => (text.function(*index), self.module.functions[*index].as_u32()),
                    None => (0, NONE),
                };
                bytes.extend(code.to_le_bytes());
                bytes.extend(ty.to_le_bytes());
            }
            let mut description = DataDescription::new();
            description.define(bytes.into());
            description.set_align(16);
            let name = format!("table[{}]", index.as_u32());
            let id = self.object.declare_data(&name, Linkage::Local, false, false)?;
            self.object.define_data(id, &description)?;
            self.tables.insert(index, id);
        }
        Ok(())
    }

    /// Defines every piece of the text, in order; none where there is no code.
    fn pieces(&mut self, text: &Text) -> Result<Vec<Option<FuncId>>> {
        self.import_in_order(text)?;
        let mut ids = Vec::with_capacity(text.pieces.len());
        let mut first = None;
        for Placed { piece, .. } in &text.pieces {
            if piece.code.is_empty() {
                ids.push(None);
                continue;
            }
            let id = self.object.declare_anonymous_function(&self.signature)?;
            let first = *first.get_or_insert(id);
            let relocs = (piece.relocs.iter())
                .map(|reloc| {
                    let name = self.reloc_target(reloc.symbol, first)?;
                    let (offset, kind, addend) = (reloc.offset, reloc.kind, reloc.addend);
                    Ok(ModuleReloc { offset, kind, name, addend })
                })
                .collect::<Result<Vec<_>>>()?;
            self.object.define_function_bytes(id, u64::from(text.align), &piece.code, &relocs)?;
            ids.push(Some(id));
        }
        Ok(ids)
    }

    fn reloc_target(&mut self, symbol: Symbol, first: FuncId) -> Result<ModuleRelocTarget> {
        Ok(match symbol {
            Symbol::Import(_) => self.imports[&symbol].into(),
            Symbol::Runtime(libcall) => self.import(symbol, libcall.symbol())?.into(),
            Symbol::Table(index) => self.tables[&index].into(),
            Symbol::Descriptor => self.descriptor.expect("data comes first").into(),
            Symbol::Text => first.into(),
            Symbol::Function(_) | Symbol::Libcall(_) | Symbol::Allocator(_) | Symbol::Bulk(_) => {
                unreachable!("resolved when the text was laid out")
            }
        })
    }

    /// Declares the imports that the text refers to in the module's order. The image keeps it, and a
    /// loader that goes through both at once looks for no name.
    fn import_in_order(&mut self, text: &Text) -> Result<()> {
        let relocs = text.pieces.iter().flat_map(|placed| &placed.piece.relocs);
        let imports = relocs.filter_map(|reloc| match reloc.symbol {
            Symbol::Import(index) => Some(index),
            _ => None,
        });
        for index in imports.collect::<BTreeSet<_>>() {
            let import = &self.module.imports[index];
            let name = symbols::import(self.prefix, import.module, import.field);
            self.import(Symbol::Import(index), &name)?;
        }
        Ok(())
    }

    fn import(&mut self, symbol: Symbol, name: &str) -> Result<FuncId> {
        if let Some(id) = self.imports.get(&symbol) {
            return Ok(*id);
        }
        let id = self.object.declare_function(name, Linkage::Import, &self.signature)?;
        self.imports.insert(symbol, id);
        Ok(id)
    }
}

/// Gives every piece its name; every exported function a local symbol of that name, for people and
/// their tools; and those of `exports` the global one.
fn name_symbols(
    product: &mut ObjectProduct,
    module: &Module<'_>,
    text: &Text,
    pieces: &[Option<FuncId>],
    exports: &[(FuncIndex, &str, String)],
) {
    let mut functions = HashMap::new();
    for (Placed { role, offset, .. }, id) in text.pieces.iter().zip(pieces) {
        let Some(id) = *id else { continue };
        let id = product.function_symbol(id);
        let symbol = product.object.symbol_mut(id);
        assert_eq!(symbol.value, u64::from(*offset), "the text is laid out as planned");
        symbol.name = local_name(&piece_name(module, *role));
        if let Role::Function(index) = role {
            functions.insert(*index, id);
        }
    }
    let mut add = |index: FuncIndex, name: Vec<u8>, scope: SymbolScope| {
        let function = product.object.symbol(functions[&index]);
        let (value, size, section) = (function.value, function.size, function.section);
        if name.is_empty() || (scope == SymbolScope::Compilation && name == function.name) {
            return;
        }
        let (kind, flags) = (SymbolKind::Text, SymbolFlags::None);
        let symbol =
            object::write::Symbol { name, value, size, kind, scope, weak: false, section, flags };
        product.object.add_symbol(symbol);
    };
    for export in &module.exports {
        if let ExportKind::Function(index) = export.kind {
            add(index, local_name(export.name), SymbolScope::Compilation);
        }
    }
    for (index, _, symbol) in exports {
        add(*index, symbol.clone().into_bytes(), SymbolScope::Dynamic);
    }
}

/// A name as a local symbol, in which what a terminal would obey is escaped. It does not begin
/// with `$`: on aarch64 such a symbol tells linkers what is code and what is data.
fn local_name(name: &str) -> Vec<u8> {
    let name = Plain(name).to_string();
    if name.starts_with('$') { format!("_{name}").into_bytes() } else { name.into() }
}

fn piece_name(module: &Module<'_>, role: Role) -> String {
    let field = |import: ImportIndex| module.imports[import].field;
    match role {
        Role::Function(index) => match module.import_of(index) {
            Some(import) => format!("stub[{}]", field(import)),
            None => module.function_name(index),
        },
        Role::Libcall(libcall) => format!("stub[{}]", libcall.symbol()),
        Role::Entry(signature) => format!("entry[{}]", module.signatures[signature]),
        Role::Exit(import) => format!("exit[{}]", field(import)),
        Role::Allocator(call) => format!("heap[{call}]"),
        Role::Bulk(bulk) => format!("short[{}]", bulk.libcall().symbol()),
        Role::Nothing => "nothing".into(),
    }
}

/// Adds the memory image and points the descriptor to it and to the text.
fn locate(
    product: &mut ObjectProduct,
    descriptor: DataId,
    image: &MemoryImage,
    target: Target,
) -> Result<()> {
    let descriptor = product.data_symbol(descriptor);
    let SymbolSection::Section(metadata) = product.object.symbol(descriptor).section else {
        unreachable!("the descriptor is defined")
    };
    let object = &mut product.object;
    let text = object.section_id(StandardSection::Text);
    let mut targets = vec![(Descriptor::OFFSETS.text, object.section_symbol(text))];
    if !image.bytes.is_empty() {
        let name = MEMORY_SECTION.as_bytes().to_vec();
        let section = object.add_section(vec![], name, SectionKind::ReadOnlyData);
        object.append_section_data(section, &image.bytes, IMAGE_GRANULE);
        targets.push((Descriptor::OFFSETS.memory_image, object.section_symbol(section)));
    }
    for (field, symbol) in targets {
        let r_type = match target.machine {
            Machine::X86_64 => ::object::elf::R_X86_64_PC64,
            Machine::Aarch64 => ::object::elf::R_AARCH64_PREL64,
        };
        let flags = RelocationFlags::Elf { r_type };
        let relocation = Relocation { offset: field as u64, symbol, addend: 0, flags };
        object.add_relocation(metadata, relocation)?;
    }
    Ok(())
}

/// Adds the debug information, where the text has what it is made of.
fn debug(product: &mut ObjectProduct, module: &Module<'_>, text: &Text) -> Result<()> {
    let Some(sections) = dwarf(module, text)? else { return Ok(()) };
    let object = &mut product.object;
    let text = object.section_id(StandardSection::Text);
    let text = object.section_symbol(text);
    let mut written: Vec<(SectionId, object::write::SectionId, &Bytes)> = Vec::new();
    sections.for_each(|id, bytes| -> Result<()> {
        if !bytes.writer.slice().is_empty() {
            let section = object.add_section(vec![], id.name().into(), SectionKind::Debug);
            object.append_section_data(section, bytes.writer.slice(), 1);
            written.push((id, section, bytes));
        }
        Ok(())
    })?;
    let mut symbols = HashMap::new();
    for (id, section, _) in &written {
        symbols.insert(*id, object.section_symbol(*section));
    }
    for (_, section, bytes) in written {
        let target = |target| match target {
            RelocationTarget::Symbol(_) => text,
            RelocationTarget::Section(id) => symbols[&id],
        };
        relocate(object, section, bytes, RelocationKind::Absolute, target)?;
    }
    Ok(())
}

/// Writes `.eh_frame`: for each piece how to unwind through it.
fn unwind(product: &mut ObjectProduct, isa: &dyn TargetIsa, text: Text) -> Result<()> {
    let Some(mut cie) = isa.create_systemv_cie() else {
        return Err(CompileError::Object("the target has no unwind information".into()));
    };
    cie.fde_address_encoding = gimli::DwEhPe(gimli::DW_EH_PE_pcrel.0 | gimli::DW_EH_PE_sdata4.0);
    let mut table = FrameTable::default();
    let cie = table.add_cie(cie);
    for Placed { piece, offset, .. } in text.pieces {
        if let Some(UnwindInfo::SystemV(info)) = piece.unwind {
            let address = Address::Symbol { symbol: 0, addend: i64::from(offset) };
            table.add_fde(cie, info.to_fde(address));
        }
    }
    let mut frames = EhFrame(Bytes::default());
    table.write_eh_frame(&mut frames)?;

    let object = &mut product.object;
    let symbol = {
        let text = object.section_id(StandardSection::Text);
        object.section_symbol(text)
    };
    let section = object.section_id(StandardSection::EhFrame);
    object.append_section_data(section, frames.0.writer.slice(), 8);
    // Its only relocations are the functions' addresses.
    relocate(object, section, &frames.0, RelocationKind::Relative, |_| symbol)
}

/// Adds the relocations of a section, which begins with `bytes`.
fn relocate(
    object: &mut object::write::Object<'_>,
    section: object::write::SectionId,
    bytes: &Bytes,
    kind: RelocationKind,
    target: impl Fn(RelocationTarget) -> SymbolId,
) -> Result<()> {
    for relocation in &bytes.relocations {
        let (offset, symbol) = (relocation.offset as u64, target(relocation.target));
        let encoding = RelocationEncoding::Generic;
        let flags = RelocationFlags::Generic { kind, encoding, size: relocation.size * 8 };
        let relocation = Relocation { offset, symbol, addend: relocation.addend, flags };
        object.add_relocation(section, relocation)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::local_name;

    #[test]
    fn local_symbols_are_plain() {
        let names =
            [("Core_version", "Core_version"), ("$x", "_$x"), ("\x1b[31m\0", r"\u{1b}[31m\0")];
        for (name, symbol) in names {
            assert_eq!(local_name(name), symbol.as_bytes());
        }
    }
}
