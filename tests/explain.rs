//! Where a call's time goes, and what changed of it: by function, as a flame graph, in instructions; over
//! many runs; on an engine in a program of its own.

mod support;

use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use support::outcome::{Outcome, lithify, wat};

const LITHIFY: &str = env!("CARGO_BIN_EXE_lithify");

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for this test");
    folder
}

/// A loop of as many rounds as the parameter says, longer than what is inlined.
fn long_loop(step: &str) -> String {
    format!(
        "(loop $l {} (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1)",
        step.repeat(20)
    )
}

/// A runtime whose `Core_version` calls three functions of one kind, for so many rounds each.
fn three(name: &str, rounds: [u32; 3]) -> String {
    let body =
        long_loop("(local.set 1 (i32.xor (i32.mul (local.get 1) (i32.const 17)) (local.get 0)))");
    let functions = ["first", "second", "third"]
        .map(|name| format!("(func ${name} (param i32) (result i32) (local i32) {body})"));
    let calls = ["first", "second", "third"].iter().zip(rounds).map(|(name, rounds)| {
        // A function with one caller would become a part of it.
        format!("(drop (call ${name} (i32.const 1))) (drop (call ${name} (i32.const {rounds})))")
    });
    let (functions, calls) = (functions.concat(), calls.collect::<String>());
    let text = format!(
        r#"(module (memory (export "memory") 20)
            (global (export "__heap_base") i32 (i32.const 65536))
            {functions}
            (func (export "Core_version") (param i32 i32) (result i64) {calls} (i64.const 0))
            (func (export "Metadata_metadata") (param i32 i32) (result i64) (i64.const 0)))"#
    );
    wat(name, &text)
}

fn object(outcome: &Outcome) -> Value {
    let line = outcome.stdout.lines().find(|line| line.starts_with('{'));
    let line = line.unwrap_or_else(|| panic!("no JSON in {}", outcome.said()));
    serde_json::from_str(line).expect("one JSON object")
}

/// The function of that name in a list of them.
fn of<'v>(functions: &'v Value, name: &str) -> &'v Value {
    let all = functions.as_array().expect("a list of functions");
    let found = all.iter().find(|function| function["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {functions}"))
}

fn has_valgrind() -> bool {
    let found = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: there is no valgrind to count instructions (apt-get install valgrind)");
    }
    is_there
}

#[test]
fn a_call_is_profiled_by_function() {
    let folder = folder("profiled");
    let module = three("profiled.wasm", [6000, 3000, 1000]);
    let profiled = lithify(&["run", &module, "Core_version", "--profile-functions", "--json"]);
    assert_eq!(profiled.status, 0, "{}", profiled.said());
    let told = object(&profiled);
    let ns =
        |name: &str, figure: &str| of(&told["functions"], name)[figure].as_f64().expect("a number");
    // How much is the host's depends on what else the machine does.
    let of_call = |name: &str, figure: &str| ns(name, figure) / ns("Core_version", "with_calls_ns");
    for (name, share) in [("first", 0.6), ("second", 0.3), ("third", 0.1)] {
        let found = of_call(name, "own_ns");
        assert!((found - share).abs() < 0.08, "{name}: {found}, {}", profiled.said());
    }
    let whole = told["total_ns"].as_f64().expect("a number");
    assert!(ns("Core_version", "with_calls_ns") > whole / 2.0, "{}", profiled.said());
    assert!(of_call("Core_version", "own_ns") < 0.05, "{}", profiled.said());

    let [svg, lines] = ["f.svg", "f.folded"].map(|name| folder.join(name).display().to_string());
    for file in [&svg, &lines] {
        let drawn = lithify(&["run", &module, "Core_version", "--flame", file]);
        assert_eq!(drawn.status, 0, "{}", drawn.said());
        assert!(drawn.stdout.ends_with(&format!("the flame graph is in {file}\n")));
    }
    let svg = fs::read_to_string(svg).expect("written");
    assert!(svg.starts_with("<svg xmlns=") && svg.contains("<title>first: "), "{svg}");
    let lines = fs::read_to_string(lines).expect("written");
    let line = lines.lines().find(|line| line.starts_with("Core_version;Core_version;first "));
    let ns = line.and_then(|line| line.rsplit(' ').next()).and_then(|ns| ns.parse::<f64>().ok());
    assert!(ns.is_some_and(|ns| ns > 1_000.0), "{lines}");
    let program = lithify(&["run", &module, "--invoke", "Core_version", "--profile-functions"]);
    assert_eq!(program.status, 2, "{}", program.said());
}

