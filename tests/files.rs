//! Where results go: every kind of file that a name can be, and every way in which writing ends.
//!
//! A regular file has its old contents or the new ones, always; what is none is written to; what is
//! read is never written.

use std::{
    fs,
    io::Read,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

const LITHIFY: &str = env!("CARGO_BIN_EXE_lithify");
const STATE: &str = "workloads/ledger/genesis.json";

/// A folder of one test's own, empty, with a module whose image is larger than 1 MiB.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let data = "\\01\\23\\45\\67\\89".repeat(220_000);
    let text = format!(r#"(module (memory 64) (data (i32.const 0) "{data}") (func (export "f")))"#);
    fs::write(folder.join("in.wasm"), wat::parse_str(text).unwrap()).unwrap();
    folder
}

fn lithify(folder: &Path, args: &[&str]) -> Output {
    Command::new(LITHIFY).current_dir(folder).args(args).stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// It failed with one message that has all of `parts` and names no file of ours.
#[track_caller]
fn failed(output: &Output, status: i32, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(!said.contains(".lithify-") && !said.contains("thread '"), "{said}");
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let names = fs::read_dir(folder).unwrap().map(name);
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF") && bytes.len() > 1 << 20
}

/// Runs a command under a shell's set-up that needs to be root; `None`, with a word, where we are
/// not.
fn as_root(folder: &Path, script: &str) -> Option<Output> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", script]).current_dir(folder).env("LITHIFY", LITHIFY);
    let able = Command::new("unshare").args(["--mount", "true"]).output();
    if able.is_ok_and(|output| output.status.success()) {
        return Some(unshare.output().unwrap());
    }
    eprintln!("skipped, as it takes the right to mount: {script}");
    None
}

#[test]
fn what_is_no_regular_file_is_written_to() {
    let folder = folder("special");
    let fifo = folder.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let state = fs::canonicalize(STATE).unwrap();
    let build = ["build-block", "--state", state.to_str().unwrap(), "-o", "fifo"];
    for (args, image) in [
        (&["compile", "in.wasm", "-o", "fifo"][..], true),
        (&["compile", "in.wasm", "--emit", "obj", "-o", "fifo"], false),
        (&["compile", "in.wasm", "--emit", "asm", "-o", "fifo"], false),
        (&build, false),
    ] {
        let reader = thread::spawn({
            let fifo = fifo.clone();
            move || {
                let mut bytes = Vec::new();
                fs::File::open(fifo).unwrap().read_to_end(&mut bytes).unwrap();
                bytes
            }
        });
        done(&lithify(&folder, args));
        let bytes = reader.join().unwrap();
        assert!(!bytes.is_empty() && (!image || is_image(&bytes)), "{args:?}");
        assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo(), "{args:?}");
    }
    // Devices of this folder's own: those of the system are not for experiments.
    for (name, minor, status) in [("null", "3", 0), ("full", "7", 1)] {
        let device = folder.join(name);
        let made = Command::new("mknod").arg(&device).args(["c", "1", minor]).output().unwrap();
        if !made.status.success() {
            eprintln!("skipped, as it takes the right to make devices: -o {name}");
            continue;
        }
        let output = lithify(&folder, &["compile", "in.wasm", "-o", name]);
        match status {
            0 => done(&output),
            _ => failed(&output, 1, &["cannot write full", "make room"]),
        }
        assert!(fs::metadata(&device).unwrap().file_type().is_char_device(), "{name}");
        assert_eq!(
            fs::metadata(&device).unwrap().rdev(),
            fs::metadata(format!("/dev/{name}")).unwrap().rdev()
        );
    }
}

#[test]
fn standard_output_by_any_name_has_the_result_alone() {
    let folder = folder("stdout");
    for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let output = lithify(&folder, &["compile", "in.wasm", "-o", name]);
        done(&output);
        assert!(is_image(&output.stdout), "{name}");
        // Sent to a file, behind what is there already.
        let script = format!("(echo first; $LITHIFY compile in.wasm -o {name}; echo last) >> log");
        fs::write(folder.join("log"), "zeroth\n").unwrap();
        let shell = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&folder)
            .env("LITHIFY", LITHIFY)
            .status();
        assert!(shell.unwrap().success());
        let log = fs::read(folder.join("log")).unwrap();
        let inner = log.strip_prefix(b"zeroth\nfirst\n").unwrap().strip_suffix(b"last\n").unwrap();
        assert_eq!(inner, output.stdout, "{name}");
    }
    assert_eq!(names(&folder), ["in.wasm", "log"]);
}

