//! Modules made to be dear: each compiles or is refused within the bound, and says what is too
//! much.

use lithify_compiler::{
    CompileError, Emit, Options, Progress, Target, compile, compile_image, limits,
};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemorySection,
    MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

/// No hostile module may take longer, on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(120);

/// Compiles a hostile module: an image, or the refusal.
#[track_caller]
fn check(what: &str, wasm: &[u8], expected: Option<&str>) {
    let started = Instant::now();
    let result = compile_image(wasm, &Options { jobs: 2, ..Options::default() });
    let spent = started.elapsed();
    let said = match &result {
        Ok(image) => format!("{} bytes", image.len()),
        Err(error) => error.to_string(),
    };
    println!("{what}: {} bytes of Wasm, {:.2} s, {said}", wasm.len(), spent.as_secs_f64());
    match expected {
        None => assert!(result.is_ok(), "{what}: {said}"),
        Some(expected) => assert!(said.contains(expected), "{what}: {said:?}, not {expected:?}"),
    }
    assert!(spent < BOUND, "{what}: {spent:?}");
}

/// A module with functions of one type each.
fn module(functions: &[(&[ValType], &[ValType], Function)]) -> Vec<u8> {
    let (mut types, mut declared) = (TypeSection::new(), FunctionSection::new());
    let mut code = CodeSection::new();
    for (i, (params, results, function)) in functions.iter().enumerate() {
        types.ty().function(params.iter().copied(), results.iter().copied());
        declared.function(i as u32);
        code.function(function);
    }
    let mut memory = MemorySection::new();
    memory.memory(memory_type(1));
    Module::new()
        .section(&types)
        .section(&declared)
        .section(&memory)
        .section(&code)
        .clone()
        .finish()
}

fn memory_type(minimum: u64) -> MemoryType {
    MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None }
}