/// A runtime whose `Core_version` calls `middle`, which calls `hot` for so many rounds, both in one place:
/// there they are inlined.
fn nested(name: &str, rounds: u32) -> String {
    let step = "(local.set 1 (i32.xor (i32.mul (local.get 1) (i32.const 17)) (local.get 0)))";
    let text = format!(
        r#"(module (memory (export "memory") 20)
            (global (export "__heap_base") i32 (i32.const 65536))
            (func $hot (param i32) (result i32) (local i32)
                (loop $l {step}
                    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get 1))
            (func $middle (param i32) (result i32)
                (i32.add (call $hot (i32.mul (local.get 0) (i32.const {rounds}))) (i32.const 1)))
            (func (export "Core_version") (param i32 i32) (result i64)
                (i64.extend_i32_u (i32.and (call $middle (i32.const 10)) (i32.const 0))))
            (func (export "Metadata_metadata") (param i32 i32) (result i64) (i64.const 0)))"#
    );
    wat(name, &text)
}

/// Functions that were inlined are frames where there is debug information: always in a runtime that is
/// compiled to be looked at, and in an image that was compiled with it.
#[test]
fn inlined_functions_are_frames() {
    let folder = folder("inlined");
    let module = nested("inlined.wasm", 4000);
    let path = |name: &str| folder.join(name).display().to_string();
    let (plain, debug, lines) = (path("plain.so"), path("debug.so"), path("f.folded"));
    for (image, options) in [(&plain, &[][..]), (&debug, &["-g"])] {
        let target = ["compile", &module, "--target", "native", "-o", image];
        let compiled = lithify(&[&target[..], options].concat());
        assert_eq!(compiled.status, 0, "{}", compiled.said());
    }
    let note = "the image has no debug information";
    for input in [&module, &debug] {
        let profiled = lithify(&["run", input, "Core_version", "--profile-functions", "--json"]);
        assert!(!profiled.stderr.contains(note), "{}", profiled.said());
        let functions = &object(&profiled)["functions"];
        let ns = |name: &str, figure: &str| of(functions, name)[figure].as_f64().expect("a number");
        let whole = ns("Core_version", "with_calls_ns");
        assert!(ns("hot", "own_ns") > 0.9 * whole, "{}", profiled.said());
        assert!(ns("middle", "own_ns") < 0.1 * whole, "{}", profiled.said());
        assert!(ns("middle", "with_calls_ns") > 0.9 * whole, "{}", profiled.said());
        assert!(ns("Core_version", "own_ns") < 0.1 * whole, "{}", profiled.said());
    }
    let profiled = lithify(&["run", &plain, "Core_version", "--profile-functions", "--json"]);
    assert!(profiled.stderr.contains(note), "{}", profiled.said());
    assert!(!profiled.stdout.contains("\"hot\""), "{}", profiled.said());
    let drawn = lithify(&["run", &debug, "Core_version", "--flame", &lines]);
    assert_eq!(drawn.status, 0, "{}", drawn.said());
    let lines = fs::read_to_string(lines).expect("written");
    assert!(lines.contains("Core_version;Core_version;middle;hot "), "{lines}");
}

