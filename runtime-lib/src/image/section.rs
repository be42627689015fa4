//! Turns the metadata section into records whose every index and range was checked.
//!
//! The rest of the library indexes with what it reads here and does not look again. What is
//! large and rarely wanted (functions, sites, function records) is checked and left as bytes.

use super::metadata::Limits;
use lithify_abi::cpu::CpuFeature;
use lithify_abi::descriptor::{
    DataSegment, Descriptor, Element, ElementSegment, Export, Extent, FuncRecord, Function, Global,
    Import, MAGIC, MutableTable, NONE, Span, init, kind,
};
use lithify_abi::heap::Heap;
use lithify_abi::record::{Field, decode_all};
use lithify_abi::types::{FuncType, ValType};
use lithify_abi::vmctx::{FAR_END, HEADER, Header};
use lithify_abi::{IMAGE_GRANULE, WASM_PAGE};

/// The largest vmctx that is accepted, in bytes.
const MAX_VMCTX: u32 = 64 << 20;
/// The largest memory, in pages.
pub const MAX_PAGES: u32 = 1 << 16;
/// The largest table, in elements.
pub const MAX_TABLE: u32 = 10_000_000;
/// The largest size of all tables of an instance together, in elements: as many as the compiler
/// lets them begin with.
pub const MAX_TABLES: u64 = 16 << 20;
/// The most bytes of all names together, and with them what is made of names that many records
/// share: as many as a module has.
const MAX_NAMES: u64 = 128 << 20;
/// The most parameters of a function, and the most results, as in the validator.
const MAX_VALUES: usize = 1000;

/// What is wrong with the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The field of the descriptor.
    pub field: &'static str,
    /// What was found there.
    pub message: String,
}

fn malformed(field: &'static str, message: impl Into<String>) -> Malformed {
    let message = message.into();
    Malformed { field, message }
}

/// The checked records of a module.
#[derive(Debug)]
pub struct Records {
    /// The root.
    pub descriptor: Descriptor,
    /// Function types.
    pub types: Vec<FuncType>,
    /// Imports.
    pub imports: Vec<Import>,
    /// Exports.
    pub exports: Vec<Export>,
    /// Globals with a slot.
    pub globals: Vec<Global>,
    /// Tables that the guest can change.
    pub tables: Vec<MutableTable>,
    /// Pieces of the memory image, in rising order of address.
    pub extents: Vec<Extent>,
    /// Data segments that are not in the memory image.
    pub data: Vec<DataSegment>,
    /// Element segments with their elements.
    pub elements: Vec<(ElementSegment, Vec<Element>)>,
}

impl Records {
    /// Gives imported memory and tables the sizes that were provided for them, which are within
    /// the limits of the module.
    pub fn resize(&mut self, memory: Option<Limits>, tables: &[(u32, Limits)]) {
        if let Some(Limits { min, max }) = memory {
            self.descriptor.memory_min = min;
            self.descriptor.memory_max = max.unwrap_or(NONE);
        }
        for (index, Limits { min, max }) in tables {
            for table in self.tables.iter_mut().filter(|table| table.index == *index) {
                table.min = *min;
                table.max = max.unwrap_or(NONE);
            }
        }
    }

    /// Reads the descriptor, and only that.
    pub fn descriptor(metadata: &[u8]) -> Result<Descriptor, Malformed> {
        let mut bytes = metadata;
        let descriptor = Descriptor::take(&mut bytes)
            .ok_or_else(|| malformed("descriptor", "shorter than a descriptor"))?;
        if descriptor.magic != MAGIC {
            return Err(malformed("magic", "not a descriptor"));
        }
        Ok(descriptor)
    }

    /// Reads and checks all records. Text and memory image themselves are the caller's matter.
    pub fn read(metadata: &[u8]) -> Result<Self, Malformed> {
        let descriptor = Self::descriptor(metadata)?;
        let reader = Reader { metadata, descriptor: &descriptor };
        reader.check_sizes()?;
        let types = reader.types()?;
        reader.functions()?;
        let records = Self {
            imports: reader.imports(&types)?,
            exports: reader.exports(&types)?,
            globals: reader.globals()?,
            tables: reader.tables()?,
            extents: reader.extents()?,
            data: reader.data()?,
            elements: reader.elements()?,
            types,
            descriptor,
        };
        reader.func_records(records.types.len())?;
        reader.check_names(&records)?;
        reader.check_overlap(&records)?;
        for (element, _) in &records.elements {
            let known = records.tables.iter().any(|t| t.index == element.table);
            if !known && matches!(element.form, init::CONST | init::GLOBAL) {
                let message = format!("segment {} names no mutable table", element.index);
                return Err(malformed("elements", message));
            }
        }
        Ok(records)
    }
}