/// A function without parameters or results, of `repeat` after `start`, before `end`.
fn function(
    locals: &[(u32, ValType)],
    start: &[Instruction<'_>],
    repeat: (usize, &[Instruction<'_>]),
    end: (usize, &[Instruction<'_>]),
) -> Vec<u8> {
    let mut function = Function::new(locals.iter().copied());
    let mut push = |count: usize, instructions: &[Instruction<'_>]| {
        for _ in 0..count {
            for instruction in instructions {
                function.instruction(instruction);
            }
        }
    };
    push(1, start);
    push(repeat.0, repeat.1);
    push(end.0, end.1);
    push(1, &[Instruction::End]);
    module(&[(&[], &[], function)])
}

use Instruction::{
    Block, Br, BrIf, BrTable, Call, Drop, End, I32Add, I32Const, I32DivU, I32Load, I32Store,
    LocalGet, LocalSet, Loop, Unreachable,
};

const EMPTY: BlockType = BlockType::Empty;

#[test]
fn long_bodies() {
    let add = [LocalGet(0), I32Const(3), I32Add, LocalSet(0)];
    let local = [(1, ValType::I32)];
    check("a million bytes in a line", &function(&local, &[], (125_000, &add), (0, &[])), None);
    let beyond = function(&local, &[], (180_000, &add), (0, &[]));
    check(
        "more than a body may have",
        &beyond,
        Some("function 0: 1260004 bytes of body; at most 1048576"),
    );
    let at = wasm_encoder::MemArg { offset: 0, align: 2, memory_index: 0 };
    let access = [LocalGet(0), LocalGet(0), I32Load(at), I32Store(at)];
    check("loads and stores", &function(&local, &[], (100_000, &access), (0, &[])), None);
    let divide = [LocalGet(0), LocalGet(0), I32DivU, LocalSet(0)];
    check("a trap site each", &function(&local, &[], (140_000, &divide), (0, &[])), None);
    check("only end", &function(&[], &[], (30_000, &[Block(EMPTY), End]), (0, &[])), None);
    let trap = [Unreachable];
    check("what cannot be reached", &function(&[], &trap, (1_000_000, &trap), (0, &[])), None);
    check(
        "an operand stack of 300 000",
        &function(&[], &[], (300_000, &[I32Const(1)]), (300_000, &[Drop])),
        None,
    );
}

#[test]
fn branches() {
    let nested = |depth: usize, body: &[Instruction<'_>]| {
        let start: Vec<Instruction<'_>> = (0..depth).map(|_| Block(EMPTY)).collect();
        function(&[(1, ValType::I32)], &start, (1, body), (depth, &[End]))
    };
    check("nesting at the limit", &nested(9_999, &[LocalGet(0), BrIf(9_998)]), None);
    check("nesting beyond it", &nested(10_000, &[]), Some("10001 nested blocks; at most 10000"));
    let loops: Vec<Instruction<'_>> = (0..9_000).map(|_| Loop(EMPTY)).collect();
    let wasm =
        function(&[(1, ValType::I32)], &loops, (1, &[LocalGet(0), BrIf(8_999)]), (9_000, &[End]));
    check("loops in loops", &wasm, None);
    let table = |ways: usize| {
        let targets: Vec<u32> = (0..ways).map(|i| (i % 100) as u32).collect();
        nested(100, &[LocalGet(0), BrTable(targets.into(), 0)])
    };
    check("a branch of 65 520 ways", &table(65_520), None);
    let beyond = Some("function 0: 65521 targets of a br_table; at most 65520");
    check("a branch of one more", &table(65_521), beyond);
    let beyond = Some("function 0: 1040000 targets of a br_table; at most 65520");
    check("a branch of a million ways", &table(1_040_000), beyond);
    let targets: Vec<u32> = (0..100).map(|i| i % 2).collect();
    let table = BrTable(targets.into(), 0);
    let small = [Block(EMPTY), Block(EMPTY), LocalGet(0), table, End, End];
    let wasm = function(&[(1, ValType::I32)], &[], (9_000, &small), (0, &[]));
    check("many branches of 100 ways", &wasm, None);
    let step = [Block(EMPTY), LocalGet(0), BrIf(0), I32Const(1), LocalSet(0), End];
    let merges = |count| function(&[(1, ValType::I32)], &[], (count, &step), (0, &[]));
    check("16 000 merges of a local", &merges(16_000), None);
    check("90 000 merges of a local", &merges(90_000), Some("branches; at most"));
}

/// Shapes in which optimising is quadratic: they compile plainly, for either target, in a time that
/// is told from the other by far.
#[test]
fn quadratic_shapes() {
    let step = [LocalGet(0), I32Const(1), I32Add, LocalSet(0)];
    let one = [(1, ValType::I32)];
    let mut shapes = Vec::new();
    let open = [&[Loop(EMPTY)], &step[..]].concat();
    let start: Vec<_> = (0..4_000).flat_map(|_| open.clone()).collect();
    let close = [LocalGet(0), BrIf(0), End];
    shapes.push(("loops within loops", function(&one, &start, (0, &[]), (4_000, &close))));

    let start = vec![Block(EMPTY); 8_000];
    let leave = |level: usize| {
        let mut all = vec![End; 130];
        let targets: Vec<u32> = (0..level as u32).collect();
        all.extend([LocalGet(0), I32Const(level as i32), I32Add, LocalSet(0)]);
        all.extend([LocalGet(0), BrTable(targets.into(), 0)]);
        all
    };
    let tables: Vec<_> = (1..61).rev().flat_map(|level| leave(level * 130 + 20)).collect();
    let wasm = function(&one, &start, (1, &tables), (8_000 - 60 * 130, &[End]));
    shapes.push(("tables of different targets", wasm));

    let values = |i: i32| [LocalGet(0), I32Const(i), Instruction::I32Mul];
    let start: Vec<_> = (0..30_000).flat_map(values).collect();
    let end = [LocalGet(0), Instruction::I32Xor, LocalSet(0)];
    shapes.push(("values alive at once", function(&one, &start, (0, &[]), (30_000, &end))));

    let block = [&[Block(EMPTY)], &step[..], &[End]].concat();
    shapes.push(("block after block", function(&one, &[], (30_000, &block), (0, &[]))));

    for (what, wasm) in shapes {
        for target in [Target::default(), Target::aarch64()] {
            let options = Options { target, jobs: 1, ..Options::default() };
            let started = Instant::now();
            compile_image(&wasm, &options).unwrap_or_else(|error| panic!("{what}: {error}"));
            println!("{what}: {} bytes, {:?}", wasm.len(), started.elapsed());
            // They took 12 to 140 s of an idle core, without debug assertions.
            assert!(started.elapsed() < Duration::from_secs(60), "{what}: {:?}", started.elapsed());
        }
    }
}

/// A loop around a table, whose blocks jump back and forth, each using a few of many locals.
#[test]
fn jumps_through_tables() {
    let at = wasm_encoder::MemArg { offset: 0, align: 2, memory_index: 0 };
    let dispatch = |blocks: usize, locals: usize, back: bool| {
        let mut code = Vec::new();
        for local in 0..=locals as u32 {
            code.extend([I32Const(4 * local as i32), I32Load(at), LocalSet(local)]);
        }
        code.push(Loop(EMPTY));
        code.extend((0..blocks).map(|_| Block(EMPTY)));
        code.extend([LocalGet(0), BrTable((0..blocks as u32).collect(), 0)]);
        for i in 0..blocks {
            let local = |i: usize| 1 + (i % locals) as u32;
            let anywhere = (i * 48_271 + 11) % blocks;
            let to = if back { anywhere } else { anywhere.max(i + 1) };
            let go = (blocks - 1 - i) as u32;
            code.extend([End, LocalGet(local(i)), LocalSet(local(i * 7 + 3))]);
            code.extend([I32Const(to as i32), LocalSet(0), LocalGet(local(i * 5)), BrIf(go)]);
        }
        code.push(End);
        function(&[(locals as u32 + 1, ValType::I32)], &code, (0, &[]), (0, &[]))
    };
    check("200 blocks, 100 locals", &dispatch(200, 100, true), None);
    check("600 blocks, 100 locals", &dispatch(600, 100, true), None);
    check("1 000 blocks, 100 locals, forward", &dispatch(1_000, 100, false), None);
    check("3 000 blocks, 10 locals, forward", &dispatch(3_000, 10, false), None);
}

/// Few bytes that ask for many values.
#[test]
fn multiplied_values() {
    let merges = |locals: u32, count: usize| {
        let set: Vec<Instruction<'_>> =
            (0..locals).flat_map(|local| [LocalGet(0), LocalSet(local)]).collect();
        let step = [Loop(EMPTY), LocalGet(0), BrIf(0), LocalGet(locals - 1), LocalSet(0), End];
        function(&[(locals, ValType::I32)], &set, (count, &step), (0, &[]))
    };
    check("1 000 locals, 2 000 loops", &merges(1_000, 2_000), None);
    check("200 locals, 10 000 loops", &merges(200, 10_000), None);
    check("20 locals, 50 000 loops", &merges(20, 50_000), Some("32769 branches; at most 32768"));
    check("40 000 locals, 50 loops", &merges(40_000, 50), None);
    check("1 000 locals, 50 000 loops", &merges(1_000, 50_000), Some("units of work; at most"));
    check("50 000 locals", &function(&[(50_000, ValType::I64)], &[], (0, &[]), (0, &[])), None);
    let empty = || Function::new([(50_000, ValType::I64)]);
    let many = |count| {
        let functions: Vec<_> = (0..count)
            .map(|_| {
                let mut function = empty();
                function.instruction(&End);
                (&[][..], &[][..], function)
            })
            .collect();
        module(&functions)
    };
    check("50 000 locals in 100 functions", &many(100), None);
    check(
        "50 000 locals in 1 000 functions",
        &many(1_000),
        Some("more than 167772160 units of work in all functions"),
    );
    let inlined = |locals: u32, count: usize| {
        let mut callee = Function::new([(locals, ValType::I32)]);
        callee.instruction(&LocalGet(0)).instruction(&End);
        let mut caller = Function::new([]);
        caller.instruction(&I32Const(0));
        (0..count).for_each(|_| _ = caller.instruction(&Call(0)).instruction(&I32Add));
        caller.instruction(&End);
        module(&[(&[], &[ValType::I32], callee), (&[], &[ValType::I32], caller)])
    };
    check("1 000 locals in 10 000 calls", &inlined(1_000, 10_000), None);
    let wide = [ValType::I32; 1000];
    let mut callee = Function::new([]);
    (0..1000).for_each(|i| _ = callee.instruction(&LocalGet(i)));
    callee.instruction(&End);
    let calls = |count| {
        let mut caller = Function::new([]);
        (0..1000).for_each(|i| _ = caller.instruction(&I32Const(i)));
        (0..count).for_each(|_| _ = caller.instruction(&Call(0)));
        (0..1000).for_each(|_| _ = caller.instruction(&Drop));
        caller.instruction(&End);
        module(&[(&wide, &wide, callee.clone()), (&[], &[], caller)])
    };
    check("1 000 values through 65 calls", &calls(65), None);
    check(
        "1 000 values through 300 000 calls",
        &calls(300_000),
        Some("operands of calls; at most"),
    );
    let blocks = |count| {
        let mut function = Function::new([]);
        (0..1000).for_each(|i| _ = function.instruction(&LocalGet(i)));
        for _ in 0..count {
            function.instruction(&Block(BlockType::FunctionType(0))).instruction(&Br(0));
            function.instruction(&End);
        }
        function.instruction(&End);
        module(&[(&wide, &wide, function)])
    };
    check("1 000 values through 2 blocks", &blocks(2), None);
    let few = Some("operands of branches, not optimised; at most 4096");
    check("1 000 values through 2 000 blocks", &blocks(2_000), few);
    check("1 000 values through 200 000 blocks", &blocks(200_000), few);
}

#[test]
fn sections() {
    let with = |fill: &dyn Fn(&mut Module)| {
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([], []);
        module.section(&types);
        fill(&mut module);
        module.finish()
    };
    let functions = |count: u32| {
        with(&|module| {
            let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
            for i in 0..count {
                declared.function(0);
                let mut function = Function::new([]);
                if i > 0 {
                    function.instruction(&Call(i - 1));
                }
                code.function(function.instruction(&End));
            }
            module.section(&declared).section(&code);
        })
    };
    check("50 000 functions", &functions(50_000), None);
    check("300 000 functions", &functions(300_000), Some("300000 functions; at most 200000"));
    let imports = |count: u32| {
        with(&|module| {
            let mut imports = ImportSection::new();
            for i in 0..count {
                imports.import("env", &format!("f{i}"), EntityType::Function(0));
            }
            module.section(&imports);
        })
    };
    check("10 000 imports", &imports(10_000), None);
    check("20 000 imports", &imports(20_000), Some("20000 imports; at most 10000"));
    let data = |count: u32, step: u32, pages: u64| {
        with(&|module| {
            let mut memory = MemorySection::new();
            memory.memory(memory_type(pages));
            let mut data = DataSection::new();
            for i in 0..count {
                data.active(0, &ConstExpr::i32_const((i * step) as i32), *b"x");
            }
            module.section(&memory).section(&data);
        })
    };
    check("a byte every 64 KiB of 64 MiB", &data(1_000, 65_536, 1024), None);
    let everywhere = data(65_536, 65_536, 65_536);
    check("a byte every 64 KiB of 4 GiB", &everywhere, Some("bytes of initial memory; at most"));
    let scattered = data(80_000, 50_000, 65_536);
    check("a byte every 50 000 of 4 GB", &scattered, Some("bytes of initial memory; at most"));
    let tables = |count: usize, elements: u64, items: usize| {
        with(&|module| {
            let mut tables = TableSection::new();
            for _ in 0..count {
                let (minimum, maximum) = (elements, None);
                let element_type = RefType::FUNCREF;
                let ty =
                    TableType { element_type, table64: false, minimum, maximum, shared: false };
                tables.table(ty);
            }
            let mut elements = ElementSection::new();
            let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
            declared.function(0);
            code.function(Function::new([]).instruction(&End));
            for _ in 0..items.div_ceil(1 << 20) {
                elements.passive(Elements::Functions(vec![0; items.min(1 << 20)].into()));
            }
            module.section(&declared).section(&tables).section(&elements).section(&code);
        })
    };
    check("a table of 4 million", &tables(1, 4 << 20, 1), None);
    check("100 tables of 4 million", &tables(100, 4 << 20, 1), Some("elements of tables; at most"));
    check("a million items", &tables(1, 10, 1 << 20), None);
    check("8 million items", &tables(1, 10, 8 << 20), Some("items of element segments; at most"));
    let globals = with(&|module| {
        let mut globals = GlobalSection::new();
        let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
        (0..100_000).for_each(|_| _ = globals.global(ty, &ConstExpr::i64_const(1)));
        module.section(&globals);
    });
    check("100 000 globals", &globals, None);
    let long = vec![0; (limits::MODULE + 1) as usize];
    check("a module that is too long", &long, Some("134217729 bytes; at most 134217728"));
}

/// Numbers that are longer than they need to be, or than they may be, and counts of what is not
/// there.
#[test]
fn abused_numbers() {
    let header = b"\0asm\x01\0\0\0".to_vec();
    let with = |bytes: &[u8]| [&header, bytes].concat();
    let beyond = Some("invalid module at offset");
    check("a count of 4 billion types", &with(&[1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]), beyond);
    check("a section of 4 GB", &with(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f]), beyond);
    check("a number of six bytes", &with(&[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0]), beyond);
    check("a count in five bytes", &with(&[1, 5, 0x80, 0x80, 0x80, 0x80, 0]), None);
    let locals = |groups: &[u8]| {
        let body = [groups, &[0x0b]].concat();
        let code = [&[1, body.len() as u8], &body[..]].concat();
        let code = [&[10, code.len() as u8], &code[..]].concat();
        with(&[&[1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0], &code[..]].concat())
    };
    check("4 billion locals", &locals(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f]), beyond);
    let group = [0xff, 0xff, 0xff, 0xff, 0x07, 0x7f];
    check("two groups of 2 billion", &locals(&[&[2], &group[..], &group[..]].concat()), beyond);
}

/// A compilation ends when its watcher says so, with the reason.
#[test]
fn a_watcher_stops_a_compilation() {
    struct Impatient(AtomicUsize);

    impl Progress for Impatient {
        fn stop(&self) -> Option<String> {
            let asked = self.0.fetch_add(1, Ordering::Relaxed);
            (asked >= 3).then(|| "three functions are enough".into())
        }
    }

    let functions: Vec<_> =
        (0..20).map(|_| (&[][..], &[][..], Function::new([]).instruction(&End).clone())).collect();
    let wasm = module(&functions);
    for target in [Target::default(), Target::aarch64()] {
        let watcher = Impatient(AtomicUsize::new(0));
        let options = Options { target, jobs: 1, ..Options::default() };
        let error = compile(&wasm, Emit::Image, &options, &watcher).expect_err("stopped");
        assert!(matches!(error, CompileError::Stopped(_)), "{error}");
        assert!(error.to_string().ends_with("three functions are enough"), "{error}");
        assert_eq!(watcher.0.into_inner(), 4);
    }
}