/// A function that does more is named though it was inlined, in time and in instructions. How much more
/// time, no test can tell on a machine that does other things as well.
#[test]
fn an_inlined_function_is_compared() {
    if !has_valgrind() {
        return;
    }
    let base = nested("inlined-base.wasm", 4000);
    let slow = nested("inlined-slow.wasm", 5000);
    let few = ["--compiles", "0", "--processes", "20", "--seed", "1"];
    let asked = ["compare", &base, &slow, "--explain", "--instructions", "--json"];
    let compared = lithify(&[&asked[..], &few].concat());
    let told = object(&compared);
    let functions = &told["rows"][0]["functions"];
    let hot = |figure: &str| of(functions, "hot")[figure].as_f64().expect("a number");
    let more = hot("new_instructions") / hot("base_instructions");
    assert!((more - 1.25).abs() < 1e-3, "{more}: {}", compared.said());
    for side in ["base_ns", "new_ns"] {
        let of_others: f64 = ["middle", "Core_version"]
            .map(|name| of(functions, name)[side].as_f64().expect("a number"))
            .iter()
            .sum();
        assert!(hot(side) > 9.0 * of_others, "{}", compared.said());
    }
}

/// What the sampler says of a call is what callgrind says of it, where instructions are of one kind; and a
/// count of instructions is exact in the guest.
#[test]
fn shares_of_time_are_those_of_instructions() {
    if !has_valgrind() {
        return;
    }
    let folder = folder("counted");
    let base = three("counted.wasm", [50_000, 30_000, 20_000]);
    let slow = three("counted-slow.wasm", [50_000, 30_000, 20_200]);
    let flame = folder.join("difference.svg").display().to_string();
    let few = ["--compiles", "0", "--processes", "20", "--seed", "1"];
    let asked = ["compare", &base, &slow, "--instructions", "--flame", &flame, "--json"];
    let compared = lithify(&[&asked[..], &few].concat());
    let told = object(&compared);
    let functions = &told["rows"][0]["functions"];
    // Callgrind sees nothing of the kernel, which is the host's time.
    let sum = |figure: &str| -> f64 {
        let all = ["first", "second", "third"].map(|name| of(functions, name));
        all.iter().filter_map(|function| function[figure].as_f64()).sum()
    };
    for (time, count) in [("base_ns", "base_instructions"), ("new_ns", "new_instructions")] {
        for name in ["first", "second", "third"] {
            let function = of(functions, name);
            let [time, count] =
                [time, count].map(|of| function[of].as_f64().expect("a number") / sum(of) * 100.0);
            assert!((time - count).abs() < 3.0, "{name}: {time} %, {count} %: {}", compared.said());
        }
    }
    let exact = |what: &str| {
        let all = told["exact"].as_array().expect("figures").iter();
        let mut of_call = all.filter(|exact| exact["call"] == "Core_version");
        of_call.find(|exact| exact["what"] == what).expect("counted").clone()
    };
    let guest = exact("guest's instructions");
    assert_eq!(guest["verdict"], "slower", "{guest}");
    let more = guest["new_count"].as_f64().zip(guest["base_count"].as_f64());
    let more = more.map(|(new, base)| (new / base - 1.0) * 100.0).expect("two counts");
    assert!((more - 0.2).abs() < 0.02, "{more} % planted as 0.2 %");
    let third = of(functions, "third");
    let [base_count, new_count] =
        ["base_instructions", "new_instructions"].map(|of| third[of].as_f64().expect("a number"));
    assert!((new_count / base_count - 1.01).abs() < 1e-3, "{third}");
    let svg = fs::read_to_string(flame).expect("written");
    assert!(svg.contains("<title>third: ") && svg.contains(" against "), "{svg}");
    // Of one module, the guest's are the same to the last.
    let asked = ["compare", &base, &base, "--instructions", "--json"];
    let compared = lithify(&[&asked[..], &few].concat());
    assert_eq!(compared.status, 0, "{}", compared.said());
    let told = object(&compared);
    for exact in told["exact"].as_array().expect("figures") {
        assert_eq!(exact["verdict"], "same", "{exact}");
    }
}

