//! Damaged files for everything that reads files: no panic, no hang, no unbounded memory.
//!
//! An input is a function of the seed and its number. Bytes are changed anywhere, or (`structure.rs`)
//! where a parser only comes by a file that is otherwise in order. What a parser answers does not
//! matter here, only that it does. An image that it accepts is loaded and given an instance, but never
//! called: it is code.

use crate::structure::{ImageParts, mutate_json};
use anyhow::{Context, Result};
use lithify_bench::phase::Phase;
use lithify_bench::sample::{self, Key, Record, Series};
use lithify_bench::{Manifest, Run};
use lithify_compiler::{Options, Profile, Target, compile_image, inspect};
use lithify_polkadot::Input;
use lithify_runtime::{Image, Imports, Metadata, Pool, Trust};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

/// Memory that reading one input may take, in bytes: code decompresses to 50 MiB at most, and
/// the compiler works on that.
pub const MAX_MEMORY: u64 = 1 << 30;

/// A module with a section of each kind.
const MODULE: &str = r#"(module $name
    (type $t (func (param i32 i64) (result i32)))
    (import "env" "f" (func $f (type $t)))
    (import "env" "g" (global $g i32))
    (table $table 4 8 funcref)
    (memory (export "memory") 1 2)
    (global $sp (mut i32) (i32.const 1024))
    (export "run" (func $run))
    (elem $table (i32.const 1) func $run $f)
    (elem $passive funcref (ref.func $run) (ref.null func))
    (func $run (type $t) (local f32 f64 i64)
        (block $a (block $b (block $c
            (br_table $a $b $c (local.get 0)))
            (i32.store offset=8 (local.get 0) (i32.const -1)))
            (loop $l (br_if $l (i32.eqz (local.get 0)))))
        (if (result i32) (local.get 0)
            (then (call_indirect $table (type $t) (i32.const 1) (i64.const 2) (local.get 0)))
            (else (call $f (global.get $sp) (i64.const 0x123456789abcdef)))))
    (data (i32.const 16) "some bytes")
    (data $d "passive bytes"))"#;

/// A module whose instances have all that a loader makes, and which starts nothing.
const STARTLESS: &str = r#"(module
    (import "env" "f" (func (param i32 i64) (result i32)))
    (import "env" "h" (func (param f32) (result f64)))
    (import "env" "g" (global $g i32))
    (import "env" "table" (table $imported 2 funcref))
    (table $t 3 9 funcref)
    (memory (export "memory") 3 9)
    (global $a (export "a") (mut i64) (i64.const 7))
    (global $b (export "b") (mut i32) (global.get $g))
    (global (export "c") v128 (v128.const i64x2 1 2))
    (elem (table $t) (global.get $g) func $run)
    (elem $p funcref (ref.func $run) (ref.null func) (ref.func $more))
    (func $run (export "run") (param i32) (result i32)
        (table.set $t (local.get 0) (ref.func $run))
        (table.init $t $p (i32.const 0) (i32.const 0) (local.get 0))
        (memory.init $d (i32.const 0) (i32.const 0) (local.get 0))
        (global.set $a (i64.const 1))
        (table.grow $t (ref.null func) (local.get 0)))
    (func $more (export "more") (table.set $imported (i32.const 0) (ref.func $run))
        (global.set $b (i32.const 3)))
    (data (i32.const 4096) "first") (data (i32.const 131072) "second")
    (data (global.get $g) "third") (data $d "passive"))"#;

/// A chain spec; the code is put in.
const SPEC: &str = r#"{"name": "n", "id": "i", "bootNodes": [], "properties": {"a": [1, 2.5, null]},
    "genesis": {"raw": {"top": {"0x3a636f6465": "CODE", "0x01": "0x0203", "0x3a6865617070616765":
    "0x0800000000000000"}, "childrenDefault": {"0x6368696c64": {"0x01": "0x02"}}}}}"#;

/// A block file; the code is put in.
const BLOCK: &str = r#"{"block": {"header": "HEADER", "body": ["0x0401", "0x1000010203"]},
    "parentStorage": {"mainTrie": {"0x3a636f6465": "CODE", "0x01": "0x02"},
    "childTries": {"0x6368696c64": {"0x01": "0x02"}}}}"#;

/// Words that have a meaning to some parser.
const WORDS: &[&[u8]] = &[
    b"\0asm\x01\0\0\0",
    b"\x52\xbc\x53\x76\x46\xdb\x8e\x05",
    b"\x28\xb5\x2f\xfd",
    b"\x7fELF\x02\x01\x01",
    b"Lithify\0",
    b"0x",
    b"{\"",
    b"\":{\"",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"\"genesis\":",
    b"\"raw\":",
    b"\\u0000",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"runtime_version",
    b"name",
];

