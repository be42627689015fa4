//! What a module shows of itself besides its interface: where stack, data and heap lie, which
//! tools made it, and which features beyond the first version of WebAssembly it uses.
//!
//! It reads and does not validate, so that modules which the compiler does not accept can be looked
//! at too. Memory has no description in WebAssembly: what is said of it here follows the
//! conventions of LLVM's linker (`__stack_pointer`, `__data_end`, `__heap_base`), and what they do
//! not tell is `None`.

use crate::error::CompileError;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmparser::{
    BlockType, CustomSectionReader, DataKind, ExternalKind, FunctionBody, KnownCustom, Name,
    Operator, Parser, Payload, TypeRef, ValType,
};

/// The findings.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The tools in the producers section: field, name, version.
    pub producers: Vec<(String, String, String)>,
    /// The module's name in the name section.
    pub module_name: Option<String>,
    /// Names of functions in the name section, by function index.
    pub names: BTreeMap<u32, String>,
    /// Names of the custom sections.
    pub custom_sections: Vec<String>,
    /// Where things lie in memory.
    pub layout: MemoryLayout,
    /// Features beyond the first version, by name.
    pub features: BTreeMap<&'static str, FeatureUse>,
    /// The most targets that a `br_table` has, the default aside.
    pub br_table_targets: u32,
}

/// Where things lie in memory, in bytes.
#[derive(Clone, Debug, Default)]
pub struct MemoryLayout {
    /// The stack pointer: index and initial value of a mutable global.
    pub stack_pointer: Option<(u32, u32)>,
    /// Whether the name section or an export calls it `__stack_pointer`; else it is the first
    /// mutable `i32` global, as LLVM's linker places it.
    pub stack_pointer_is_named: bool,
    /// How many functions begin by lowering the stack pointer, and how many by raising it.
    pub moves: (usize, usize),
    /// What the active data segments span.
    pub data: Option<Range<u32>>,
    /// The exported global `__data_end`, behind zeroed data too.
    pub data_end: Option<u32>,
    /// The exported global `__heap_base`.
    pub heap_base: Option<u32>,
}

impl MemoryLayout {
    /// The stack, from its limit to where it begins: it grows down. `None` when that is not known.
    pub fn stack(&self) -> Option<Range<u32>> {
        let (_, top) = self.stack_pointer.filter(|(_, top)| *top > 0)?;
        let data = self.data.clone().unwrap_or_default();
        let data_end = self.data_end.unwrap_or(data.end);
        if self.data.is_none() && self.data_end.is_none() {
            return None;
        }
        match top {
            _ if top <= data.start => Some(0..top),
            _ if top >= data_end => Some(data_end..top),
            _ => None,
        }
    }

    /// Whether the stack lies below the data, so that running over ends in a trap and not in the
    /// data.
    pub fn is_stack_first(&self) -> Option<bool> {
        Some(self.stack()?.start == 0 && self.data.as_ref().is_none_or(|data| data.start > 0))
    }
}

/// Use of a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureUse {
    /// How many operators, types or declarations use it.
    pub count: usize,
    /// The function of the first use; `None` for a declaration.
    pub function: Option<u32>,
    /// Where the first use is in the file.
    pub offset: usize,
}

/// Looks at `wasm`.
///
/// # Errors
///
/// Bytes that are no module, or whose sections cannot be read.
pub fn survey(wasm: &[u8]) -> Result<Survey, CompileError> {
    let mut reader = Reader::default();
    for payload in Parser::new(0).parse_all(wasm) {
        reader.payload(payload?)?;
    }
    Ok(reader.finish())
}

type Done = Result<(), wasmparser::BinaryReaderError>;

#[derive(Default)]
struct Reader {
    survey: Survey,
    /// Value types, mutability and constant initial values of globals.
    globals: Vec<(ValType, bool, Option<u32>)>,
    global_names: BTreeMap<u32, String>,
    /// Bodies begin with this function.
    next_function: u32,
    /// The stack pointer's global and by how much a body moves it first.
    prologues: Vec<(u32, bool)>,
}

impl Reader {
    fn payload(&mut self, payload: Payload<'_>) -> Done {
        match payload {
            Payload::TypeSection(section) => {
                for group in section.into_iter_with_offsets() {
                    let (offset, group) = group?;
                    for ty in group.types() {
                        if let wasmparser::CompositeInnerType::Func(ty) = &ty.composite_type.inner
                            && ty.results().len() > 1
                        {
                            self.uses("multi-value", None, offset);
                        }
                    }
                }
            }
            Payload::ImportSection(section) => {
                let offset = section.range().start;
                for import in section.into_imports() {
                    match import?.ty {
                        TypeRef::Func(_) => self.next_function += 1,
                        TypeRef::Global(ty) => {
                            self.globals.push((ty.content_type, ty.mutable, None));
                            if ty.mutable {
                                self.uses("mutable-global", None, offset);
                            }
                        }
                        _ => {}
                    }
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    let mut operators = global.init_expr.get_operators_reader();
                    let value = match operators.read()? {
                        Operator::I32Const { value } => Some(value as u32),
                        _ => None,
                    };
                    self.globals.push((global.ty.content_type, global.ty.mutable, value));
                }
            }
            Payload::ExportSection(section) => {
                let offset = section.range().start;
                for export in section {
                    self.export(&export?, offset);
                }
            }
            Payload::DataSection(section) => {
                for segment in section {
                    let segment = segment?;
                    if let DataKind::Active { offset_expr, .. } = segment.kind
                        && let Operator::I32Const { value } =
                            offset_expr.get_operators_reader().read()?
                    {
                        let start = value as u32;
                        let end = start.saturating_add(segment.data.len() as u32);
                        let data = self.survey.layout.data.take().unwrap_or(start..end);
                        let data = data.start.min(start)..data.end.max(end);
                        self.survey.layout.data = Some(data);
                    }
                }
            }
            Payload::DataCountSection { range, .. } => {
                self.uses("bulk-memory", None, range.start);
            }
            Payload::CodeSectionEntry(body) => self.body(&body)?,
            Payload::CustomSection(section) => self.custom(&section),
            _ => {}
        }
        Ok(())
    }

