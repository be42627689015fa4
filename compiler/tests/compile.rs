//! What goes in and what comes out: determinism, refusals, ELF.

use lithify_abi::cpu::{CpuFeature, X86_64_V2, X86_64_V3};
use lithify_compiler::{
    CompileError, Emit, Heat, Inline, Options, Profile, Target, Tier, compile, compile_image,
    compile_object, inspect,
};
use std::sync::Arc;

/// A module with so many functions of different sizes.
fn functions(count: usize) -> Vec<u8> {
    let functions: String = (0..count)
        .map(|i| {
            let body = "(i32.add (local.get 0) (i32.const 1))".to_owned();
            let body = (0..i % 17).fold(body, |b, k| format!("(i32.mul {b} (i32.const {k}))"));
            // Every third one is the only caller of the one before it.
            let body = if i % 3 == 2 { format!("(call $f{} {body})", i - 1) } else { body };
            format!("(func $f{i} (param i32) (result i32) {body})")
        })
        .collect();
    wat::parse_str(format!(
        r#"(module (memory 2) (data (i32.const 70000) "hello") {functions} (export "f" (func $f3)))"#
    ))
    .unwrap()
}

#[test]
fn output_does_not_depend_on_the_number_of_threads() {
    let wasm = functions(60);
    let full = Options::default();
    let fast = Options { tier: Tier::Fast, ..Options::default() };
    let profiled = Options { heat: Some(heat(&wasm)), ..Options::default() };
    let mut images = Vec::new();
    for options in [full, fast, profiled] {
        for target in [Target::default(), Target::aarch64()] {
            for emit in [Emit::Image, Emit::Object] {
                let with = |jobs| {
                    let options = Options { target, jobs, ..options.clone() };
                    compile(&wasm, emit, &options, &()).unwrap()
                };
                let one = with(1);
                assert!(one == with(2) && one == with(5) && one == with(1), "{target:?} {emit:?}");
                images.push(one);
            }
        }
    }
    let len = images.len();
    images.sort();
    images.dedup();
    assert_eq!(images.len(), len, "and each of the options decides something");
}

/// A profile in which a third of the functions never ran and a third is hot.
fn heat(wasm: &[u8]) -> Arc<Heat> {
    let counts = [0, 1, 1000];
    let count = |index: u32| counts[index as usize % 3];
    Arc::new(Heat::new(wasm, &Options::default(), count).unwrap())
}

/// What a profile does not tell apart is compiled as without one.
#[test]
fn a_profile_of_another_module_is_refused() {
    let wasm = functions(60);
    let other = r#"(module (func (export "f") (param i64) (result i64) (i64.clz (local.get 0))))"#;
    let other = wat::parse_str(other).unwrap();
    let options = Options { heat: Some(heat(&other)), ..Options::default() };
    let error = compile_image(&wasm, &options).unwrap_err();
    assert!(matches!(error, CompileError::Options(_)), "{error:?}");
    assert!(error.to_string().contains("it knows 0 of 60 functions here"), "{error}");
}

/// Global symbols of an object and dynamic ones of an image: what the module is called decides
/// nothing.
#[test]
fn no_name_of_a_module_is_a_symbol_that_others_see() {
    use object::{Object, ObjectSymbol};
    let names = [
        "system",
        "free",
        "lithify_module",
        "lithify_memory_grow",
        "_GLOBAL_OFFSET_TABLE_",
        "$x",
        "a@@V",
        "Core_version",
        "",
        "\\00",
        "é",
        "__gnu_lto_slim",
    ];
    let import = |name: &&str| format!("(import \"env\" {name:?} (func))").replace("\\\\", "\\");
    let export = |name: &&str| format!("(export {name:?} (func 0))").replace("\\\\", "\\");
    let imports: String = names.iter().map(import).collect();
    let exports: String = names.iter().map(export).collect();
    let long = "n".repeat(70_000);
    let wasm = wat::parse_str(format!(
        r#"(module {imports} (import "{long}" "{long}" (func)) (memory 1) {exports}
            (func (export "f") (drop (memory.grow (i32.const 1)))
                (call 0) (call 1) (call 2) (call 3) (call 12)))"#
    ))
    .unwrap();
    for target in [Target::default(), Target::aarch64()] {
        let options = Options { target, profile: Some(Profile::General), ..Options::default() };
        for emit in [Emit::Object, Emit::Image] {
            let bytes = compile(&wasm, emit, &options, &()).unwrap();
            let file = object::File::parse(&*bytes).unwrap();
            let symbols: Vec<_> = match emit {
                Emit::Object => file.symbols().filter(|s| !s.is_local()).collect(),
                Emit::Image => file.dynamic_symbols().collect(),
            };
            let mut grow = 0;
            for symbol in symbols.iter().filter(|s| !s.name_bytes().unwrap().is_empty()) {
                let name = symbol.name().unwrap();
                let ours = match symbol.is_undefined() {
                    true => name.starts_with("lithify_import_"),
                    false => name == "lithify_module",
                };
                grow += usize::from(name == "lithify_memory_grow");
                let libcall = name == "lithify_memory_grow" || name == "lithify_host_call";
                assert!(ours || (symbol.is_undefined() && libcall), "{target:?} {emit:?}: {name}");
            }
            assert_eq!(grow, 1, "{target:?} {emit:?}: memory.grow is the only one");
            // A linker for aarch64 reads symbols that begin with a dollar.
            assert!(file.symbols().all(|s| !s.name_bytes().unwrap().starts_with(b"$")));
            // People still find functions by name.
            assert!(file.symbols().any(|s| s.is_local() && s.name() == Ok("Core_version")));
        }
    }
}

