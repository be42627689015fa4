//! Records that contradict themselves are refused; the field is named.

use super::Section;
use lithify_abi::descriptor::{
    DataSegment, Descriptor, ElementSegment, Export, Extent, ExternGlobal, ExternKind, ExternTable,
    FuncRecord, Function, Global, Import, ImportedFunction, Init, InitValue, MAGIC, MutableTable,
    NONE, Placement, Span,
};
use lithify_abi::record::{Field, encode_all};
use lithify_abi::types::FuncType;

/// Metadata with one function of four bytes, and what `change` makes of it.
fn metadata(change: impl FnOnce(&mut Descriptor, &mut Vec<u8>)) -> Vec<u8> {
    let mut tail = Vec::new();
    let functions = [
        Function { code: 0, index: 0, ..Function::default() },
        Function { code: 4, index: NONE, ..Function::default() },
    ];
    let mut descriptor = Descriptor {
        magic: MAGIC,
        text_len: 4,
        vmctx_size: 128,
        memory: 1,
        memory_min: 1,
        memory_max: 2,
        start: NONE,
        start_entry: NONE,
        functions: append(&mut tail, &functions),
        ..Descriptor::default()
    };
    descriptor.types = Span { offset: Descriptor::SIZE as u32 + tail.len() as u32, len: 8 };
    FuncType::default().encode(&mut tail);
    change(&mut descriptor, &mut tail);
    let mut bytes = encode_all(&[descriptor]);
    bytes.extend(tail);
    bytes
}

fn append<T: Field>(tail: &mut Vec<u8>, records: &[T]) -> Span {
    tail.resize(tail.len().next_multiple_of(8), 0);
    let bytes = encode_all(records);
    let offset = (Descriptor::SIZE + tail.len()) as u32;
    tail.extend(&bytes);
    Span { offset, len: bytes.len() as u32 }
}

#[track_caller]
fn refused(field: &str, change: impl FnOnce(&mut Descriptor, &mut Vec<u8>)) {
    let bytes = metadata(change);
    match Section::read(&bytes).and_then(|section| section.check_functions()) {
        Err(error) => assert_eq!(error.field, field, "{}", error.message),
        Ok(_) => panic!("{field} was not refused"),
    }
}

#[test]
fn relative_addresses_start_at_their_fields() {
    let descriptor = Descriptor { text: -2, memory_image: -3, ..Descriptor::default() };
    let bytes = encode_all(&[descriptor]);
    let offsets = Descriptor::OFFSETS;
    for (field, value) in [(offsets.text, -2_i64), (offsets.memory_image, -3)] {
        assert_eq!(bytes[field..][..8], value.to_le_bytes());
    }
}

#[test]
fn functions_are_found_by_any_of_their_bytes() {
    let bytes = metadata(|_, _| ());
    let section = Section::read(&bytes).expect("sound records");
    for code in 0..4 {
        let (function, _) = section.function_at(code).expect("a function");
        assert_eq!(function.index, 0);
    }
    assert_eq!(section.function_at(4), None);
}

#[test]
fn contradictions_are_refused() {
    refused("magic", |d, _| d.magic[0] = b'l');
    refused("types", |d, _| d.types.len = 7);
    refused("names", |d, _| d.names = Span { offset: u32::MAX, len: u32::MAX });
    refused("functions", |d, _| d.text_len = 5);
    refused("functions", |d, _| d.functions.len -= 1);
    refused("vmctx_size", |d, _| d.vmctx_size = 120);
    refused("vmctx_size", |d, _| d.vmctx_size = 64);
    refused("vmctx_size", |d, _| d.vmctx_size = 0xffff_fff0);
    refused("heap", |d, _| d.heap = 112);
    refused("heap", |d, _| (d.vmctx_size, d.heap) = (256, 241));
    refused("heap", |d, _| (d.vmctx_size, d.heap) = (256, u32::MAX));
    refused("memory", |d, _| d.memory = 3);
    refused("memory_min", |d, _| d.memory_min = 65537);
    refused("memory_max", |d, _| d.memory_max = 0);
    refused("start", |d, _| d.start = 4);
    refused("start_entry", |d, _| d.start = 0);
    refused("functions", |d, tail| {
        let at = |code| Function { code, index: NONE, ..Function::default() };
        d.functions = append(tail, &[at(3), at(1), at(4)]);
    });
    refused("exported_functions", |d, tail| {
        let function = FuncRecord { code: 4, ..FuncRecord::default() };
        d.exported_functions = append(tail, &[function]);
    });
    refused("exported_functions", |d, tail| {
        let function = FuncRecord { ty: 1, ..FuncRecord::default() };
        d.exported_functions = append(tail, &[function]);
    });
    refused("imported_functions", |d, tail| {
        let function = ImportedFunction { ty: 0, exit: 4 };
        d.imported_functions = append(tail, &[function]);
    });
    refused("func_records", |d, tail| {
        d.func_records = append(tail, &[FuncRecord { entry: 9, ..FuncRecord::default() }]);
    });
    refused("func_records", |d, tail| {
        d.func_records = append(tail, &[FuncRecord::default()]);
        d.func_records.offset = d.func_records.offset.next_multiple_of(8) + 4;
        tail.extend([0; 12]);
    });
}