/// Names of the CPU features in `bits`, unknown ones by number.
pub fn feature_names(bits: u64) -> Vec<String> {
    (0..64)
        .filter(|bit| bits >> bit & 1 == 1)
        .map(|bit| {
            CpuFeature::ALL
                .iter()
                .find(|feature| feature.bit() == 1 << bit)
                .map_or_else(|| format!("feature {bit}"), |feature| feature.name().into())
        })
        .collect()
}

/// The bytes of `span`, which was checked; empty if it was not.
pub fn bytes(metadata: &[u8], span: Span) -> &[u8] {
    let start = span.offset as usize;
    metadata.get(start..start.saturating_add(span.len as usize)).unwrap_or(&[])
}

/// The name at `span` of the names, which was checked.
pub fn name<'a>(metadata: &'a [u8], descriptor: &Descriptor, span: Span) -> &'a str {
    let name = bytes(bytes(metadata, descriptor.names), span);
    match std::str::from_utf8(name) {
        Ok(name) => name,
        // Function names are the one kind that is not checked: they may be cut by a tool.
        Err(error) => std::str::from_utf8(&name[..error.valid_up_to()]).unwrap_or(""),
    }
}

/// Record `index` of `span`.
pub fn record<T: Field>(metadata: &[u8], span: Span, index: usize) -> Option<T> {
    let mut bytes = bytes(metadata, span).get(index.checked_mul(T::SIZE)?..)?;
    T::take(&mut bytes)
}