#[test]
fn profiles() {
    let check = |source: &str, profile: Option<Profile>, expected: Result<Profile, &str>| {
        let wasm = wat::parse_str(source).unwrap();
        let options = Options { profile, ..Options::default() };
        match (compile_image(&wasm, &options), expected) {
            (Ok(_), Ok(profile)) => {
                assert_eq!(inspect(&wasm, &options).unwrap().profile, profile, "{source}");
            }
            (Err(error), Err(part)) => {
                let text = error.to_string();
                assert!(text.contains(part), "{source}: {text}");
                assert!(inspect(&wasm, &options).is_err() || !text.contains("offset"), "{source}");
            }
            (Ok(_), Err(part)) => panic!("{source}: compiled, but {part} was expected"),
            (Err(error), Ok(_)) => panic!("{source}: {error}"),
        }
    };
    let sign_extension =
        r#"(module (import "env" "f" (func)) (func (result i32) (i32.extend8_s (i32.const 1))))"#;
    check(sign_extension, None, Err("not accepted by the runtime profile"));
    check(sign_extension, None, Err("(function 1)"));
    check(sign_extension, Some(Profile::General), Ok(Profile::General));
    let vector = r#"(module (import "env" "f" (func)) (func (param v128)))"#;
    check(vector, None, Err("SIMD support is not enabled"));
    check(vector, Some(Profile::General), Ok(Profile::General));
    check(r#"(module (import "env" "memory" (memory 1)))"#, None, Ok(Profile::Runtime));
    check(r#"(module (import "wasi" "f" (func)))"#, None, Ok(Profile::General));
    check(
        r#"(module (import "wasi" "f" (func)))"#,
        Some(Profile::Runtime),
        Err(r#"import from "wasi""#),
    );
    check("(module (func $f) (start $f))", Some(Profile::Runtime), Err("a start function"));
    check("(module (func $f) (start $f))", None, Ok(Profile::General));
}

#[test]
fn cpu_features_below_the_least_level_are_refused() {
    for features in [0, X86_64_V2 & !CpuFeature::Sse41.bit(), X86_64_V3 & !CpuFeature::Ssse3.bit()]
    {
        let options =
            Options { target: Target { features, ..Target::default() }, ..Options::default() };
        let error = compile_image(&functions(4), &options).unwrap_err().to_string();
        assert!(error.contains("x86-64-v2"), "{features:#x}: {error}");
    }
}

#[test]
fn damaged_modules_are_refused_with_their_offset() {
    let wasm = functions(4);
    for len in 0..wasm.len() {
        let error = compile_object(&wasm[..len], &Options::default());
        // Between two sections a cut can leave a valid module.
        if let Err(error) = error {
            assert!(matches!(error, CompileError::Invalid { .. }), "{len}: {error}");
        }
    }
    let mut flipped = wasm.clone();
    for at in 8..flipped.len() {
        flipped[at] ^= 0x55;
        let _ = compile_object(&flipped, &Options { jobs: 1, ..Options::default() });
        flipped[at] ^= 0x55;
    }
}

/// A body that is only met where it is inlined, or would be, is validated like any other.
#[test]
fn mistakes_are_found_in_the_function_where_they_are() {
    let call_of =
        |body: &str| format!(r#"(module (func $f {body}) (func (export "g") (call $f)))"#);
    let dead =
        |body: &str| format!(r#"(module (func $f {body}) (func (export "g") (return) (call $f)))"#);
    let deeper = |body: &str| {
        format!(r#"(module (func $f {body}) (func $h (call $f)) (func (export "g") (call $h)))"#)
    };
    let modules: [&dyn Fn(&str) -> String; 3] = [&call_of, &dead, &deeper];
    for module in modules {
        for inline in [Inline::On, Inline::Off] {
            for jobs in [1, 2] {
                let options = Options { inline, jobs, ..Options::default() };
                let compile =
                    |body| compile_image(&wat::parse_str(module(body)).unwrap(), &options);
                assert!(compile("nop").is_ok());
                let text = module("i32.const 1");
                match compile("i32.const 1") {
                    Err(CompileError::Invalid { func, .. }) => assert_eq!(func, Some(0), "{text}"),
                    other => panic!("{text}: {:?}", other.map(|image| image.len())),
                }
            }
        }
    }
}

#[test]
fn the_compiler_is_named_with_the_version_of_its_code_generator() {
    // Built within a repository, the version has a revision behind it.
    let version = cranelift_codegen::VERSION.split('-').next().unwrap();
    let name = lithify_abi::COMPILER;
    assert!(name.ends_with(&format!(" (cranelift {version})")), "{name}, not {version}");
}
