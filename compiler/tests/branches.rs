//! Does control stay where it belongs? All branches of compiled code are decoded, on both
//! instruction sets.
//!
//! The specification's modules are decoded in `tests/spec.rs`, workloads and runtimes in
//! `bench-suite/tests`, random modules by the fuzzer.

use capstone::prelude::*;
use lithify_compiler::{Branches, Machine, Options, Profile, Target, branches, compile_image};
use object::{Object, ObjectSection};
use std::{fs, ops::Range, path::Path};
use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction,
    Module, TypeSection, ValType,
};

fn targets() -> [Target; 3] {
    let x86_64 = Target::default();
    [x86_64, x86_64.with_cpu("x86-64-v2").unwrap(), Target::aarch64()]
}

fn image(wasm: &[u8], target: Target) -> Vec<u8> {
    let options = Options { target, profile: Some(Profile::General), ..Options::default() };
    compile_image(wasm, &options).unwrap()
}

/// Decodes `wasm` as compiled for every target, and returns what aarch64 has.
#[track_caller]
fn check(what: &str, wasm: &[u8]) -> Branches {
    let mut found = Branches::default();
    for target in targets() {
        found =
            branches(&image(wasm, target)).unwrap_or_else(|e| panic!("{what}, {target:?}: {e}"));
    }
    found
}

#[test]
fn filetests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    let mut all = Branches::default();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let wasm = wat::parse_file(&path).unwrap();
        all += check(&path.display().to_string(), &wasm);
    }
    println!("{all:?}");
    assert!(all.branches > 30 && all.calls > 10 && all.indirect_calls > 10, "{all:?}");
    assert!(all.tables > 0 && all.targets > all.tables && all.slot_jumps > 5, "{all:?}");
}

/// A module with one function of an integer, exported as `f`.
fn function(fill: impl FnOnce(&mut Function)) -> Vec<u8> {
    let (mut types, mut declared) = (TypeSection::new(), FunctionSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    types.ty().function([ValType::I32], [ValType::I32]);
    declared.function(0);
    exports.export("f", ExportKind::Func, 0);
    let mut function = Function::new([(1, ValType::V128)]);
    fill(&mut function);
    code.function(function.instruction(&Instruction::End));
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&exports).section(&code);
    module.finish()
}

use Instruction::{
    Block, BrIf, BrTable, Drop, End, I32Add, I32Const, I32DivU, I32x4Add, LocalGet, LocalSet,
    Return, V128Const,
};

/// `br_table` of so many ways to two places by turns, and a default to another.
fn br_table(function: &mut Function, ways: usize) {
    let block = || Block(BlockType::Empty);
    let targets: Vec<u32> = (0..ways).map(|way| way as u32 % 2).collect();
    let table = BrTable(targets.into(), 2);
    for instruction in [block(), block(), block(), LocalGet(0), table, End, End] {
        function.instruction(&instruction);
    }
    for instruction in [I32Const(11), Return, End] {
        function.instruction(&instruction);
    }
}

#[test]
fn tables_of_every_length() {
    for ways in [0, 1, 2, 15, 16, 127, 128, 32_767, 32_768, 65_519, 65_520] {
        let wasm = function(|f| {
            br_table(f, ways);
            f.instruction(&I32Const(22));
        });
        let found = check(&format!("{ways} ways"), &wasm);
        // Fewer are compared with.
        if ways > 2 {
            assert_eq!((found.tables, found.targets), (1, ways + 1));
        }
    }
}

/// On aarch64 a test of a bit reaches 32 KiB. These functions are longer.
#[test]
fn functions_longer_than_branches_reach() {
    let divide = [LocalGet(0), LocalGet(0), I32DivU, LocalSet(0)];
    let traps = function(|f| {
        f.instruction(&Block(BlockType::Empty));
        f.instruction(&LocalGet(0)).instruction(&BrIf(0));
        (0..10_000).flat_map(|_| &divide).for_each(|i| _ = f.instruction(i));
        f.instruction(&End).instruction(&LocalGet(0));
    });
    check("a branch past traps, and branches to them", &traps);

    let bits = function(|f| {
        f.instruction(&Block(BlockType::Empty));
        for _ in 0..3_000 {
            f.instruction(&LocalGet(0)).instruction(&I32Const(1 << 7));
            f.instruction(&Instruction::I32And).instruction(&BrIf(0));
            f.instruction(&LocalGet(0)).instruction(&I32Const(77)).instruction(&I32Add);
            f.instruction(&LocalSet(0));
        }
        f.instruction(&End).instruction(&LocalGet(0));
    });
    check("tests of bits", &bits);

    let constants = function(|f| {
        for i in 0..5_000 {
            f.instruction(&V128Const(i * 0x0123_4567_89ab_cdef)).instruction(&LocalGet(1));
            f.instruction(&I32x4Add).instruction(&LocalSet(1));
        }
        f.instruction(&LocalGet(1)).instruction(&Drop).instruction(&LocalGet(1));
        f.instruction(&Instruction::I32x4ExtractLane(0));
    });
    check("constants", &constants);
}