/// A compiler that lowers one operator worse makes many functions slower, each a little: here one that
/// knows no `lzcnt` and no `tzcnt`, in the place of another build.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_worse_lowering_shows_in_many_functions() {
    if !std::is_x86_feature_detected!("lzcnt") || !std::is_x86_feature_detected!("bmi2") {
        eprintln!("skipped: this processor has no lzcnt");
        return;
    }
    const COUNT: usize = 6;
    let step = "(local.set 1 (i32.add (i32.clz (i32.xor (local.get 1) (local.get 0)))
        (i32.ctz (i32.add (local.get 1) (local.get 0)))))";
    let body = long_loop(step);
    let (mut functions, mut calls) = (String::new(), String::new());
    for number in 0..COUNT {
        let rounds = 1500 + number;
        functions += &format!("(func $f{number} (param i32) (result i32) (local i32) {body})");
        calls += &format!(
            "(drop (call $f{number} (i32.const 1))) (drop (call $f{number} (i32.const {rounds})))"
        );
    }
    let module = wat(
        "lowering.wasm",
        &format!(
            r#"(module (memory (export "memory") 20)
                (global (export "__heap_base") i32 (i32.const 65536))
                {functions}
                (func (export "Core_version") (param i32 i32) (result i64) {calls} (i64.const 0))
                (func (export "Metadata_metadata") (param i32 i32) (result i64) (i64.const 0)))"#
        ),
    );
    let folder = folder("lowering");
    let worse = folder.join("lithify-worse");
    let script = format!(
        "#!/bin/sh\njob=$(cat)\ncase $job in\n*'\"Compile\"'*)\n\
         artifact=$(printf %s \"$job\" | sed 's/.*\"artifact\":\"\\([^\"]*\\)\".*/\\1/')\n\
         exec {LITHIFY} compile --quiet --cpu x86-64-v2 {module} -o \"$artifact\" ;;\n\
         *) printf %s \"$job\" | exec {LITHIFY} bench-worker ;;\nesac\n"
    );
    fs::write(&worse, script).expect("written");
    fs::set_permissions(&worse, fs::Permissions::from_mode(0o755)).expect("ours");
    let worse = worse.display().to_string();
    let engine = ["--engine", "lithify@worse", "--compiles", "0", "--json", "--seed", "1"];
    let engine = [&engine[..], &["--explain"]].concat();
    let compared =
        lithify(&[&["compare", &worse, &module, "--processes", "40"][..], &engine].concat());
    let told = object(&compared);
    // A busy machine may hide from the verdict what functions show.
    assert_eq!(compared.status, 0, "{}", compared.said());
    let functions = told["rows"][0]["functions"].as_array().expect("explained, as was asked");
    let saved = |function: &Value| {
        let ns = |of: &str| function[of].as_f64().expect("a number");
        ns("base_ns") - ns("new_ns")
    };
    let all: f64 = functions.iter().map(saved).sum();
    let ours = functions.iter().filter(|f| f["name"].as_str().is_some_and(|n| n.starts_with('f')));
    let ours: Vec<f64> = ours.map(|function| saved(function) / all).collect();
    assert_eq!(ours.len(), COUNT, "{}", compared.said());
    assert!(ours.iter().all(|share| (0.04..0.4).contains(share)), "{ours:?}: {}", compared.said());
}