/// The function whose code holds `code`, an offset in the text, with its end in the site
/// stream. Allocates nothing: the signal handler uses it.
pub fn function_at(metadata: &[u8], descriptor: &Descriptor, code: u32) -> Option<(Function, u32)> {
    let count = descriptor.functions.len as usize / Function::SIZE;
    let at = |index| record::<Function>(metadata, descriptor.functions, index);
    let (mut low, mut high) = (0, count.checked_sub(1)?);
    while low < high {
        let middle = low + (high - low) / 2;
        if at(middle + 1)?.code <= code {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let (function, next) = (at(low)?, at(low + 1)?);
    (function.code <= code && code < next.code).then_some((function, next.sites))
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
            self.slot("heap", record, size_of::<Heap>() as u32)?;
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

    /// Checks that `size` bytes at `slot` lie in the near globals or the far slots.
    fn slot(&self, field: &'static str, slot: i32, size: u32) -> Result<(), Malformed> {
        let (start, end) = (i64::from(slot), i64::from(slot) + i64::from(size));
        let near = i64::from(HEADER) + size_of::<Header>() as i64;
        let far = -i64::from(self.descriptor.vmctx_size);
        let inside = near <= start && end <= 0 || far <= start && end <= i64::from(FAR_END);
        if inside && start % i64::from(size.min(16)) == 0 {
            return Ok(());
        }
        Err(malformed(field, format!("slot at {slot}, {size} bytes")))
    }

    fn value_type(field: &'static str, ty: u32) -> Result<ValType, Malformed> {
        u8::try_from(ty)
            .ok()
            .and_then(ValType::from_u8)
            .ok_or_else(|| malformed(field, format!("unknown value type {ty}")))
    }

    fn function_type(field: &'static str, ty: u32, types: &[FuncType]) -> Result<(), Malformed> {
        match types.get(ty as usize) {
            Some(_) => Ok(()),
            None => Err(malformed(field, format!("function type {ty}, beyond the types"))),
        }
    }

    /// Checks an initial value. References are null when they are constants.
    fn init(
        &self,
        field: &'static str,
        form: u32,
        value: u128,
        ty: ValType,
    ) -> Result<(), Malformed> {
        let reference = matches!(ty, ValType::FuncRef | ValType::ExternRef);
        match form {
            init::CONST if !reference || value == 0 => Ok(()),
            init::GLOBAL => self.slot(field, value as i32, ty.size()),
            init::FUNC if ty == ValType::FuncRef && value < self.func_record_count() => Ok(()),
            _ => Err(malformed(field, format!("initial value {form}: {value:#x}"))),
        }
    }

    fn func_record_count(&self) -> u128 {
        u128::from(self.descriptor.func_records.len) / FuncRecord::SIZE as u128
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
    fn check_names(&self, records: &Records) -> Result<(), Malformed> {
        let functions = self.all::<Function>("functions", self.descriptor.functions)?;
        let names = (functions.iter().map(|function| function.name))
            .chain(records.imports.iter().flat_map(|import| [import.module, import.field]))
            .chain(records.exports.iter().map(|export| export.name));
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
            let rising = function.code > last.code || index == 0;
            if !rising || function.sites < last.sites || function.sites > sites {
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

    fn imports(&self, types: &[FuncType]) -> Result<Vec<Import>, Malformed> {
        let imports: Vec<Import> = self.all("imports", self.descriptor.imports)?;
        for import in &imports {
            self.name("imports", import.module)?;
            self.name("imports", import.field)?;
            match import.kind {
                kind::FUNCTION => {
                    Self::function_type("imports", import.ty, types)?;
                    self.code("imports", import.code, true)?;
                }
                kind::GLOBAL => {
                    let ty = Self::value_type("imports", import.ty)?;
                    self.slot("imports", import.slot, ty.size())?;
                }
                kind::TABLE | kind::MEMORY => {}
                other => return Err(malformed("imports", format!("unknown kind {other}"))),
            }
        }
        Ok(imports)
    }

    fn exports(&self, types: &[FuncType]) -> Result<Vec<Export>, Malformed> {
        let exports: Vec<Export> = self.all("exports", self.descriptor.exports)?;
        for export in &exports {
            self.name("exports", export.name)?;
            match export.kind {
                kind::FUNCTION => {
                    Self::function_type("exports", export.ty, types)?;
                    self.code("exports", export.code, false)?;
                    self.code("exports", export.entry, false)?;
                }
                kind::GLOBAL => {
                    let ty = Self::value_type("exports", export.ty)?;
                    if export.entry == 0 {
                        self.slot("exports", export.slot, ty.size())?;
                    }
                }
                kind::TABLE | kind::MEMORY => {}
                other => return Err(malformed("exports", format!("unknown kind {other}"))),
            }
        }
        Ok(exports)
    }

    fn globals(&self) -> Result<Vec<Global>, Malformed> {
        let globals: Vec<Global> = self.all("globals", self.descriptor.globals)?;
        for global in &globals {
            let ty = Self::value_type("globals", global.ty)?;
            self.slot("globals", global.slot, ty.size())?;
            self.init("globals", global.form, global.value, ty)?;
        }
        Ok(globals)
    }

    fn tables(&self) -> Result<Vec<MutableTable>, Malformed> {
        let tables: Vec<MutableTable> = self.all("tables", self.descriptor.tables)?;
        for table in &tables {
            self.slot("tables", table.slot, 16)?;
            self.init("tables", table.form, table.value, ValType::FuncRef)?;
            if table.min > MAX_TABLE || table.max < table.min {
                let message = format!("table {}: {} to {}", table.index, table.min, table.max);
                return Err(malformed("tables", message));
            }
        }
        let elements: u64 = tables.iter().map(|table| u64::from(table.min)).sum();
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
        let segments: Vec<DataSegment> = self.all("data", self.descriptor.data)?;
        for segment in &segments {
            self.span("data", segment.bytes)?;
            if segment.form != init::PASSIVE {
                self.init("data", segment.form, segment.value, ValType::I32)?;
            }
        }
        Ok(segments)
    }

    fn elements(&self) -> Result<Vec<(ElementSegment, Vec<Element>)>, Malformed> {
        let segments: Vec<ElementSegment> = self.all("elements", self.descriptor.elements)?;
        let items: u64 = segments.iter().map(|segment| u64::from(segment.items.len)).sum();
        if items > self.metadata.len() as u64 {
            return Err(malformed("elements", "segments that share their elements"));
        }
        segments
            .into_iter()
            .map(|segment| {
                if !matches!(segment.form, init::PASSIVE | init::DECLARED) {
                    self.init("elements", segment.form, segment.value, ValType::I32)?;
                }
                let items: Vec<Element> = self.all("elements", segment.items)?;
                for item in &items {
                    self.init("elements", item.form, item.value, ValType::FuncRef)?;
                }
                Ok((segment, items))
            })
            .collect()
    }

    /// A global must not lie over a table's record or another global.
    fn check_overlap(&self, records: &Records) -> Result<(), Malformed> {
        let globals = records.globals.iter().map(|global| {
            let size = u8::try_from(global.ty).ok().and_then(ValType::from_u8);
            (global.slot, size.map_or(16, ValType::size))
        });
        let tables = records.tables.iter().map(|table| (table.slot, 16));
        let mut slots: Vec<_> = globals.chain(tables).collect();
        slots.sort_unstable();
        let overlap = slots
            .windows(2)
            .find(|pair| i64::from(pair[0].0) + i64::from(pair[0].1) > i64::from(pair[1].0));
        match overlap {
            Some(pair) => Err(malformed("globals", format!("two at slot {}", pair[1].0))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
