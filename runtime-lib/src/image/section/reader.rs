//! Reads and checks the records of a metadata section: in one pass what a loader takes out of it, whose
//! size is that of the module's face, and in another what stays where it is and grows with the code.

use super::{
    DataSegment, ElementSegment, Export, ExternDesc, ExternGlobal, Global, Import, MAX_PAGES,
    MAX_TABLE, MAX_TABLES, Malformed, MutableTable, Place, Records, Section, malformed,
};
use lithify_abi::descriptor::{
    self, Descriptor, Extent, ExternKind, ExternTable, FuncRecord, Function, ImportedFunction,
    Init, InitValue, NONE, Placement, Span, optional,
};
use lithify_abi::heap::Heap;
use lithify_abi::record::{Field, decode_all};
use lithify_abi::types::{FuncType, Limits, ValType};
use lithify_abi::vmctx::{FAR_END, HEADER, Header, TableRecord};
use lithify_abi::{IMAGE_GRANULE, WASM_PAGE};

/// The largest vmctx that is accepted, in bytes.
const MAX_VMCTX: u32 = 64 << 20;
/// The most bytes of all names of functions, or of imports and exports, together, and with them what
/// is made of names that many records share: as many as a module has.
const MAX_NAMES: u64 = 128 << 20;
/// The most parameters of a function, and the most results, as in the validator.
const MAX_VALUES: usize = 1000;

/// Reads and checks the records that a loader takes out of a metadata section.
pub(super) fn read(metadata: &[u8]) -> Result<Records, Malformed> {
    let descriptor = Section::descriptor(metadata)?;
    let reader = Reader { metadata, descriptor: &descriptor };
    reader.check_sizes()?;
    let types = reader.types()?;
    let externs = reader.externs()?;
    let records = Records {
        imports: reader.imports(&types, &externs)?,
        exports: reader.exports(&types, &externs)?,
        globals: reader.globals()?,
        tables: reader.tables()?,
        extents: reader.extents()?,
        data: reader.data()?,
        elements: reader.elements()?,
        types,
        descriptor,
    };
    let imports = records.imports.iter().flat_map(|import| [import.module, import.field]);
    Reader::check_names(imports.chain(records.exports.iter().map(|export| export.name)))?;
    reader.check_overlap(&records)?;
    reader.check_segments(&records)?;
    Ok(records)
}

/// Checks the records that stay in the metadata section: those of functions.
pub(super) fn check_functions(metadata: &[u8], records: &Records) -> Result<(), Malformed> {
    let reader = Reader { metadata, descriptor: &records.descriptor };
    reader.functions()?;
    reader.func_records(records.types.len())?;
    let functions = reader.all::<Function>("functions", records.descriptor.functions)?;
    Reader::check_names(functions.iter().map(|function| function.name))
}

struct Reader<'a> {
    metadata: &'a [u8],
    descriptor: &'a Descriptor,
}

