//! Programs of a few operators: what they get, how they end, and that they stay in their directory.

use lithify_compiler::{Options, Target, compile_image};
use lithify_runtime::{CallOptions, Image, InstanceOptions, Pool, Trap, Trust};
use lithify_wasi::{Program, imports, is_program};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs a program whose `_start` has this body; `$exit` ends it, and `$open` opens the path of
/// `len` bytes at 1024 below the first directory, to be read and written, and returns the errno.
fn run(program: &Program, path: &str, body: &str) -> Result<i32, Trap> {
    let wat = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get"
            (func $args_sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get"
            (func $environ_sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get"
            (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
            (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (memory (export "memory") 16)
        (data (i32.const 1024) "{path}")
        (func $open (param $create i32) (result i32)
            (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const {len})
                (local.get $create) (i64.const 0x42) (i64.const 0) (i32.const 0) (i32.const 0)))
        ;; The buffer at 64, and its list at 16.
        (func $list (param $len i32)
            (i32.store (i32.const 16) (i32.const 64))
            (i32.store (i32.const 20) (local.get $len)))
        (func (export "_start") {body}))"#,
        len = path.len()
    );
    let wasm = wat::parse_str(wat).expect("a module");
    let options = Options { target: Target::host(), ..Options::default() };
    let image = compile_image(&wasm, &options).expect("it compiles");
    let image = Image::from_bytes(&image, &imports(), Trust::Verify).expect("it loads");
    let pool = Pool::new(&image, &InstanceOptions::default()).expect("a pool");
    // The second call is on memory that is write-protected at first.
    let mut last = None;
    for _ in 0..2 {
        let mut instance = pool.instance().expect("an instance");
        assert!(is_program(&instance));
        let mut wasi = program.start().expect("a program");
        last = Some(wasi.run(&mut instance, CallOptions::default()));
    }
    last.expect("two calls")
}

#[test]
fn a_program_ends_with_its_status() {
    let program = Program::new("p");
    assert_eq!(run(&program, "", "").expect("it ends"), 0);
    assert_eq!(run(&program, "", "(call $exit (i32.const 3))").expect("it ends"), 3);
    let trap = run(&program, "", "unreachable").expect_err("it traps");
    assert_eq!(trap.code.message(), "unreachable executed");
}

#[test]
fn arguments_and_environment_arrive() {
    let mut program = Program::new("p");
    program.argument("one").argument("two").variable("A", "b");
    // 3 arguments of 2 + 4 + 4 bytes, 1 variable of 4.
    let body = "
        (drop (call $args_sizes (i32.const 0) (i32.const 4)))
        (drop (call $environ_sizes (i32.const 8) (i32.const 12)))
        (drop (call $args (i32.const 100) (i32.const 200)))
        (call $exit (i32.add
            (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 1000))
                     (i32.mul (i32.load (i32.const 4)) (i32.const 10)))
            (i32.add (i32.load (i32.const 8))
                     (i32.load8_u (i32.load (i32.const 104))))))";
    assert_eq!(run(&program, "", body).expect("it ends"), 3000 + 100 + 1 + i32::from(b'o'));
}

#[test]
fn the_kernel_writes_into_memory_that_nobody_wrote_before() {
    let body = "
        (if (call $random (i32.const 524288) (i32.const 32)) (then unreachable))
        (call $exit (i32.ne (i32.const 0) (i32.or
            (i32.load (i32.const 524288)) (i32.load (i32.const 524292)))))";
    assert_eq!(run(&Program::new("p"), "", body).expect("it ends"), 1);
}

#[test]
fn files_below_a_directory_are_read_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("in"), "hello").expect("a file");
    let mut program = Program::new("p");
    program.directory(folder.path(), "/");
    let read = "
        (if (call $open (i32.const 0)) (then (call $exit (i32.const 99))))
        (call $list (i32.const 100))
        (if (call $read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8))
            (then (call $exit (i32.const 98))))
        (call $exit (i32.add (i32.load (i32.const 8)) (i32.load8_u (i32.const 65))))";
    assert_eq!(run(&program, "in", read).expect("it ends"), 5 + i32::from(b'e'));
    let write = "
        (if (call $open (i32.const 1)) (then (call $exit (i32.const 99))))
        (call $list (i32.const 3))
        (i32.store (i32.const 64) (i32.const 0x636261))
        (call $exit (call $write (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8)))";
    assert_eq!(run(&program, "out", write).expect("it ends"), 0);
    assert_eq!(fs::read(folder.path().join("out")).expect("the file"), b"abc");
}

