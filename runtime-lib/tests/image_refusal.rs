//! A file that is not an image for this machine is refused, with the reason; a damaged one never
//! brings the loader down.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_compiler::{Options, Target};
use lithify_runtime::{
    Caller, ExternType, FuncType, Guest, Image, ImageError, Imports, InstanceOptions, Metadata,
    Pool, Trust, ValType, Value,
};
use support::{compile, compile_debug};

const WAT: &str = r#"(module
    (import "env" "one" (func $one (param i32) (result i32)))
    (import "other" "two" (func (param i64)))
    (import "env" "level" (global i64))
    (memory (export "memory") 2 10)
    (table $t 3 funcref)
    (elem $t (i32.const 0) func $f $f)
    (elem $p funcref (ref.func $f))
    (global (export "g") (mut i32) (i32.const 5))
    (data (i32.const 0x1000) "data")
    (data $d "passive")
    (func $f (export "f") (param i32) (result i32)
        (table.set $t (i32.const 2) (ref.func $f))
        (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))
        local.get 0 call $one))"#;

fn imports() -> Imports {
    let mut imports = Imports::new();
    let unary = FuncType::new(&[ValType::I32], &[ValType::I32]);
    imports
        .func("env", "one", unary, |_, _| Ok(()))
        .func("other", "two", FuncType::new(&[ValType::I64], &[]), |_, _| Ok(()))
        .global("env", "level", ValType::I64, false, 9);
    imports
}

fn refusal(bytes: &[u8], imports: &Imports) -> ImageError {
    Image::from_bytes(bytes, imports, Trust::Verify).err().expect("a refusal")
}

#[track_caller]
fn check(bytes: &[u8], expected: &str) {
    let message = refusal(bytes, &imports()).to_string();
    assert!(message.contains(expected), "{message:?} does not say {expected:?}");
}

#[test]
fn what_does_not_match_is_named() {
    let image = compile(WAT);
    let changed = |at: usize, to: u8| {
        let mut bytes = image.clone();
        bytes[at] = to;
        bytes
    };
    let note = image.windows(8).position(|w| w == b"Lithify\0").expect("a note") + 8;
    check(b"", "not an ELF file");
    check(b"\0asm\x01\0\0\0", "not an ELF file");
    check(b"\x7fELF", "truncated or damaged ELF file");
    check(&image[..40], "truncated or damaged ELF file");
    check(&changed(4, 1), "did not make");
    check(&changed(note - 8, b'l'), "did not make");
    check(&std::fs::read("/proc/self/exe").unwrap(), "did not make");
    check(&changed(note, 99), "ABI version 99, but this library has");
    check(&[&image[..], b"x"].concat(), "file length");
    check(&image[..image.len() - 1], "file length");
    check(&changed(image.len() / 2, image[image.len() / 2] ^ 1), "file hash");
    check(&changed(note + 60, 1), "file hash");
}