/// A module with every kind of branch.
const ALL_KINDS: &str = r#"(module
    (import "env" "host" (func $host (param i32) (result i32)))
    (table 2 funcref) (elem (i32.const 0) $leaf $f)
    (func $leaf (param i32) (result i32) (local.get 0))
    (func $f (export "f") (param i32) (result i32)
        (block (block (block (br_table 0 1 2 0 (local.get 0))) (return (i32.const 1)))
            (return (call $host (local.get 0))))
        (if (result i32) (local.get 0)
            (then (call $leaf (i32.const 3)))
            (else (call_indirect (param i32) (result i32) (i32.const 4) (local.get 0)))))
    (func (export "loop") (param i32)
        (loop (br_if 0 (local.tee 0 (call $host (local.get 0))))))
    (func (export "calls") (param i32)
        (loop
            (if (call $host (i32.const 1)) (then (drop (call $host (i32.const 2))) (br 1)))
            (if (call $host (i32.const 3)) (then (drop (call $host (i32.const 4))) (br 1)))
            (if (call $host (i32.const 5)) (then (drop (call $host (i32.const 6))) (br 1))))))"#;

/// Every branch that is sent out of a text of less than 4 KiB is found, and so are the targets of
/// its jump table, whichever bit sends it.
#[test]
fn a_branch_that_goes_astray_is_found() {
    let wasm = wat::parse_str(ALL_KINDS).unwrap();
    for target in targets() {
        let good = image(&wasm, target);
        let found = branches(&good).unwrap();
        assert!(found.tables == 1 && found.calls > 0 && found.slot_jumps > 0, "{found:?}");
        let file = object::File::parse(&*good).unwrap();
        let text = file.section_by_name(".text").unwrap();
        assert!(text.size() < 4096);
        let fields = fields(target.machine, text.data().unwrap());
        let mut caught = 0;
        for (at, bits) in &fields {
            let legal: Vec<usize> = (bits.clone())
                .filter(|bit| {
                    let mut bad = good.clone();
                    bad[text.address() as usize + at + bit / 8] ^= 1 << (bit % 8);
                    branches(&bad).is_ok()
                })
                .collect();
            // All bits are legal where nothing leads to the branch.
            assert!(legal.is_empty() || legal.len() == bits.len(), "{target:?} {at:#x} {legal:?}");
            caught += usize::from(legal.is_empty());
        }
        println!("{target:?}: {found:?}");
        // Zeros between pieces hide a few from the sweep on x86-64.
        let all = found.branches + found.calls + found.targets;
        assert!(caught <= all && caught * 10 >= all * 9, "{target:?}: {caught} of {all}");
    }
}

/// Where branches hold distances, and which of the bits there stand for 4 KiB and more.
fn fields(machine: Machine, text: &[u8]) -> Vec<(usize, Range<usize>)> {
    let mut disassembler = match machine {
        Machine::X86_64 => Capstone::new().x86().mode(arch::x86::ArchMode::Mode64).build(),
        Machine::Aarch64 => Capstone::new().arm64().mode(arch::arm64::ArchMode::Arm).build(),
    }
    .unwrap();
    disassembler.set_skipdata(true).unwrap();
    let (mut fields, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let found = disassembler.disasm_count(&text[at..], at as u64, 1).unwrap();
        let instruction = &found[0];
        let (name, operands) = (instruction.mnemonic().unwrap(), instruction.op_str().unwrap());
        let end = at + instruction.len();
        // The start of the text is `0`.
        let direct = (operands == "0" || operands.contains("0x")) && !operands.contains('[');
        match (machine, name) {
            (Machine::X86_64, name) if direct && (name == "call" || name.starts_with('j')) => {
                let long = instruction.len() > 2;
                fields.push(if long { (end - 4, 12..32) } else { (end - 1, 7..8) });
            }
            (Machine::Aarch64, "b" | "bl") => fields.push((at, 10..26)),
            (Machine::Aarch64, "tbz" | "tbnz") => fields.push((at, 15..19)),
            (Machine::Aarch64, name) if name.starts_with("b.") || name.starts_with("cb") => {
                fields.push((at, 15..24));
            }
            _ => {}
        }
        at = end;
        // A table of four stands behind the jump through it; only stubs use `x16`.
        let register = !direct && !operands.contains('[');
        if (name == "jmp" && register) || (name == "br" && operands != "x16") {
            fields.extend((0..4).map(|i| (end + i * 4, 12..32)));
            at += 16;
        }
    }
    fields
}