#[test]
fn links_are_followed_and_modes_kept() {
    let folder = folder("links");
    let path = |name: &str| folder.join(name);
    fs::create_dir(path("store")).unwrap();
    fs::write(path("store/v1.so"), "old").unwrap();
    fs::set_permissions(path("store/v1.so"), PermissionsExt::from_mode(0o600)).unwrap();
    symlink("store/v1.so", path("current.so")).unwrap();
    symlink("current.so", path("indirect.so")).unwrap();
    symlink("store/v2.so", path("next.so")).unwrap();
    for (name, behind) in [("indirect.so", "store/v1.so"), ("next.so", "store/v2.so")] {
        done(&lithify(&folder, &["compile", "in.wasm", "-o", name]));
        assert!(is_image(&fs::read(path(behind)).unwrap()), "{name}");
        assert!(fs::symlink_metadata(path(name)).unwrap().is_symlink(), "{name}");
    }
    assert_eq!(fs::metadata(path("store/v1.so")).unwrap().mode() & 0o7777, 0o600);
    for mode in [0o640, 0o755, 0o444] {
        fs::set_permissions(path("store/v2.so"), PermissionsExt::from_mode(mode)).unwrap();
        let output = lithify(&folder, &["compile", "in.wasm", "--emit", "asm", "-o", "next.so"]);
        // Only root may write to what nobody may write to.
        if output.status.success() {
            assert_eq!(fs::metadata(path("store/v2.so")).unwrap().mode() & 0o7777, mode);
        } else {
            failed(&output, 1, &["cannot write next.so", "Permission denied"]);
        }
    }
    symlink("loop", path("loop")).unwrap();
    failed(&lithify(&folder, &["compile", "in.wasm", "-o", "loop"]), 1, &["cannot write loop"]);
    assert_eq!(names(&path("store")), ["v1.so", "v2.so"]);
}

#[test]
fn the_input_is_never_the_output() {
    let folder = folder("input");
    let path = |name: &str| folder.join(name);
    let wasm = fs::read(path("in.wasm")).unwrap();
    fs::write(path("x.so"), &wasm).unwrap();
    fs::hard_link(path("x.so"), path("hard.so")).unwrap();
    symlink("x.so", path("soft.so")).unwrap();
    let absolute = path("x.so").to_str().unwrap().to_owned();
    for args in [
        &["compile", "x.so"][..],
        &["compile", "x.so", "-o", "x.so"],
        &["compile", "x.so", "-o", "./x.so"],
        &["compile", "x.so", "-o", &absolute],
        &["compile", "x.so", "-o", "hard.so"],
        &["compile", "x.so", "-o", "soft.so"],
        &["compile", "soft.so"],
        &["compile", "in.wasm", "x.so", "-o", "."],
        &["compile", "x.so", "--emit", "asm", "-o", "x.so"],
        &["build-block", "--state", "x.so", "-o", "hard.so"],
        &["bench", "x.so", "--samples", "soft.so"],
    ] {
        failed(&lithify(&folder, args), 2, &["would be overwritten"]);
        assert!(fs::read(path("x.so")).unwrap() == wasm, "{args:?}");
    }
    let stdin = Command::new(LITHIFY)
        .current_dir(&folder)
        .args(["compile", "-", "-o", "x.so"])
        .stdin(fs::File::open(path("x.so")).unwrap())
        .output()
        .unwrap();
    failed(&stdin, 2, &["standard input, and would be overwritten"]);
    failed(&lithify(&folder, &["bench", ".", "--samples", "x.so"]), 2, &["which is read"]);
    assert_eq!(names(&folder), ["hard.so", "in.wasm", "soft.so", "x.so"]);
}

/// Samples come piece by piece into a file with a name of its own, which may be somebody's.
#[test]
fn a_file_in_the_way_of_samples_stays() {
    let folder = folder("samples");
    let runtime = fs::read("workloads/ledger/rust/ledger.wasm").unwrap();
    fs::write(folder.join("s.jsonl.partial"), &runtime).unwrap();
    let args = ["bench", "s.jsonl.partial", "--samples", "s.jsonl", "--compiles", "1"];
    failed(&lithify(&folder, &args), 1, &["s.jsonl.partial is there", "remove it"]);
    assert_eq!(fs::read(folder.join("s.jsonl.partial")).unwrap(), runtime);
}