    fn uses(&mut self, feature: &'static str, function: Option<u32>, offset: usize) {
        let first = FeatureUse { count: 0, function, offset };
        self.survey.features.entry(feature).or_insert(first).count += 1;
    }

    fn export(&mut self, export: &wasmparser::Export<'_>, offset: usize) {
        if export.kind != ExternalKind::Global {
            return;
        }
        let Some((_, mutable, value)) = self.globals.get(export.index as usize).copied() else {
            return;
        };
        if mutable {
            self.uses("mutable-global", None, offset);
        }
        match export.name {
            "__heap_base" => self.survey.layout.heap_base = value,
            "__data_end" => self.survey.layout.data_end = value,
            "__stack_pointer" => {
                self.global_names.insert(export.index, export.name.into());
            }
            _ => {}
        }
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Done {
        let function = self.next_function;
        self.next_function += 1;
        for local in body.get_locals_reader()? {
            let (_, ty) = local?;
            let feature = match ty {
                ValType::V128 => "simd",
                ValType::Ref(_) => "reference-types",
                _ => continue,
            };
            self.uses(feature, Some(function), body.range().start);
        }
        let mut begin = Vec::new();
        for operator in body.get_operators_reader()?.into_iter_with_offsets() {
            let (operator, offset) = operator?;
            if let Operator::BrTable { targets } = &operator {
                let most = &mut self.survey.br_table_targets;
                *most = targets.len().max(*most);
            }
            let feature = match &operator {
                Operator::Block { blockty: BlockType::FuncType(_) }
                | Operator::Loop { blockty: BlockType::FuncType(_) }
                | Operator::If { blockty: BlockType::FuncType(_) } => "multi-value",
                // The text of both versions; only another table is new.
                Operator::CallIndirect { table_index: 1.., .. } => "reference-types",
                operator => feature(operator),
            };
            if feature != "mvp" {
                self.uses(feature, Some(function), offset);
            }
            if begin.len() < 3 {
                begin.push(operator);
            }
        }
        let moves = match begin[..] {
            [
                Operator::GlobalGet { global_index },
                Operator::I32Const { value },
                ref last @ (Operator::I32Sub | Operator::I32Add),
            ] => Some((global_index, matches!(last, Operator::I32Sub) == (value > 0))),
            _ => None,
        };
        self.prologues.extend(moves);
        Ok(())
    }

    /// Malformed custom sections say nothing.
    fn custom(&mut self, section: &CustomSectionReader<'_>) {
        self.survey.custom_sections.push(section.name().into());
        match section.as_known() {
            KnownCustom::Producers(fields) => {
                for field in fields.into_iter().map_while(Result::ok) {
                    for value in field.values.into_iter().map_while(Result::ok) {
                        self.survey.producers.push((
                            field.name.into(),
                            value.name.into(),
                            value.version.into(),
                        ));
                    }
                }
            }
            KnownCustom::Name(names) => {
                for names in names.into_iter().map_while(Result::ok) {
                    let (map, into) = match names {
                        Name::Module { name, .. } => {
                            self.survey.module_name = Some(name.into());
                            continue;
                        }
                        Name::Function(map) => (map, &mut self.survey.names),
                        Name::Global(map) => (map, &mut self.global_names),
                        _ => continue,
                    };
                    let names = map.into_iter().map_while(Result::ok);
                    into.extend(names.map(|naming| (naming.index, naming.name.to_owned())));
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Survey {
        let named =
            self.global_names.iter().find(|(_, name)| *name == "__stack_pointer").map(|(i, _)| *i);
        let first =
            self.globals.iter().position(|(ty, mutable, _)| *ty == ValType::I32 && *mutable);
        let layout = &mut self.survey.layout;
        layout.stack_pointer_is_named = named.is_some();
        layout.stack_pointer = named.or(first.map(|index| index as u32)).and_then(|index| {
            let (_, _, value) = self.globals.get(index as usize)?;
            Some((index, (*value)?))
        });
        if let Some((pointer, _)) = layout.stack_pointer {
            let moves = |lowers| {
                self.prologues.iter().filter(|(g, l)| *g == pointer && *l == lowers).count()
            };
            layout.moves = (moves(true), moves(false));
        }
        self.survey
    }
}

macro_rules! features {
    ($(@$proposal:ident $operator:ident $({ $($argument:ident: $ty:ty),* })? => $visit:ident $arity:tt)*) => {
        /// The proposal that brought an operator; `mvp` for those of the first version.
        fn feature(operator: &Operator<'_>) -> &'static str {
            match operator {
                $(Operator::$operator { .. } => features!(name $proposal),)*
                _ => "unknown",
            }
        }
    };
    (name mvp) => { "mvp" };
    (name sign_extension) => { "sign-extension" };
    (name saturating_float_to_int) => { "saturating-float-to-int" };
    (name bulk_memory) => { "bulk-memory" };
    (name reference_types) => { "reference-types" };
    (name tail_call) => { "tail-call" };
    (name threads) => { "threads" };
    (name simd) => { "simd" };
    (name relaxed_simd) => { "relaxed-simd" };
    (name exceptions) => { "exceptions" };
    (name legacy_exceptions) => { "exceptions" };
    (name $other:ident) => { stringify!($other) };
}

wasmparser::for_each_operator!(features);