/// A text without code may be said to be anywhere.
#[test]
fn an_empty_text_has_any_address() {
    use lithify_runtime::abi::{
        descriptor::{Function, MAGIC},
        record::Field,
    };
    let mut image = compile("(module)");
    let descriptor = image.windows(8).position(|w| w == MAGIC).expect("a descriptor");
    image[descriptor + 16..][..8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    image[descriptor + 32..][..4].fill(0);
    // The list of functions becomes the record that closes it, and that ends where the text does.
    let word = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
    let closing = word(descriptor + 96) + Function::SIZE as u32;
    assert_eq!(word(descriptor + 100), 2 * Function::SIZE as u32);
    image[descriptor + 96..][..4].copy_from_slice(&closing.to_le_bytes());
    image[descriptor + 100..][..4].copy_from_slice(&(Function::SIZE as u32).to_le_bytes());
    image[descriptor + closing as usize..][..4].fill(0);
    Image::from_bytes(&image, &imports(), Trust::SkipHash).unwrap();
}

#[test]
fn another_release_of_the_compiler_is_named() {
    let mut image = compile(WAT);
    let name = lithify_runtime::abi::COMPILER.as_bytes();
    let at = image.windows(name.len()).position(|w| w == name).expect("the compiler's name");
    image[at + "lithify ".len()] = b'9';
    let error = Image::from_bytes(&image, &imports(), Trust::SkipHash).err().expect("a refusal");
    assert!(error.to_string().starts_with("made by lithify 9."), "{error}");
    assert!(Metadata::parse(&image, Trust::SkipHash).is_ok(), "it can still be inspected");
}

#[test]
fn another_machine_is_named_before_the_hash() {
    let target = if cfg!(target_arch = "x86_64") { Target::aarch64() } else { Target::default() };
    let options = Options { target, ..Options::default() };
    let wasm = wat::parse_str("(module (func (export \"f\")))").unwrap();
    let mut bytes = lithify_compiler::compile_image(&wasm, &options).unwrap();
    let metadata = Metadata::parse(&bytes, Trust::Verify).expect("readable on any machine");
    assert_eq!(metadata.machine, if cfg!(target_arch = "x86_64") { "aarch64" } else { "x86-64" });
    *bytes.last_mut().unwrap() ^= 1;
    check(&bytes, "target machine ");
}

#[test]
fn all_unresolved_imports_are_listed_with_their_types() {
    let image = compile(WAT);
    let mut some = Imports::new();
    some.func("env", "one", FuncType::new(&[ValType::I64], &[]), |_, _| Ok(()))
        .func("env", "one", FuncType::new(&[], &[]), |_, _| Ok(()))
        .global("env", "level", ValType::I64, true, 9);
    let message = refusal(&image, &some).to_string();
    let expected = "unresolved imports:
  env.one: (i32) -> i32, but provided as (i64) -> () and () -> ()
  other.two: (i64) -> ()
  env.level: global i64, but provided as global (mut i64)";
    assert_eq!(message, expected);
    // What is missing can be a trap, but not what has another type.
    some.trap_missing(true);
    let message = refusal(&image, &some).to_string();
    assert!(message.contains("env.one") && !message.contains("other.two"), "{message}");
}

#[test]
fn one_import_has_one_type() {
    let wat = r#"(module
        (import "env" "a" (func (param i32)))
        (import "env" "a" (func (param i64))))"#;
    let mut imports = Imports::new();
    imports.trap_missing(true);
    let error = refusal(&compile(wat), &imports);
    assert!(matches!(error, ImageError::AmbiguousImport { name, .. } if name == "a"));
    // Names that are one when they are put together are two.
    let wat = r#"(module
        (import "env" "a.b" (func (param i32)))
        (import "a" "b" (func (param i64))))"#;
    assert!(Image::from_bytes(&compile(wat), &imports, Trust::Verify).is_ok());
    // The same import twice is fine.
    let wat = r#"(module
        (import "env" "a" (func (param i32)))
        (import "env" "a" (func (param i32))))"#;
    assert!(Image::from_bytes(&compile(wat), &imports, Trust::Verify).is_ok());
}

/// A function of the runtime library trusts compiled code, so a guest's import of its name has to
/// be another one.
#[test]
fn a_guest_cannot_import_the_runtime_library() {
    let wat = r#"(module
        (import "env" "lithify_host_call" (func $call (param i32 i64)))
        (import "env" "lithify_memory_grow" (func $grow (param i32) (result i32)))
        (memory 1)
        (func (export "run") (param i32) (result i32)
            (if (local.get 0) (then (return (i32.add (call $grow (local.get 0))
                (i32.mul (memory.grow (local.get 0)) (i32.const 10))))))
            (call $call (i32.const 0) (i64.const 8))
            (i32.const 0)))"#;
    let mut imports = Imports::new();
    imports
        .trap_missing(true)
        .typed("env", "lithify_memory_grow", |_: &mut Caller<'_>, _: u32| Ok(5_u32));
    let mut instance = support::pool(wat, &imports).instance().unwrap();
    let run = instance.func("run").unwrap();
    let trap = instance.call(&run, &mut [0], &mut ()).unwrap_err();
    assert_eq!(trap.message.as_deref(), Some("env.lithify_host_call: (i32, i64) -> ()"));
    let mut slots = [1];
    instance.call(&run, &mut slots, &mut ()).unwrap();
    assert_eq!(slots, [15], "the host's function and the runtime library's");
}

