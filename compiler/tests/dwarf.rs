//! Debug information of small modules, on both instruction sets. Runtimes are looked at in
//! `bench-suite/tests`.

#[path = "support/dwarf.rs"]
mod dwarf;

use dwarf::{Found, check, decode, frames};
use lithify_compiler::{Emit, Heat, Inline, Options, Profile, Target, Tier, compile};
use object::{Object, ObjectSection};
use std::{fs, path::Path, process::Command, sync::Arc};

/// Bodies in bodies, one of them in two places of a loop; traps that branches become, with the place of
/// the trap; a function that is inlined beside its own code.
const NESTED: &str = r#"(module
    (import "env" "stop" (func $stop (param i32)))
    (memory 1)
    (global $sum (mut i32) (i32.const 0))
    (func $load (param i32) (result i32) (i32.load offset=4 (local.get 0)))
    (func $divide (param i32) (result i32)
        (i32.div_u (i32.const 100) (call $load (local.get 0))))
    (func $forbid (param i32) (if (local.get 0) (then unreachable)))
    (func $forbid_zero (param i32)
        (block $no (br_if $no (local.get 0)) unreachable))
    (func $choose (param i32)
        (block $c (block $b (block $a (br_table $a $b $c (local.get 0))) (unreachable)) (unreachable)))
    (func $ask (param i32) (call $stop (call $divide (local.get 0))))
    (func $inner (param i32)
        (call $forbid (local.get 0))
        (call $choose (local.get 0))
        (call $forbid_zero (call $load (local.get 0)))
        (call $ask (local.get 0)))
    (func $outer (export "outer") (param i32) (result i32) (local i32)
        (loop $again
            (global.set $sum (i32.add (global.get $sum) (call $divide (local.get 1))))
            (call $inner (local.get 1))
            (global.set $sum (i32.xor (call $divide (local.get 0)) (global.get $sum)))
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get 1) (local.get 0))))
        (global.get $sum))
    (func (export "load") (param i32) (result i32) (call $load (call $load (local.get 0)))))"#;

fn options(target: Target) -> Options {
    Options { target, profile: Some(Profile::General), ..Options::default() }
}

fn targets() -> [Target; 2] {
    [Target::default(), Target::aarch64()]
}

#[test]
fn sites_and_debug_information_say_the_same() {
    let wasm = wat::parse_str(NESTED).unwrap();
    for target in targets() {
        let plain = options(target);
        let found = check(&wasm, &plain);
        assert!(found.deepest.0 >= 3 && found.inlined > 10 && found.scattered > 0, "{found:?}");
        let heat = Heat::new(&wasm, &plain, |index| [1000, 0, 1][index as usize % 3]).unwrap();
        let found = check(&wasm, &Options { heat: Some(Arc::new(heat)), ..plain.clone() });
        assert!(found.sites > 0, "{found:?}");
        for other in [
            Options { inline: Inline::Off, ..plain.clone() },
            Options { tier: Tier::Fast, ..plain },
        ] {
            let found = check(&wasm, &other);
            assert!(found.sites > 10 && found.deepest.0 == 0, "{found:?}");
        }
    }
}

#[test]
fn filetests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    let mut found = Found::default();
    for file in fs::read_dir(folder).unwrap() {
        let wasm = wat::parse_file(file.unwrap().path()).unwrap();
        for target in targets() {
            found += check(&wasm, &options(target));
        }
    }
    assert!(found.sites > 150 && found.inlined > 4, "{found:?}");
}

/// Names are text, whatever they are made of, and a module without functions has nothing to debug.
#[test]
fn names_are_plain() {
    for (text, name) in [
        (r#"(module (func (@name "\00\1b[31m") (export "f")))"#, r"\0\u{1b}[31m"),
        (r#"(module (func (@name "") (export "f")))"#, "f"),
        (r#"(module (func (export "f") (export "g")))"#, "f"),
        (r#"(module (func) (start 0))"#, "wasm[0]"),
        (r#"(module (func (@name "$x") (export "f")))"#, "$x"),
    ] {
        let wasm = wat::parse_str(text).unwrap();
        let options = Options { debug_info: true, ..options(Target::default()) };
        let image = compile(&wasm, Emit::Image, &options, &()).unwrap();
        let file = object::File::parse(&image[..]).unwrap();
        let info = file.section_by_name(".debug_info").unwrap().data().unwrap();
        let name = [name.as_bytes(), b"\0"].concat();
        assert!(info.windows(name.len()).any(|bytes| bytes == name), "{text}");
    }
    let wasm = wat::parse_str("(module (memory 1))").unwrap();
    let debug = Options { debug_info: true, ..options(Target::default()) };
    let compile = |options| compile(&wasm, Emit::Image, options, &()).unwrap();
    assert!(compile(&debug) == compile(&options(Target::default())));
}

/// A linker moves an object's code, and its debug information with it.
#[test]
fn linkers_keep_it() {
    let wasm = wat::parse_str(NESTED).unwrap();
    let options = Options { debug_info: true, ..options(Target::host()) };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [object, linked] = ["nested.o", "nested.linked.so"].map(|name| folder.join(name));
    fs::write(&object, compile(&wasm, Emit::Object, &options, &()).unwrap()).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-nostdlib", "-o"]).args([&linked, &object]);
    let output = cc.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let (found, image) = (decode(&fs::read(linked).unwrap()), check(&wasm, &options));
    assert_eq!((found.sites, found.deepest.0), (image.sites, image.deepest.0));
}

/// What a program of the system prints; `None` where there is none, or none for these images.
fn said(program: &str, package: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => {
            return Some(String::from_utf8(output.stdout).unwrap());
        }
        Ok(output) => panic!("{program} {arguments:?}: {output:?}"),
        Err(_) => eprintln!("skipped: there is no {program} (apt-get install {package})"),
    }
    None
}

/// Programs of others show the same functions at an address, and the same lines.
#[test]
fn debuggers_show_what_was_inlined() {
    let wasm = wat::parse_str(NESTED).unwrap();
    let options = Options { debug_info: true, ..options(Target::host()) };
    let (_, address) = check(&wasm, &options).deepest;
    let image = compile(&wasm, Emit::Image, &options, &()).unwrap();
    let frames = frames(&image, address);
    assert!(frames.len() > 3, "{frames:?}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nested.so");
    fs::write(&path, image).unwrap();
    let path = path.to_str().unwrap();

    let address = format!("{address:#x}");
    if let Some(text) = said("addr2line", "binutils", &["-f", "-i", "-e", path, &address]) {
        let line = |(name, line): &(String, u64)| format!("{name}\n./module.wasm:{line}\n");
        assert_eq!(text, frames.iter().map(line).collect::<String>());
    }
    let blocks = format!(
        "python\nblock = gdb.block_for_pc({address})\nwhile block and not block.is_static:\n  \
         if block.function: print(block.function.name)\n  block = block.superblock\nend"
    );
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nested.gdb");
    fs::write(&script, format!("info line *{address}\n{blocks}\n")).unwrap();
    let asked = ["-batch", "-nx", "-x", script.to_str().unwrap(), path];
    if let Some(text) = said("gdb", "gdb", &asked) {
        let line = format!("Line {} of \"./module.wasm\" ", frames[0].1);
        assert!(text.starts_with(&line), "{line}: {text}");
        let names: Vec<&str> = text.lines().skip(1).collect();
        assert!(names.iter().copied().eq(frames.iter().map(|(name, _)| &**name)), "{text}");
    }
}
