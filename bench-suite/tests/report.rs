//! Reports from samples that were made up, so that the right answer is known.

use lithify_bench::phase::Phase;
use lithify_bench::report::export::{Results, exporter};
use lithify_bench::report::html::{self, Shown};
use lithify_bench::report::on_threads;
use lithify_bench::sample::{Absent, Key, Series};
use lithify_bench::stats::Verdict;
use lithify_bench::{Run, markdown, report, table};

/// Samples of a process: warm-up, then `value` and something above it.
fn series(engine: &str, setting: &str, phase: Phase, process: u32, value: u64) -> Series {
    let values = vec![value * 9, value + 3, value, value + value / 2, value + 1];
    let call =
        (!matches!(phase, Phase::Artifact | Phase::CompileCpu)).then(|| "Core_version".into());
    let key = Key {
        workload: "made-up".into(),
        code_hash: "0123456789abcdef0123".into(),
        engine: engine.into(),
        setting: setting.into(),
        phase,
        call,
        process,
        output_hash: None,
    };
    Series { key, values }
}

/// 30 processes each: ours takes 500, wasmtime 1000 and 800 in total; ours is slower to
/// instantiate and the same in the guest.
fn canned() -> Run {
    let mut run = Run::default();
    for process in 0..30 {
        let jitter = u64::from(process % 5);
        let mut add = |engine, setting, phase, value| {
            run.series.push(series(engine, setting, phase, process, value + jitter));
        };
        add("lithify", "aot", Phase::Total, 500);
        add("wasmtime", "precompiled-64k", Phase::Total, 1000);
        add("wasmtime", "precompiled-2m", Phase::Total, 800);
        add("lithify", "aot", Phase::Instantiate, 400);
        add("wasmtime", "precompiled-64k", Phase::Instantiate, 200);
        add("wasmtime", "precompiled-2m", Phase::Instantiate, 300);
        add("lithify", "aot", Phase::Guest, 7000);
        add("wasmtime", "precompiled-64k", Phase::Guest, 7000);
        add("lithify", "aot", Phase::Host, 50);
        add("wasmtime", "precompiled-64k", Phase::Host, 60);
    }
    for process in 30..33 {
        run.series.push(series("lithify", "aot", Phase::CompileCpu, process, 10_000_000));
        run.series.push(series("wasmtime", "jit", Phase::CompileCpu, process, 20_000_000));
    }
    run.series.push(series("lithify", "aot", Phase::Artifact, 30, 1_000_000));
    run.series.push(series("wasmtime", "precompiled-64k", Phase::Artifact, 31, 2_000_000));
    let (what, reason) = ("wasmi interpreter".into(), "no reason".into());
    run.absent.push(Absent { what, reason, failed: false });
    run
}

#[test]
fn ratios_are_to_the_best_setting_of_each_figure() {
    let report = report(&canned());
    assert_eq!(report.workloads.len(), 1);
    let (call, section) = &report.workloads[0].calls[0];
    assert_eq!(call, "Core_version");
    assert_eq!(section.rows.len(), 3);
    assert_eq!(section.rows[0].processes, 30);
    // The 25 % quantile of jitter 0 to 4 is 1, the minimum of a process is the value itself.
    assert_eq!(section.rows[0].figures[&Phase::Total], 501.0);

    let found = |phase| {
        let of_phase = section.comparisons.iter().find(|c| c.phase == phase).expect("compared");
        (of_phase.peer.setting.as_str(), of_phase.ratio.ratio, of_phase.verdict)
    };
    for (phase, peer, ratio, verdict) in [
        (Phase::Total, "precompiled-2m", 501.0 / 801.0, Verdict::Faster),
        (Phase::Instantiate, "precompiled-64k", 401.0 / 201.0, Verdict::Slower),
        (Phase::Guest, "precompiled-64k", 1.0, Verdict::Same),
    ] {
        let found = found(phase);
        assert_eq!((found.0, found.2), (peer, verdict), "{phase}");
        assert!((found.1 - ratio).abs() < 1e-9, "{phase}: {found:?}");
    }
    assert!(section.comparisons.iter().all(|c| c.phase != Phase::Host), "the host is no engine");
}

#[test]
fn compilations_are_too_few_to_tell_and_sizes_never_are() {
    let report = report(&canned());
    let verdict = |phase| {
        let comparisons = &report.workloads[0].module.comparisons;
        comparisons.iter().find(|c| c.phase == phase).expect("compared").verdict
    };
    assert_eq!(verdict(Phase::CompileCpu), Verdict::CannotTell);
    assert_eq!(verdict(Phase::Artifact), Verdict::Faster);
}