#[test]
fn metadata_tells_what_is_inside() {
    let metadata = Metadata::parse(&compile(WAT), Trust::Verify).unwrap();
    assert!(metadata.compiler.starts_with("lithify "));
    let imports: Vec<_> = metadata.imports.iter().map(|i| format!("{} {}", i.name, i.ty)).collect();
    assert_eq!(imports, ["one func (i32) -> i32", "two func (i64) -> ()", "level global i64"]);
    let exports: Vec<_> = metadata.exports.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(exports, ["memory", "g", "f"]);
    let mutable = ExternType::Global { ty: ValType::I32, mutable: true };
    assert_eq!(metadata.exports[1].ty, mutable);
    let memory = metadata.memory.unwrap();
    assert_eq!((memory.min, memory.max, memory.imported), (2, Some(10), false));
    let function = &metadata.functions[0];
    assert_eq!((function.index, function.name.as_str()), (2, "f"));
    assert!(function.code_len > 0 && metadata.text_len > function.code_len);
}

/// Whatever a bit flip or a cut makes of the file: an image or an error, no crash. The code of
/// an image that was not hashed is not run here.
#[test]
fn damaged_images_do_not_crash_the_loader() {
    let image = compile_debug(WAT);
    let imports = imports();
    let try_load = |bytes: &[u8]| {
        let _ = Metadata::debug_info_len(bytes);
        let _ = Metadata::parse(bytes, Trust::SkipHash);
        if let Ok(image) = Image::from_bytes(bytes, &imports, Trust::SkipHash) {
            let _ = image.metadata();
            let _ = Pool::new(&image, &InstanceOptions::default());
        }
    };
    let mut bytes = image.clone();
    for at in 0..image.len() {
        if image[at] == 0 && image[at.saturating_sub(8)..image.len().min(at + 8)] == [0; 16] {
            continue; // padding
        }
        for change in [0x01, 0x80, 0xff] {
            bytes[at] = image[at] ^ change;
            try_load(&bytes);
        }
        bytes[at] = image[at];
    }
    for len in (0..image.len()).step_by(37) {
        try_load(&image[..len]);
    }
}