/// Every parser, with files that it accepts.
pub struct Parsers {
    seed: u64,
    parsers: Vec<Parser>,
}

struct Parser {
    name: &'static str,
    files: Vec<Vec<u8>>,
    change: Change,
    read: fn(&[u8]),
}

/// How a file is damaged.
enum Change {
    /// Anywhere.
    Bytes,
    /// In what an image says of itself, with the hash made right.
    Image(Vec<ImageParts>),
    /// In the tree of a JSON file, or in what it holds as hex.
    Json,
}

impl Parser {
    fn bytes(name: &'static str, files: Vec<Vec<u8>>, read: fn(&[u8])) -> Self {
        Self { name, files, change: Change::Bytes, read }
    }
}

impl Parsers {
    /// Makes the undamaged files.
    pub fn new(seed: u64) -> Result<Self> {
        let module = wat::parse_str(MODULE)?;
        let solochain = include_bytes!("../../../workloads/solochain/chain-spec.json");
        let blob = include_bytes!("../../../workloads/solochain/solochain.compact.compressed.wasm");
        let hex = |bytes: &[u8]| format!("0x{}", lithify_bench::workload::hex(bytes));
        let header = [&[7; 32][..], &[4], &[8; 64], &[0]].concat();
        let spec = SPEC.replace("CODE", &hex(&module));
        let block = BLOCK.replace("CODE", &hex(&module)).replace("HEADER", &hex(&header));
        let manifest = include_bytes!("../../../workloads/solochain/workload.toml");
        let image = compile_image(&module, &options())?;
        // The whole runtime is too long to be damaged in interesting places by chance; its first
        // blocks are not.
        let zstd = vec![blob[..blob.len().min(64 << 10)].to_vec(), zstd_raw(&module)];
        let spec_head = solochain[..solochain.len().min(4 << 10)].to_vec();
        let images = vec![image.clone(), compile_image(&wat::parse_str(STARTLESS)?, &options())?];
        let parts = images.iter().map(|image| ImageParts::of(image)).collect::<Result<_>>()?;
        let trees = vec![spec.clone().into(), block.clone().into()];
        let wasm = || vec![module.clone()];
        Ok(Self {
            seed,
            parsers: vec![
                Parser::bytes("compile", wasm(), compile),
                Parser::bytes("inspect", wasm(), inspect_module),
                Parser::bytes("image", vec![image], image_file),
                Parser { change: Change::Image(parts), ..Parser::bytes("sealed", images, sealed) },
                Parser::bytes("spec", vec![spec.into(), spec_head], input),
                Parser::bytes("block", vec![block.into()], input),
                Parser { change: Change::Json, ..Parser::bytes("tree", trees, input) },
                Parser::bytes("hex", vec![hex(&module).into()], input),
                Parser::bytes("zstd", zstd, input),
                Parser::bytes("manifest", vec![manifest.to_vec()], manifest_file),
                Parser::bytes("samples", vec![samples()?], samples_file),
            ],
        })
    }

    /// The parser of input `number`, and the input.
    pub fn input(&self, number: u64) -> (&'static str, Vec<u8>) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed.rotate_left(32) ^ number);
        let parser = self.parser(number);
        let file = random.random_range(0..parser.files.len());
        let mut bytes = parser.files[file].clone();
        match &parser.change {
            Change::Image(parts) => parts[file].mutate(&mut bytes, &mut random),
            Change::Json => bytes = mutate_json(&bytes, &mut random, damage),
            Change::Bytes => {
                for _ in 0..1 << random.random_range(0..6) {
                    damage(&mut bytes, &mut random);
                }
            }
        }
        (parser.name, bytes)
    }

    /// Has `bytes` read by the parser of that name.
    pub fn read(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let parser = self.parsers.iter().find(|parser| parser.name == name);
        (parser.with_context(|| format!("there is no parser {name}"))?.read)(bytes);
        Ok(())
    }

    fn parser(&self, number: u64) -> &Parser {
        &self.parsers[(number % self.parsers.len() as u64) as usize]
    }
}

fn options() -> Options {
    let profile = Some(Profile::General);
    Options { target: Target::host(), profile, jobs: 1, ..Options::default() }
}

fn compile(bytes: &[u8]) {
    let _ = compile_image(bytes, &options());
}

fn inspect_module(bytes: &[u8]) {
    let _ = inspect(bytes, &Options::default());
}

fn imports() -> Imports {
    let mut imports = Imports::new();
    imports.trap_missing(true).global("env", "g", lithify_runtime::ValType::I32, false, 1);
    imports
}