#[test]
fn names_are_chosen_for_many_inputs_and_targets() {
    let folder = folder("names");
    fs::copy(folder.join("in.wasm"), folder.join("b.wasm")).unwrap();
    fs::create_dir(folder.join("sub")).unwrap();
    fs::copy(folder.join("in.wasm"), folder.join("sub/b.wasm")).unwrap();
    done(&lithify(&folder, &["compile", "in.wasm", "b.wasm", "-o", "out/"]));
    assert_eq!(names(&folder.join("out")), ["b.so", "in.so"]);
    for target in ["--target=arm64", "--cpu=x86-64-v2", "--target=amd64"] {
        done(&lithify(&folder, &["compile", "in.wasm", "-q", target]));
    }
    let made = ["b.wasm", "in.aarch64.so", "in.so", "in.wasm", "in.x86-64-v2.so", "out", "sub"];
    assert_eq!(names(&folder), made);
    for (args, parts) in [
        (&["compile", "b.wasm", "sub/b.wasm"][..], "two inputs would be b.so"),
        (&["compile", "b.wasm", "in.wasm", "-o", "one.so"], "several inputs go to a folder"),
        (&["compile", "-"], "where to?"),
        (&["build-block", "--state", "b.wasm", "-o", "out"], "out is a folder"),
        (&["compile", "b.wasm", "--cpu", "x86-64-v4"], "unknown CPU level"),
        (&["compile", "b.wasm", "--target", "arm64", "--cpu", "x86-64-v2"], "unknown CPU level"),
    ] {
        failed(&lithify(&folder, args), 2, &[parts]);
    }
    assert_eq!(names(&folder), made);
}

/// Where nothing can be written that is said before the work, and with the name that was given.
#[test]
fn what_cannot_be_written_is_said_at_once() {
    let folder = folder("refused");
    // An input that takes no time, as it is refused for what it is.
    fs::write(folder.join("none"), "nothing").unwrap();
    let parts = ["cannot write no/x.so", "the folder no"];
    failed(&lithify(&folder, &["compile", "none", "-o", "no/x.so"]), 1, &parts);
    failed(&lithify(&folder, &["build-block", "--state", "none", "-o", "no/x.so"]), 1, &parts);
    failed(&lithify(&folder, &["bench", "none", "--samples", "no/x.so"]), 1, &parts);
    failed(&lithify(&folder, &["compile", "none", "-o", "in.wasm/x"]), 1, &["cannot write"]);

    let script = "mkdir ro; mount -t tmpfs -o ro none ro && $LITHIFY compile none -o ro/x.so";
    if let Some(output) = as_root(&folder, script) {
        failed(&output, 1, &["cannot write ro/x.so", "the folder", "Read-only"]);
    }
    // A command that may only read, with another's rights.
    let script = "mkdir other; chmod 755 other; mount -t tmpfs -o mode=755 none other; \
                  cp $LITHIFY none other; cd other; setpriv --reuid=65534 --regid=65534 \
                  --clear-groups ./lithify compile none -o x.so";
    if let Some(output) = as_root(&folder, script) {
        failed(&output, 1, &["cannot write x.so", "the folder", "Permission denied"]);
    }
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = folder("full");
    let script = "mkdir disk; mount -t tmpfs -o size=64k none disk; echo old > disk/x.so; \
                  $LITHIFY compile in.wasm -o disk/x.so; echo $?; cat disk/x.so; ls -A disk; \
                  $LITHIFY inspect in.wasm > /dev/full; echo $?";
    if let Some(output) = as_root(&folder, script) {
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, "1\nold\nx.so\n1\n", "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("cannot write disk/x.so; make room"), "{said}");
        assert!(said.contains("cannot write to standard output: No space left"), "{said}");
    }
    // The same by a limit on the size of files, which would otherwise end the process.
    fs::write(folder.join("x.so"), "old").unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 64; exec $LITHIFY compile in.wasm -o x.so"])
        .current_dir(&folder)
        .env("LITHIFY", LITHIFY)
        .output()
        .unwrap();
    failed(&output, 1, &["cannot write x.so", "ulimit -f"]);
    assert_eq!(fs::read(folder.join("x.so")).unwrap(), b"old");
}