/// A small file whose records share what they name would be large in memory: refused by the field.
#[test]
fn what_records_share_stays_small() {
    use lithify_runtime::abi::{
        descriptor::{Descriptor, ElementSegment, Export, Extent, MAGIC},
        record::Field,
    };
    let exports: String = (0..400)
        .map(|i| {
            format!("(export \"{i}{}\" (func $f))", "x".repeat(if i < 5 { 90_000 } else { 0 }))
        })
        .collect();
    let items = "(ref.func $f)".repeat(20_000);
    let image = compile(&format!(
        "(module (memory 9) (table 3 funcref) {exports}
            (data (i32.const 0) \"one\") (data (i32.const 0x80000) \"two\")
            (elem funcref {items}) (elem funcref (ref.func $f)) (elem funcref (ref.func $f))
            (func $f (param i32) (table.init 0 (i32.const 0) (i32.const 0) (local.get 0))
                (table.init 1 (i32.const 0) (i32.const 0) (local.get 0))
                (table.init 2 (i32.const 0) (i32.const 0) (local.get 0))))"
    ));
    let root = image.windows(8).position(|w| w == MAGIC).expect("a descriptor");
    let word = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
    // The fields by their offset in the descriptor, and the records that they name.
    let at = Descriptor::OFFSETS;
    let [names, types, exports, extents, elements] =
        [at.names, at.types, at.exports, at.extents, at.elements];
    let record = |field: usize, size: usize, index: usize| {
        assert!(word(root + field + 4) as usize >= (index + 1) * size, "field {field} has it");
        root + word(root + field) as usize + index * size
    };
    let refused = |changes: &[(usize, u32)], field: &str| {
        let mut bytes = image.clone();
        for (at, value) in changes {
            bytes[*at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        let loaded = Metadata::parse(&bytes, Trust::SkipHash);
        let said = loaded.err().map_or("nothing".into(), |error| error.to_string());
        assert!(said.contains(field), "{said:?} does not say {field:?}");
    };
    assert!(Metadata::parse(&image, Trust::SkipHash).is_ok());
    let all_names = (0..400).flat_map(|index| {
        let at = record(exports, Export::SIZE, index);
        let name = at + Export::OFFSETS.name;
        [(name, 0), (name + 4, word(root + names + 4))]
    });
    refused(&all_names.collect::<Vec<_>>(), "names");
    let items = |index| record(elements, ElementSegment::SIZE, index) + ElementSegment::SIZE - 8;
    let same = [1, 2]
        .map(|index| [(items(index), word(items(0))), (items(index) + 4, word(items(0) + 4))]);
    refused(same.as_flattened(), "elements");
    let offset = |index| record(extents, Extent::SIZE, index) + 4;
    refused(&[(offset(1), word(offset(0)))], "extents");
    refused(&[(record(types, 8, 0), 1001)], "types");
}

/// A module whose call reads memory, a table, a global and the data that its image holds.
const RUNNABLE: &str = r#"(module
    (memory (export "memory") 1)
    (global (export "g") (mut i32) (i32.const 3))
    (table 4 funcref)
    (elem (i32.const 1) func $double $triple)
    (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func $triple (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))
    (func (export "f") (param i32) (result i32) (local i32)
        (global.set 0 (i32.add (global.get 0) (i32.const 1)))
        (loop $next
            (local.set 0 (i32.add
                (call_indirect (param i32) (result i32)
                    (local.get 0) (i32.add (i32.and (local.get 1) (i32.const 1)) (i32.const 1)))
                (i32.load8_u (local.get 1))))
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get 1) (i32.const 12))))
        (i32.add (local.get 0) (global.get 0)))
    (data (i32.const 0) "twelve bytes")
    (data (i32.const 9000) "and some more"))"#;

/// What an image does, if it loads: the result of a call, and the memory after it.
fn run(bytes: &[u8], trust: Trust) -> Option<(Vec<Value>, Vec<u8>)> {
    let image = Image::from_bytes(bytes, &Imports::new(), trust).ok()?;
    let mut instance = Pool::new(&image, &InstanceOptions::default()).ok()?.instance().unwrap();
    let func = instance.func("f").unwrap();
    let values = instance.call_values(&func, &[Value::I32(5)], &mut ()).unwrap();
    Some((values, instance.memory().to_vec()))
}

/// An image of another length is refused, with or without the hash: at every byte of the first
/// pages, where the headers, the note and the metadata are, and at many more.
#[test]
fn truncated_images_are_refused() {
    let image = compile_debug(RUNNABLE);
    assert_eq!(run(&image, Trust::Verify), run(&compile(RUNNABLE), Trust::Verify));
    assert!(run(&image, Trust::Verify).is_some());
    let lens = (0..image.len().min(8192)).chain((8192..image.len()).step_by(101));
    for len in lens.chain([image.len() - 1]) {
        for trust in [Trust::Verify, Trust::SkipHash] {
            let loaded = Image::from_bytes(&image[..len], &Imports::new(), trust);
            assert!(loaded.is_err(), "cut to {len} of {} bytes, {trust:?}", image.len());
        }
    }
}

/// A bit that flipped anywhere is noticed, since the hash covers all of the file; the code of
/// such an image never runs. Without the hash nothing is promised but that loading does not
/// bring the process down, which the test above holds; what is noticed then is only what the
/// loader itself reads.
#[test]
fn flipped_bits_are_refused() {
    let image = compile_debug(RUNNABLE);
    let debug_len = Metadata::debug_info_len(&image);
    assert!(debug_len > 0 && Metadata::debug_info_len(&compile(RUNNABLE)) == 0);
    assert!(run(&image, Trust::Verify).is_some());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = image.clone();
    for _ in 0..1000 {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let bit = (random >> 16) as usize % (image.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            run(&bytes, Trust::Verify),
            None,
            "bit {bit} of {} is not noticed",
            image.len() * 8
        );
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(bytes, image);
}