/// A change that is planted is marked where it is, and told.
#[test]
fn a_history_marks_what_changed() {
    let folder = folder("nights");
    for night in 0..20u32 {
        let mut text = format!(
            r#"{{"run":{{"version":"0.1.0","executable":"","seed":1,"processes":12,"machine":{{"cpu":"c","cpus":2,"arch":"x86_64","kernel":"6","governor":null,"clock_source":null,"load_percent":0,"virtual_machine":false}},"started":{}}}}}"#,
            1_000_000 + night * 86_400
        );
        for process in 0..12u32 {
            let noise = 1000 + (night * 7 + process * 13) % 17;
            let slower = if night >= 12 { 11 } else { 10 };
            for (call, ns) in [("steady", 50 * noise), ("slower", 8 * noise * slower)] {
                text += &format!(
                    "\n{{\"workload\":\"w\",\"engine\":\"lithify\",\"setting\":\"aot\",\
                     \"phase\":\"total\",\"call\":\"{call}\",\"process\":{process},\"ns\":{ns}}}"
                );
            }
        }
        fs::write(folder.join(format!("night-{night:02}.jsonl")), text).expect("written");
    }
    let (nights, page) = (folder.display().to_string(), folder.join("trends.html"));
    let told = lithify(&["history", &nights, "-o", &page.display().to_string()]);
    assert_eq!(told.status, 0, "{}", told.said());
    let marked = "w slower lithify aot total, from run 12 on (night-12.jsonl)";
    assert!(told.stdout.contains(marked) && !told.stdout.contains("steady"), "{}", told.said());
    let text = fs::read_to_string(&page).expect("written");
    for part in [
        "<h1 class=\"sentence\">1 figure changed over 20 runs</h1>",
        "<td class=\"slower\">+10.0 %</td><td class=\"\">12</td>",
        "data-kind=\"trend\"",
        "class=\"slower\"/>",
    ] {
        assert!(text.contains(part), "no {part} in the page");
    }
    assert!(!text.contains("<script"));
    let told = object(&lithify(&["history", &nights, "--json"]));
    let trends = told["trends"].as_array().expect("trends");
    assert_eq!((told["runs"].as_array().map(Vec::len), trends.len()), (Some(20), 2));
    assert_eq!(trends[0]["changes"][0]["run"], 12);
    let empty = lithify(&["history", &folder.join("nothing").display().to_string()]);
    assert_eq!(empty.status, 1, "{}", empty.said());
}

/// A worker in a shell, which compiles nothing and knows one answer, and perhaps a state root. It wants a
/// state, and leaves something behind that holds its output open.
fn worker(folder: &Path, name: &str, output: &str, root: &str) -> String {
    let path = folder.join(name);
    let root = match root {
        "" => String::new(),
        root => format!("echo '{{\"state_root\":\"{root}\"}}'; "),
    };
    let script = format!(
        "#!/bin/sh\nsleep 1000 &\njob=$(cat)\ncase $job in\n\
         *'\"task\":\"compile\"'*) echo '{{\"phase\":\"compile\",\"ns\":5000}}' ;;\n\
         *'\"entry\":\"Core_version\"'*) for n in 1 2 3 4 5; do echo '{{\"phase\":\"total\",\"ns\":7000}}'; done\n\
         state=$(echo \"$job\" | sed 's/.*\"state\":\"\\([^\"]*\\)\".*/\\1/')\n\
         grep -q '^{{\"version\":1,\"top\":{{.*}},\"children\":{{}}}}$' \"$state\" || exit 4\n\
         {root}echo '{{\"output\":\"{output}\"}}' ;;\n\
         *'\"task\":\"call\"'*) echo 'no such call here' >&2; exit 3 ;;\nesac\n"
    );
    fs::write(&path, script).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    path.display().to_string()
}