/// Without the hash, which would refuse nearly all.
fn image_file(bytes: &[u8]) {
    let _ = Metadata::debug_info_len(bytes);
    let _ = Metadata::parse(bytes, Trust::SkipHash);
    let _ = Image::from_bytes(bytes, &imports(), Trust::SkipHash);
}

fn sealed(bytes: &[u8]) {
    let _ = Metadata::parse(bytes, Trust::Verify);
    let Ok(image) = Image::from_bytes(bytes, &imports(), Trust::Verify) else { return };
    let _ = image.metadata();
    if !ImageParts::starts(bytes) {
        let _ = Pool::new(&image, &Default::default()).map(|pool| pool.instance().map(drop));
    }
}

/// As `inspect` and `check` read it.
fn input(bytes: &[u8]) {
    if let Ok(Input::Runtime(runtime)) = Input::read(bytes.to_vec(), "input") {
        inspect_module(runtime.wasm());
    }
}

fn manifest_file(bytes: &[u8]) {
    let _ = Manifest::parse(&String::from_utf8_lossy(bytes), Path::new("nowhere"));
}

fn samples_file(bytes: &[u8]) {
    if let Ok(run) = Run::read(bytes) {
        let _ = lithify_bench::table(&lithify_bench::report(&run));
    }
}

/// Samples of a process, as `lithify bench --samples` writes them.
fn samples() -> Result<Vec<u8>> {
    let key = Key {
        workload: "w".into(),
        code_hash: "00".into(),
        engine: "lithify".into(),
        setting: "aot".into(),
        phase: Phase::Total,
        call: Some("Core_version".into()),
        process: 1,
        output_hash: None,
    };
    let mut lines = Vec::new();
    for sample in (Series { key, values: vec![10, 5, 6] }).samples() {
        sample::write(&mut lines, &Record::Sample(sample))?;
    }
    Ok(lines)
}

/// The form of a chain, with a frame of raw blocks: bytes that a change can reach.
fn zstd_raw(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x52, 0xbc, 0x53, 0x76, 0x46, 0xdb, 0x8e, 0x05, 0x28, 0xb5, 0x2f, 0xfd];
    // Four bytes of content size, one segment, no checksum.
    out.push(0b1010_0000);
    out.extend((bytes.len() as u32).to_le_bytes());
    let header = (bytes.len() as u32) << 3 | 1;
    out.extend(&header.to_le_bytes()[..3]);
    out.extend(bytes);
    out
}

/// Changes one thing.
fn damage(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        return bytes.push(random.random());
    }
    let at = random.random_range(0..bytes.len());
    let len = random.random_range(1..=32.min(bytes.len() - at));
    match random.random_range(0..9) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
        3 => drop(bytes.drain(at..at + len)),
        4 => {
            let piece = bytes[at..at + len].to_vec();
            let to = random.random_range(0..=bytes.len());
            let piece = piece.repeat(1 << random.random_range(0..8));
            drop(bytes.splice(to..to, piece));
        }
        5 => {
            let word = WORDS[random.random_range(0..WORDS.len())];
            drop(bytes.splice(at..at, word.iter().copied()));
        }
        6 => {
            let word = WORDS[random.random_range(0..WORDS.len())];
            let end = (at + word.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&word[..end - at]);
        }
        7 => {
            let value = [0, 1, u32::MAX, 1 << 31, random.next_u32(), 0xffff, 1 << 16];
            let value = value[random.random_range(0..value.len())].to_le_bytes();
            let end = (at + 4).min(bytes.len());
            bytes[at..end].copy_from_slice(&value[..end - at]);
        }
        _ if random.random_bool(0.2) => bytes.truncate(at),
        _ => bytes[at] = bytes[at].wrapping_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lithify_runtime::ImageError;

    /// Sealed images get past the hash, and many of them to the end; the trees are still JSON, and
    /// some of them a chain spec or a block.
    #[test]
    fn changes_reach_what_lies_behind_the_form() {
        let parsers = Parsers::new(1).expect("the undamaged files are in order");
        let (mut loaded, mut sealed, mut read, mut trees) = (0, 0, 0, 0);
        for number in 0..6000 {
            match parsers.input(number) {
                ("sealed", bytes) => {
                    sealed += 1;
                    match Metadata::parse(&bytes, Trust::Verify) {
                        Ok(_) => loaded += 1,
                        Err(ImageError::FileHash { .. }) => {
                            panic!("input {number} has another hash")
                        }
                        Err(_) => {}
                    }
                }
                ("tree", bytes) => {
                    trees += 1;
                    read += u32::from(Input::read(bytes, "input").is_ok());
                }
                _ => {}
            }
        }
        assert!(loaded * 10 > sealed && loaded * 10 < sealed * 9, "{loaded} of {sealed} images");
        assert!(read * 10 > trees && read * 10 < trees * 9, "{read} of {trees} trees");
    }
}