#[test]
fn nothing_outside_of_a_directory_is_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).expect("a folder");
    fs::write(folder.path().join("secret"), "s").expect("a file");
    symlink("../secret", inside.join("link")).expect("a link");
    symlink(folder.path().join("secret"), inside.join("absolute")).expect("a link");
    symlink("..", inside.join("up")).expect("a link");
    let secret = folder.path().join("secret");
    let secret = secret.to_str().expect("a name of characters");
    for create in [0, 1] {
        for path in ["../secret", "link", "absolute", "up/secret", "./../secret", secret] {
            let mut program = Program::new("p");
            program.directory(Path::new(&inside), "/");
            let body = format!("(call $exit (call $open (i32.const {create})))");
            // EPERM or ENOTCAPABLE, as cap-std and wasi-common say it.
            let errno = run(&program, path, &body).expect("it ends");
            assert!([63, 76].contains(&errno), "{path}: {errno}");
        }
    }
    assert_eq!(fs::read(folder.path().join("secret")).expect("still there"), b"s");
}

/// A directory becomes a link to one outside, and a directory again, while a program opens the file
/// below it: it never gets the one outside.
#[test]
fn nothing_outside_is_reached_by_a_race() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (name, text) in [("inside/d", "ours"), ("outside", "secret")] {
        fs::create_dir_all(at(name)).expect("a folder");
        fs::write(at(name).join("file"), text).expect("a file");
    }
    symlink("../outside", at("inside/link")).expect("a link");
    let mut program = Program::new("p");
    program.directory(&at("inside"), "/");
    // Opens and reads 20 000 times, and adds up how often; a file that begins with s ends it with 99,
    // and no success at all, or no failure, with 98.
    let body = "(local $left i32) (local $read i32)
        (local.set $left (i32.const 20000))
        (call $list (i32.const 1))
        (loop $again
            (if (i32.eqz (call $open (i32.const 0))) (then
                (if (call $read (i32.load (i32.const 0)) (i32.const 16) (i32.const 1) (i32.const 8))
                    (then (call $exit (i32.const 97))))
                (if (i32.eq (i32.load8_u (i32.const 64)) (i32.const 115))
                    (then (call $exit (i32.const 99))))
                (drop (call $close (i32.load (i32.const 0))))
                (local.set $read (i32.add (local.get $read) (i32.const 1)))))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
        (call $exit (i32.mul (i32.const 98) (i32.or
            (i32.eqz (local.get $read)) (i32.eq (local.get $read) (i32.const 20000)))))";
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let moves = [("d", "dir"), ("link", "d"), ("d", "link"), ("dir", "d")];
            while !ended.load(Ordering::Relaxed) {
                for (from, to) in moves {
                    fs::rename(at("inside").join(from), at("inside").join(to)).expect("a rename");
                }
            }
        });
        let status = run(&program, "d/file", body);
        ended.store(true, Ordering::Relaxed);
        assert_eq!(status.expect("it ends"), 0);
    });
}

#[test]
fn hostile_lists_and_spans_are_errors() {
    let program = Program::new("p");
    // More pieces than a call may have, and pieces beyond memory.
    let many = "(call $exit (call $write
        (i32.const 1) (i32.const 16) (i32.const 0x7fffffff) (i32.const 8)))";
    assert_eq!(run(&program, "", many).expect("it ends"), 28);
    let beyond = "
        (i32.store (i32.const 16) (i32.const -16))
        (i32.store (i32.const 20) (i32.const 100))
        (call $exit (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))";
    let errno = run(&program, "", beyond);
    assert!(errno.is_err() || errno.expect("an errno") > 0);
}