#[test]
fn an_engine_can_be_any_program() {
    let folder = folder("workers");
    let module = three("workers.wasm", [10, 10, 10]);
    let bench = |engine: &str| {
        let few = ["--processes", "2", "--compiles", "1", "--no-page", "--format", "json"];
        lithify(&[&["bench", &module, "--engines", engine][..], &few].concat())
    };
    let known = bench(&format!("lithify,command:{}", worker(&folder, "right", "0x", "")));
    let told = object(&known);
    let calls = told["workloads"].as_array().expect("workloads").iter();
    let calls = calls.flat_map(|workload| workload["calls"].as_array().expect("calls"));
    let mut calls = calls.filter(|call| call[0] == "Core_version");
    let of_call = calls.next().expect("measured");
    let rows = of_call[1]["rows"].as_array().expect("rows");
    let theirs = rows.iter().find(|row| row["engine"]["engine"] == "right").expect("the program");
    assert_eq!(theirs["figures"]["total"], 7000.0, "{}", known.said());
    assert_eq!(of_call[1]["others"][0]["peer"]["engine"], "right", "{}", known.said());
    let absent = told["absent"].to_string();
    assert!(absent.contains("host_calls on right worker") && absent.contains("no such call here"));
    // An answer that no other engine gives is an error.
    let wrong = bench(&format!("lithify,command:{}", worker(&folder, "wrong", "0x01", "")));
    assert_eq!(wrong.status, 1, "{}", wrong.said());
    assert!(wrong.said().contains("wrong worker"), "{}", wrong.said());
    let lost = bench(&format!("lithify,command:{}", worker(&folder, "lost", "0x", "0x01")));
    assert_eq!(lost.status, 1, "{}", lost.said());
    assert!(lost.said().contains("lost worker 01"), "{}", lost.said());
    // One that was named and cannot run, or makes no call, is a failure.
    for (name, end, part) in [
        ("broken", "echo 'no licence' >&2; exit 5", "broken worker was left out: the worker "),
        (
            "useless",
            "case $(cat) in *call*) exit 3 ;; esac",
            "it made none of the calls: the worker ",
        ),
        ("loud", "head -c 20000000 /dev/zero | tr '\\0' x >&2; exit 1", "xxxxx…"),
    ] {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{end}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        let told = bench(&format!("lithify,command:{}", path.display()));
        assert_eq!(told.status, 1, "{}", told.said());
        assert!(told.said().contains(part), "{}", told.said());
        assert!(told.said().len() < 50_000, "{}", told.said().len());
    }
    let none = bench("lithify,command:/nonexistent");
    assert!(none.said().contains("cannot find the worker /nonexistent"), "{}", none.said());
}