/// An import or export is one of its kind, and there is a record of it.
#[test]
fn imports_and_exports_are_described() {
    for kind in [ExternKind::Function, ExternKind::Table, ExternKind::Global] {
        let kind = kind as u32;
        refused("exports", |d, tail| {
            d.exports = append(tail, &[Export { kind, ..Export::default() }]);
        });
        refused("imports", |d, tail| {
            d.imports = append(tail, &[Import { kind, ..Import::default() }]);
        });
    }
    refused("exports", |d, tail| {
        d.exports = append(tail, &[Export { kind: 4, ..Export::default() }]);
    });
    refused("extern_tables", |d, tail| {
        d.extern_tables = append(tail, &[ExternTable { index: 0, min: 2, max: 1 }]);
    });
    let constant = ExternGlobal { ty: 0, mutable: 0, place: InitValue::Const(7).into() };
    let globals = |global: ExternGlobal| {
        move |d: &mut Descriptor, tail: &mut Vec<u8>| d.extern_globals = append(tail, &[global])
    };
    let kind = ExternKind::Global as u32;
    assert!(Section::read(&metadata(globals(constant))).is_ok());
    refused("extern_globals", globals(ExternGlobal { ty: 7, ..constant }));
    refused("extern_globals", globals(ExternGlobal { mutable: 1, ..constant }));
    refused("extern_globals", globals(ExternGlobal { mutable: 2, ..constant }));
    let beyond = InitValue::Global(-4096).into();
    refused("extern_globals", globals(ExternGlobal { place: beyond, ..constant }));
    refused("imports", |d, tail| {
        globals(constant)(d, tail);
        d.imports = append(tail, &[Import { kind, ..Import::default() }]);
    });
}

#[test]
fn slots_stay_in_their_places() {
    let global = |offset, ty| Global { offset, ty, ..Global::default() };
    let far = |globals: &[Global], ok: bool| {
        let bytes = metadata(|d, tail| {
            d.vmctx_size = 160;
            d.globals = append(tail, globals);
        });
        assert_eq!(Section::read(&bytes).is_ok(), ok, "{globals:?}");
    };
    far(&[global(-8, 1), global(-16, 0), global(-144, 4), global(-160, 1)], true);
    // The header, its edges, beyond either end, unaligned, and two at one place.
    for slot in [-128, -72, -64 - 8, -132, -4, 0, -168, i32::MIN, i32::MAX, -12] {
        far(&[global(slot, 1)], false);
    }
    far(&[global(-8, 1), global(-8, 0)], false);
    far(&[global(-8, 99)], false);
    refused("globals", |d, tail| {
        d.vmctx_size = 160;
        d.globals = append(tail, &[global(-152, 1)]);
        d.tables = append(tail, &[MutableTable { record: -160, ..MutableTable::default() }]);
    });
}

#[test]
fn initial_values_and_segments_refer_to_what_exists() {
    let extent = |address, offset, len| Extent { address, offset, len };
    let extents = |d: &mut Descriptor, tail: &mut Vec<u8>, extents: &[Extent]| {
        d.memory_image_len = 12_288;
        d.extents = append(tail, extents);
    };
    let good = [extent(0, 0, 4096), extent(8192, 4096, 8192)];
    assert!(Section::read(&metadata(|d, tail| extents(d, tail, &good))).is_ok());
    for bad in [
        extent(1, 0, 4096),
        extent(0, 0, 0),
        extent(0, 8192, 8192),
        extent(0xf000, 0, 8192),
        extent(0xffff_f000, 0, 4096),
        extent(0, 0xffff_f000, 4096),
    ] {
        refused("extents", |d, tail| extents(d, tail, &[bad]));
    }
    refused("extents", |d, tail| extents(d, tail, &[good[1], good[0]]));
    refused("data", |d, tail| {
        let bytes = Span { offset: 0, len: u32::MAX };
        d.data = append(tail, &[DataSegment { bytes, ..DataSegment::default() }]);
    });
    refused("data", |d, tail| {
        let placement = Placement::Active(InitValue::Func(0)).into();
        let segment = DataSegment { placement, ..DataSegment::default() };
        d.data = append(tail, &[segment]);
    });
    refused("data", |d, tail| {
        let placement = Placement::Declared.into();
        d.data = append(tail, &[DataSegment { placement, ..DataSegment::default() }]);
    });
    refused("data", |d, tail| {
        let placement = Init { form: 5, value: 0 };
        d.data = append(tail, &[DataSegment { placement, ..DataSegment::default() }]);
    });
    refused("elements", |d, tail| {
        let placement = Placement::Active(InitValue::Const(0)).into();
        let segment = ElementSegment { placement, ..ElementSegment::default() };
        d.elements = append(tail, &[segment]);
    });
    refused("globals", |d, tail| {
        let global = Global { offset: -8, ty: 5, init: InitValue::Func(0).into() };
        d.globals = append(tail, &[global]);
    });
    refused("globals", |d, tail| {
        let global = Global { offset: -8, ty: 5, init: InitValue::Const(1).into() };
        d.globals = append(tail, &[global]);
    });
    refused("tables", |d, tail| {
        d.vmctx_size = 144;
        let table = MutableTable { record: -144, min: 5, max: 4, ..MutableTable::default() };
        d.tables = append(tail, &[table]);
    });
}