impl Reader<'_> {
    fn span(&self, field: &'static str, span: Span) -> Result<&[u8], Malformed> {
        let start = span.offset as usize;
        self.metadata
            .get(start..start.saturating_add(span.len as usize))
            .ok_or_else(|| malformed(field, "outside the metadata"))
    }

    fn all<T: Field>(&self, field: &'static str, span: Span) -> Result<Vec<T>, Malformed> {
        decode_all(self.span(field, span)?)
            .ok_or_else(|| malformed(field, "not a whole number of records"))
    }

    fn check_sizes(&self) -> Result<(), Malformed> {
        let d = self.descriptor;
        for (field, span) in d.spans() {
            self.span(field, span)?;
        }
        let header_and_near = FAR_END.unsigned_abs();
        if !d.vmctx_size.is_multiple_of(16)
            || !(header_and_near..=MAX_VMCTX).contains(&d.vmctx_size)
        {
            return Err(malformed("vmctx_size", format!("{} bytes", d.vmctx_size)));
        }
        if d.heap != 0 {
            let record = i32::try_from(-i64::from(d.heap));
            let record = record.map_err(|_| malformed("heap", format!("{} bytes", d.heap)))?;
            self.place("heap", record, size_of::<Heap>() as u32)?;
        }
        if d.memory > 2 {
            return Err(malformed("memory", format!("unknown kind {}", d.memory)));
        }
        if d.memory_min > MAX_PAGES || (d.memory == 0 && d.memory_min != 0) {
            return Err(malformed("memory_min", format!("{} pages", d.memory_min)));
        }
        if d.memory_max < d.memory_min {
            return Err(malformed("memory_max", format!("{} pages", d.memory_max)));
        }
        self.code("start", d.start, true)?;
        self.code("start_entry", d.start_entry, d.start == NONE)
    }

    fn code(&self, field: &'static str, code: u32, optional: bool) -> Result<(), Malformed> {
        if code < self.descriptor.text_len || optional && code == NONE {
            return Ok(());
        }
        Err(malformed(field, format!("code at {code:#x}, beyond the text")))
    }

    fn name(&self, field: &'static str, span: Span) -> Result<(), Malformed> {
        let names = self.span("names", self.descriptor.names)?;
        let start = span.offset as usize;
        let name = names
            .get(start..start.saturating_add(span.len as usize))
            .ok_or_else(|| malformed(field, "a name outside the names"))?;
        std::str::from_utf8(name)
            .map(drop)
            .map_err(|_| malformed(field, "a name that is not UTF-8"))
    }

    /// Checks that `size` bytes at `offset` from `base` lie in the near globals or the far fields.
    fn place(&self, field: &'static str, offset: i32, size: u32) -> Result<(), Malformed> {
        let (start, end) = (i64::from(offset), i64::from(offset) + i64::from(size));
        let near = i64::from(HEADER) + size_of::<Header>() as i64;
        let far = -i64::from(self.descriptor.vmctx_size);
        let inside = near <= start && end <= 0 || far <= start && end <= i64::from(FAR_END);
        if inside && start % i64::from(size.min(16)) == 0 {
            return Ok(());
        }
        Err(malformed(field, format!("{size} bytes at {offset} in the vmctx")))
    }

    fn value_type(field: &'static str, ty: u32) -> Result<ValType, Malformed> {
        ValType::from_u32(ty).ok_or_else(|| malformed(field, format!("unknown value type {ty}")))
    }

    fn function_type(field: &'static str, ty: u32, types: &[FuncType]) -> Result<(), Malformed> {
        match types.get(ty as usize) {
            Some(_) => Ok(()),
            None => Err(malformed(field, format!("function type {ty}, beyond the types"))),
        }
    }

    /// Reads an initial value. References are null when they are constants.
    fn init(&self, field: &'static str, init: Init, ty: ValType) -> Result<InitValue, Malformed> {
        let reference = matches!(ty, ValType::FuncRef | ValType::ExternRef);
        let func_records = self.descriptor.func_records.len / FuncRecord::SIZE as u32;
        match init.value() {
            Some(InitValue::Global(offset)) => {
                self.place(field, offset, ty.size())?;
                Ok(InitValue::Global(offset))
            }
            Some(value @ InitValue::Const(bits)) if !reference || bits == 0 => Ok(value),
            Some(value @ InitValue::Func(record))
                if ty == ValType::FuncRef && record < func_records =>
            {
                Ok(value)
            }
            _ => Err(malformed(field, format!("initial value {}: {:#x}", init.form, init.value))),
        }
    }

    /// Reads where a segment goes.
    fn placement(&self, field: &'static str, init: Init) -> Result<Placement, Malformed> {
        match init.placement() {
            Some(placement @ (Placement::Passive | Placement::Declared)) => Ok(placement),
            _ => Ok(Placement::Active(self.init(field, init, ValType::I32)?)),
        }
    }

    fn types(&self) -> Result<Vec<FuncType>, Malformed> {
        let mut bytes = self.span("types", self.descriptor.types)?;
        let mut types = Vec::new();
        while !bytes.is_empty() {
            let ty = FuncType::decode(&mut bytes)
                .filter(|ty| ty.params.len().max(ty.results.len()) <= MAX_VALUES);
            types.push(ty.ok_or_else(|| {
                malformed("types", format!("type {} cannot be read", types.len()))
            })?);
        }
        Ok(types)
    }

    /// Checks that names shared by many records do not make much of a small file.
    fn check_names(names: impl Iterator<Item = Span>) -> Result<(), Malformed> {
        let bytes: u64 = names.map(|name| u64::from(name.len)).sum();
        match bytes <= MAX_NAMES {
            true => Ok(()),
            false => Err(malformed("names", format!("{bytes} bytes of names in all"))),
        }
    }

    fn functions(&self) -> Result<(), Malformed> {
        let bytes = self.span("functions", self.descriptor.functions)?;
        let sites = self.descriptor.sites.len;
        let count = bytes.len() / Function::SIZE;
        if !bytes.len().is_multiple_of(Function::SIZE) || count == 0 {
            return Err(malformed("functions", "not a whole number of records"));
        }
        let mut rest = bytes;
        let mut last = Function::default();
        for index in 0..count {
            let function = Function::take(&mut rest)
                .ok_or_else(|| malformed("functions", "the records end early"))?;
            if function.code < last.code || function.sites < last.sites || function.sites > sites {
                return Err(malformed("functions", format!("record {index} is out of order")));
            }
            let name_end = function.name.offset.checked_add(function.name.len);
            if name_end.is_none_or(|end| end > self.descriptor.names.len) {
                return Err(malformed("functions", format!("record {index} has no name")));
            }
            last = function;
        }
        if last.index != NONE || last.code != self.descriptor.text_len {
            return Err(malformed("functions", "the last record does not close the text"));
        }
        Ok(())
    }

    fn imports(&self, types: &[FuncType], externs: &Externs) -> Result<Vec<Import>, Malformed> {
        let functions: Vec<ImportedFunction> =
            self.all("imported_functions", self.descriptor.imported_functions)?;
        for function in &functions {
            Self::function_type("imported_functions", function.ty, types)?;
            self.code("imported_functions", function.exit, true)?;
        }
        let read = |import: descriptor::Import| {
            self.name("imports", import.module)?;
            self.name("imports", import.field)?;
            let desc = externs.desc("imports", import.kind, import.item, &functions)?;
            if let ExternDesc::Global(ExternGlobal { place: Place::Const(_), .. }) = desc {
                return Err(malformed("imports", "a global that is a constant"));
            }
            Ok(Import { module: import.module, field: import.field, desc })
        };
        self.all("imports", self.descriptor.imports)?.into_iter().map(read).collect()
    }

    fn exports(&self, types: &[FuncType], externs: &Externs) -> Result<Vec<Export>, Malformed> {
        let functions: Vec<FuncRecord> =
            self.all("exported_functions", self.descriptor.exported_functions)?;
        for function in &functions {
            Self::function_type("exported_functions", function.ty, types)?;
            self.code("exported_functions", function.code, false)?;
            self.code("exported_functions", function.entry, false)?;
        }
        let read = |export: descriptor::Export| {
            self.name("exports", export.name)?;
            let desc = externs.desc("exports", export.kind, export.item, &functions)?;
            Ok(Export { name: export.name, desc })
        };
        self.all("exports", self.descriptor.exports)?.into_iter().map(read).collect()
    }

    /// What imports and exports share.
    fn externs(&self) -> Result<Externs, Malformed> {
        let d = self.descriptor;
        let tables: Vec<ExternTable> = self.all("extern_tables", d.extern_tables)?;
        for ExternTable { min, max, .. } in &tables {
            if max < min {
                return Err(malformed("extern_tables", format!("{min} to {max} elements")));
            }
        }
        let global = |global: descriptor::ExternGlobal| {
            let ty = Self::value_type("extern_globals", global.ty)?;
            let place = match self.init("extern_globals", global.place, ty)? {
                InitValue::Const(bits) => Place::Const(bits),
                InitValue::Global(offset) => Place::Vmctx(offset),
                InitValue::Func(_) => return Err(malformed("extern_globals", "a function")),
            };
            match (global.mutable, place) {
                (0, _) | (1, Place::Vmctx(_)) => {
                    Ok(ExternGlobal { ty, mutable: global.mutable == 1, place })
                }
                _ => Err(malformed("extern_globals", "a constant that can change")),
            }
        };
        let globals = self.all("extern_globals", d.extern_globals)?.into_iter().map(global);
        let memory = Limits { min: d.memory_min, max: optional(d.memory_max) };
        Ok(Externs { tables, memory, globals: globals.collect::<Result<_, _>>()? })
    }

    fn globals(&self) -> Result<Vec<Global>, Malformed> {
        let read = |global: descriptor::Global| {
            let ty = Self::value_type("globals", global.ty)?;
            self.place("globals", global.offset, ty.size())?;
            let init = self.init("globals", global.init, ty)?;
            Ok(Global { offset: global.offset, ty, init })
        };
        self.all("globals", self.descriptor.globals)?.into_iter().map(read).collect()
    }

    fn tables(&self) -> Result<Vec<MutableTable>, Malformed> {
        let read = |table: descriptor::MutableTable| {
            let descriptor::MutableTable { record, index, min, max, init } = table;
            self.place("tables", record, size_of::<TableRecord>() as u32)?;
            let init = self.init("tables", init, ValType::FuncRef)?;
            if min > MAX_TABLE || max < min {
                return Err(malformed("tables", format!("table {index}: {min} to {max}")));
            }
            let limits = Limits { min, max: optional(max) };
            Ok(MutableTable { record, index, limits, init })
        };
        let tables = self.all("tables", self.descriptor.tables)?.into_iter().map(read);
        let tables: Vec<MutableTable> = tables.collect::<Result<_, _>>()?;
        let elements: u64 = tables.iter().map(|table| u64::from(table.limits.min)).sum();
        match elements <= MAX_TABLES {
            true => Ok(tables),
            false => Err(malformed("tables", format!("{elements} elements in all"))),
        }
    }

    fn func_records(&self, types: usize) -> Result<(), Malformed> {
        let span = self.descriptor.func_records;
        if !span.offset.is_multiple_of(8) {
            return Err(malformed("func_records", "not aligned"));
        }
        for record in self.all::<FuncRecord>("func_records", span)? {
            self.code("func_records", record.code, false)?;
            self.code("func_records", record.entry, true)?;
            if record.ty as usize >= types {
                return Err(malformed("func_records", format!("function type {}", record.ty)));
            }
        }
        Ok(())
    }

    fn extents(&self) -> Result<Vec<Extent>, Malformed> {
        let extents: Vec<Extent> = self.all("extents", self.descriptor.extents)?;
        let memory_len = u64::from(self.descriptor.memory_min) * WASM_PAGE;
        let image_len = u64::from(self.descriptor.memory_image_len);
        let (mut end, mut image_end) = (0, 0);
        for extent in &extents {
            let [address, offset, len] = [extent.address, extent.offset, extent.len].map(u64::from);
            let aligned =
                [address, offset, len].iter().all(|value| value.is_multiple_of(IMAGE_GRANULE));
            let inside = address + len <= memory_len && offset + len <= image_len;
            // What two extents share would be more in memory than in the file.
            let rising = end <= address && image_end <= offset;
            if !aligned || !inside || !rising || len == 0 {
                return Err(malformed("extents", format!("{len} bytes for address {address:#x}")));
            }
            (end, image_end) = (address + len, offset + len);
        }
        Ok(extents)
    }

    fn data(&self) -> Result<Vec<DataSegment>, Malformed> {
        let read = |segment: descriptor::DataSegment| {
            let descriptor::DataSegment { index, placement, bytes } = segment;
            self.span("data", bytes)?;
            match self.placement("data", placement)? {
                Placement::Declared => Err(malformed("data", "a segment that declares")),
                placement => Ok(DataSegment { index, placement, bytes }),
            }
        };
        self.all("data", self.descriptor.data)?.into_iter().map(read).collect()
    }

    fn elements(&self) -> Result<Vec<ElementSegment>, Malformed> {
        let segments: Vec<descriptor::ElementSegment> =
            self.all("elements", self.descriptor.elements)?;
        let items: u64 = segments.iter().map(|segment| u64::from(segment.items.len)).sum();
        if items > self.metadata.len() as u64 {
            return Err(malformed("elements", "segments that share their elements"));
        }
        let read = |segment: descriptor::ElementSegment| {
            let placement = self.placement("elements", segment.placement)?;
            let item = |item| self.init("elements", item, ValType::FuncRef);
            let items = self.all("elements", segment.items)?.into_iter().map(item);
            Ok(ElementSegment {
                index: segment.index,
                table: segment.table,
                placement,
                items: items.collect::<Result<_, _>>()?,
            })
        };
        segments.into_iter().map(read).collect()
    }

    /// A global must not lie over a table's record or another global.
    fn check_overlap(&self, records: &Records) -> Result<(), Malformed> {
        let globals = records.globals.iter().map(|global| (global.offset, global.ty.size()));
        let tables = records.tables.iter().map(|table| (table.record, 16));
        let mut places: Vec<_> = globals.chain(tables).collect();
        places.sort_unstable();
        let overlap = places
            .windows(2)
            .find(|pair| i64::from(pair[0].0) + i64::from(pair[0].1) > i64::from(pair[1].0));
        match overlap {
            Some(pair) => Err(malformed("globals", format!("two at {} in the vmctx", pair[1].0))),
            None => Ok(()),
        }
    }

    /// An active element segment must have a table to go to.
    fn check_segments(&self, records: &Records) -> Result<(), Malformed> {
        for segment in &records.elements {
            let known = records.tables.iter().any(|table| table.index == segment.table);
            if !known && matches!(segment.placement, Placement::Active(_)) {
                let message = format!("segment {} names no mutable table", segment.index);
                return Err(malformed("elements", message));
            }
        }
        Ok(())
    }
}

/// What imports and exports share.
struct Externs {
    tables: Vec<ExternTable>,
    memory: Limits,
    globals: Vec<ExternGlobal>,
}

impl Externs {
    /// The description that record `item` of a kind is.
    fn desc<F: Copy>(
        &self,
        field: &'static str,
        kind: u32,
        item: u32,
        functions: &[F],
    ) -> Result<ExternDesc<F>, Malformed> {
        let at = item as usize;
        let kind = ExternKind::from_u32(kind)
            .ok_or_else(|| malformed(field, format!("unknown kind {kind}")))?;
        let desc = match kind {
            ExternKind::Function => functions.get(at).copied().map(ExternDesc::Func),
            ExternKind::Table => self.tables.get(at).map(|table| {
                let limits = Limits { min: table.min, max: optional(table.max) };
                ExternDesc::Table { index: table.index, limits }
            }),
            ExternKind::Memory => Some(ExternDesc::Memory(self.memory)),
            ExternKind::Global => self.globals.get(at).copied().map(ExternDesc::Global),
        };
        desc.ok_or_else(|| malformed(field, format!("record {item} of its kind, beyond them")))
    }
}