/// Beyond its time, and by a signal to this program alone; with all that it started.
#[test]
fn a_worker_that_hangs_is_ended() {
    let folder = folder("hangs");
    let module = three("hangs.wasm", [10, 10, 10]);
    let (path, started) = (folder.join("hangs"), folder.join("started"));
    let script = format!("#!/bin/sh\nsleep 1000 &\necho $! >> {}\nwait\n", started.display());
    fs::write(&path, script).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    let engines = format!("lithify,command:{}", path.display());
    let few = ["bench", &module, "--engines", &engines, "--processes", "2", "--compiles", "1"];
    let late = lithify(&[&few[..], &["--no-page", "--timeout", "1"]].concat());
    assert!(late.said().contains("did not end in 1.0s"), "{}", late.said());

    let mut bench = Command::new(LITHIFY);
    bench.args(few).arg("--no-page").stdout(Stdio::null()).stderr(Stdio::null());
    let mut bench = bench.spawn().expect("started");
    let pids = || fs::read_to_string(&started).unwrap_or_default();
    while pids().lines().count() < 2 {
        assert!(bench.try_wait().expect("ours").is_none(), "it ended without its worker");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let killed = Command::new("kill").arg(bench.id().to_string()).status().expect("a kill");
    assert!(killed.success());
    assert_eq!(bench.wait().expect("ours").code(), Some(130));
    // Whoever is killed takes a moment to be gone.
    let is_left = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        !matches!(state, None | Some('Z' | 'X'))
    };
    let began = std::time::Instant::now();
    while pids().lines().any(is_left) {
        assert!(began.elapsed().as_secs() < 60, "of {} some are left", pids());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The example in Go, on a runtime that needs its heap.
#[test]
fn the_worker_in_go_is_an_engine() {
    let folder = folder("worker-go");
    let program = folder.join("worker-go");
    let go = |args: &[&str]| {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/worker-go");
        Command::new("go").args(args).current_dir(place).env("GOFLAGS", "-mod=readonly").output()
    };
    if !go(&["mod", "download"]).is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no Go 1.25, or no wazero to build the worker with");
        return;
    }
    let program_file = program.display().to_string();
    let built = go(&["build", "-o", &program_file, "."]).expect("there is a Go");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let runtime = "workloads/solochain/solochain.compact.compressed.wasm";
    let engines = format!("lithify,command:{}", program.display());
    let few = ["--processes", "2", "--compiles", "1", "--no-page", "--format", "json"];
    let measured = lithify(&[&["bench", runtime, "--engines", &engines][..], &few].concat());
    assert_eq!(measured.status, 0, "{}", measured.said());
    let told = object(&measured);
    for call in ["host_calls", "Core_version", "Metadata_metadata"] {
        let calls = told["workloads"].as_array().expect("workloads").iter();
        let mut calls = calls.flat_map(|workload| workload["calls"].as_array().expect("calls"));
        let of_call = calls.find(|found| found[0] == call).expect("measured");
        let rows = of_call[1]["rows"].as_array().expect("rows").iter();
        let engines: Vec<&Value> = rows.map(|row| &row["engine"]["engine"]).collect();
        assert_eq!(engines, ["lithify", "worker-go"], "{call}: {}", measured.said());
    }
}

/// Those in Rust have the whole host: they execute a block, to the same state. They take minutes to build,
/// so where somebody did they are tested.
#[test]
fn workers_in_rust_execute_blocks() {
    let Ok(workers) = std::env::var("LITHIFY_TEST_WORKERS") else {
        eprintln!(
            "skipped: LITHIFY_TEST_WORKERS names no folder with what \
             cargo build --manifest-path examples/workers/Cargo.toml makes"
        );
        return;
    };
    let folder = folder("workers-rust");
    let block = folder.join("block.json").display().to_string();
    let state = "workloads/ledger/genesis.json";
    let built = lithify(&["build-block", "--state", state, "--transfers", "100", "-o", &block]);
    assert_eq!(built.status, 0, "{}", built.said());
    // In the order of a report.
    let mut names = vec!["iwasm", "native-go", "wasm2c", "wasm2c-clang", "wasm2c-native", "wasm3"];
    names.extend([
        "wasmer",
        "wasmer-llvm",
        "wasmer-singlepass",
        "wasmtime49",
        "wasmtime49-inlined",
    ]);
    names.retain(|name| Path::new(&workers).join(name).exists());
    assert!(!names.is_empty(), "LITHIFY_TEST_WORKERS: there are no workers in {workers}");
    let commands: Vec<String> =
        names.iter().map(|name| format!("command:{workers}/{name}")).collect();
    let engines = format!("lithify,{}", commands.join(","));
    let few = ["--processes", "2", "--compiles", "1", "--no-page", "--format", "json"];
    let measured = lithify(&[&["bench", &block, "--engines", &engines][..], &few].concat());
    let told = object(&measured);
    // The ledger alone has no function but its own. What cannot run here says how to get it.
    let alone = "host-call host_calls on native-go worker";
    let all_absent = told["absent"].as_array().expect("engines");
    let is_failed = all_absent.iter().any(|absent| absent["failed"] == true);
    assert_eq!(measured.status, i32::from(is_failed), "{}", measured.said());
    for absent in all_absent {
        if absent["what"] == alone {
            continue;
        }
        let name = absent["what"].as_str().and_then(|what| what.split(' ').next());
        assert!(absent["reason"].as_str().is_some_and(|why| why.contains("apt-get")), "{absent}");
        names.retain(|known| Some(*known) != name);
    }
    for call in ["host_calls", "Core_version", "Metadata_metadata", "Core_execute_block"] {
        let calls = told["workloads"].as_array().expect("workloads").iter();
        let mut calls = calls.flat_map(|workload| workload["calls"].as_array().expect("calls"));
        let of_call = calls.find(|found| found[0] == call).expect("measured");
        let rows = of_call[1]["rows"].as_array().expect("rows").iter();
        let engines: Vec<&Value> = rows.map(|row| &row["engine"]["engine"]).collect();
        let mut names = names.clone();
        names.retain(|name| *name != "native-go" || call != "host_calls");
        assert_eq!(engines[0], "lithify");
        assert_eq!(engines[1..], names, "{call}: {}", measured.said());
    }
}