#[test]
fn the_table_says_it_all() {
    let text = table(&report(&canned()));
    for part in [
        "made-up  code 0x0123456789abcdef…",
        "801 ns*",
        "0.625",
        "faster",
        "slower",
        "the same",
        "smaller",
        "can't tell",
        "left out: wasmi interpreter: no reason",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

/// Modules of one workload are below one another, with the best of the precompiled settings and the
/// multiple of the first module.
#[test]
fn modules_are_side_by_side() {
    let mut run = canned();
    for series in &mut run.series {
        series.key.workload = "made-up one".into();
    }
    for mut series in canned().series {
        series.key.workload = "made-up two".into();
        series.values.iter_mut().for_each(|value| *value *= 3);
        run.series.push(series);
    }
    let text = table(&report(&run));
    let from = text.find("made-up, total of Core_version").unwrap_or_else(|| panic!("{text}"));
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = text[from..].lines().skip(1).take(3).map(cells).collect();
    let heading =
        ["module", "artifact", "lithify", "fast", "jit", "precompiled", "interpreter", "native"];
    assert_eq!(lines[0][..8], heading);
    assert_eq!(lines[1], ["one", "1.00", "MB", "501", "ns", "801", "ns"]);
    let two = ["two", "3.00", "MB", "1.50", "us", "2.40", "us", "3.00x", "(2.99x-3.01x)"];
    assert_eq!(lines[2], two);
    // Of few processes no multiple is told.
    run.series.retain(|series| series.key.process < 5 || series.key.process >= 30);
    let text = table(&report(&run));
    assert!(text.contains("3.00x can't tell"), "{text}");
    assert!(!table(&report(&canned())).contains("total of"), "one module is beside nothing");
}

/// Calls of several threads were measured in any order, and follow their call by their number.
#[test]
fn calls_of_several_threads_are_in_order() {
    let mut run = canned();
    let one = run.series.iter().find(|series| series.key.phase == Phase::Total).expect("a total");
    let one = one.clone();
    for (call, threads) in [("Core_version", 16), ("Core_version", 2), ("Core_version", 1)] {
        let mut series = one.clone();
        series.key.call = Some(on_threads(call, threads));
        series.key.phase = Phase::PerCall;
        run.series.push(series);
    }
    let report = report(&run);
    let calls = report.workloads.iter().flat_map(|workload| &workload.calls);
    let of_threads: Vec<&str> =
        calls.map(|(call, _)| &**call).filter(|call| call.contains(" on ")).collect();
    assert_eq!(of_threads, [1, 2, 16].map(|threads| on_threads("Core_version", threads)));
}

/// One engine alone is compared with nothing, and its figures are there.
#[test]
fn an_engine_alone_has_its_figures() {
    let mut run = canned();
    run.series.retain(|series| series.key.engine == "lithify");
    let report = report(&run);
    let results = Results { report: &report, compared: None };
    let said = exporter("text").expect("the usual one").export(results).expect("a text");
    assert!(said.contains("501 ns"), "{said}");
}

/// What is for a page, and what is for a program, say what the table says.
#[test]
fn other_forms_say_the_same() {
    let report = report(&canned());
    let text = markdown(&report);
    let row = text.lines().find(|line| line.starts_with("| lithify aot")).unwrap_or_default();
    let heading = text.lines().find(|line| line.starts_with("| module")).unwrap_or_default();
    assert_eq!(row.matches('|').count(), heading.matches('|').count(), "{text}");
    assert!(text.contains("| ours / best wasmtime |") && text.contains("faster"), "{text}");
    let json = serde_json::to_value(&report).expect("it is data");
    let section = &json["workloads"][0]["calls"][0][1];
    assert_eq!(section["rows"][0]["engine"]["engine"], "lithify", "{json}");
    assert!(section["comparisons"][0]["ratio"]["low"].is_f64(), "{json}");
}

/// A block's transfers and a module's bytes each have a curve, with axes that say so and a slope whose unit
/// is told.
#[test]
fn growth_is_told_by_the_transfer_and_by_the_kilobyte() {
    let mut run = Run::default();
    let mut process = 0;
    for (engine, setting, times) in [("lithify", "aot", 1), ("wasmtime", "jit", 3)] {
        let mut add = |workload: &str, call: Option<String>, phase, value| {
            process += 1;
            let mut series = series(engine, setting, phase, process, value);
            (series.key.workload, series.key.call) = (workload.into(), call);
            series.values = vec![value];
            run.series.push(series);
        };
        for transfers in [0, 10, 100, 1000] {
            let call = format!("Core_execute_block {transfers}");
            add("chain", Some(call), Phase::Total, times * (50_000 + 2_000 * transfers));
        }
        for (name, size) in [("a", 100_000), ("b", 400_000), ("c", 1_600_000)] {
            add(name, None, Phase::Module, size);
            add(name, None, Phase::CompileCpu, times * 500 * size);
        }
    }
    let page = html::page(&[Shown { name: "growth".into(), run }]).expect("a page");
    assert_eq!(page.matches("data-kind=\"lines\"").count(), 2, "two plots");
    for part in [
        ">transfers in the block</text>",
        ">size of the module</text>",
        "<td class=\"name\">lithify aot</td><td class=\"\">2.00 us</td><td class=\"\">50.0 us</td>",
        "<td class=\"name\">wasmtime jit</td><td class=\"\">6.00 us</td><td class=\"\">150 us</td>",
        "for one more transfer</th>",
        "for one more kB</th>",
        "<td class=\"name\">lithify aot</td><td class=\"\">500 us</td><td class=\"\">0.00 ns</td>",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
}