#[test]
fn one_of_two_writers_wins() {
    let folder = folder("two");
    let alone = |cpu: &str| {
        done(&lithify(&folder, &["compile", "in.wasm", "--cpu", cpu, "-o", cpu]));
        fs::read(folder.join(cpu)).unwrap()
    };
    let levels = ["x86-64-v2", "x86-64-v3"];
    let images = levels.map(alone);
    for _ in 0..10 {
        let writers = levels.map(|cpu| {
            let mut command = Command::new(LITHIFY);
            command
                .current_dir(&folder)
                .args(["compile", "in.wasm", "-q", "--cpu", cpu, "-o", "x"]);
            command.spawn().unwrap()
        });
        for mut writer in writers {
            assert!(writer.wait().unwrap().success());
        }
        assert!(images.contains(&fs::read(folder.join("x")).unwrap()));
    }
    assert_eq!(names(&folder), ["in.wasm", "x", "x86-64-v2", "x86-64-v3"]);
}

/// Whenever a writer is killed, its file is the old one or the new one, and nothing is left beside
/// it but what a kill between link and rename leaves: a whole file, named after us.
#[test]
fn a_killed_writer_leaves_old_or_new() {
    let folder = folder("killed");
    let path = folder.join("x.so");
    let args = ["compile", "in.wasm", "-q", "-o", "x.so"];
    let started = std::time::Instant::now();
    done(&lithify(&folder, &args));
    let whole = started.elapsed();
    let new = fs::read(&path).unwrap();
    let (mut old, mut seed) = (0, 0x2545_f491_u64);
    for round in 0..200 {
        fs::write(&path, "old").unwrap();
        let mut command = Command::new(LITHIFY);
        let mut child = command.current_dir(&folder).args(args).spawn().unwrap();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Most of the rounds in the second half, where the writing is.
        let share = 0.3 + (seed >> 33) as f64 / f64::from(1u32 << 31);
        thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * share));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = fs::read(&path).unwrap();
        assert!(now == b"old" || now == new, "round {round}: {} bytes", now.len());
        old += u32::from(now == b"old");
    }
    let left = names(&folder);
    let left: Vec<_> =
        left.iter().filter(|name| !["in.wasm", "x.so"].contains(&&***name)).collect();
    assert!(left.len() <= 2 && left.iter().all(|name| name.starts_with(".lithify-")), "{left:?}");
    println!("{old} of 200 writers were killed before they were done, {} files left", left.len());
}

/// A result that is there already is left alone, a name may be the hash of the code, and one file is
/// not the result of two inputs, whatever leads to it.
#[test]
fn several_inputs_have_a_file_each() {
    let folder = folder("several");
    let compile = ["compile", "in.wasm", "--by-hash", "-o", "images/"];
    let first = lithify(&folder, &compile);
    done(&first);
    let made = names(&folder.join("images"));
    assert!(made.len() == 1 && made[0].starts_with("0x") && made[0].ends_with(".so"), "{made:?}");
    let file = || fs::metadata(folder.join("images").join(&made[0])).unwrap().ino();
    let before = file();
    let again = lithify(&folder, &compile);
    done(&again);
    let unchanged = |output: &Output| String::from_utf8_lossy(&output.stdout).contains("unchanged");
    assert!(!unchanged(&first) && unchanged(&again) && file() == before);

    fs::copy(folder.join("in.wasm"), folder.join("other.wasm")).unwrap();
    let both = ["compile", "in.wasm", "other.wasm", "-o", "images/"];
    let twice = lithify(&folder, &[&both[..], &["--by-hash"]].concat());
    failed(&twice, 2, &["two inputs would be"]);
    symlink(folder.join("one.so"), folder.join("images/in.so")).unwrap();
    symlink("../one.so", folder.join("images/other.so")).unwrap();
    failed(&lithify(&folder, &both), 2, &["two inputs would be images/other.so"]);
    assert!(!folder.join("one.so").exists());
    failed(&lithify(&folder, &["compile", "in.wasm", "--by-hash", "-o", "x.so"]), 2, &["x.so/ is"]);
}
