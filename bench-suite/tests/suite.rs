//! The suite on the bundled runtime, from workers to the report.

mod support;

use lithify_bench::engine::KINDS;
use lithify_bench::phase::Phase;
use lithify_bench::sample::{Record, Series, write};
use lithify_bench::stats::Verdict;
use lithify_bench::{Run, Workload, report, runner, table};
use std::path::Path;

/// `Core_version`, `Metadata_metadata` and a block of real transfers, whose state root is in its
/// header.
#[test]
fn engines_agree_on_the_bundled_runtime() {
    let workload = support::workload(Path::new(support::SOLOCHAIN)).expect("a runtime");
    let entries: Vec<&str> = workload.calls.iter().map(|call| &*call.entry).collect();
    assert_eq!(entries, ["Core_version", "Metadata_metadata", "Core_execute_block"]);
    let settings: Vec<&str> = KINDS.iter().map(|kind| kind.setting).collect();
    support::agree(&[workload], &settings);
}

/// A whole run of the smallest workload: every engine has every phase, raw samples come back
/// from their lines, and the report of the lines is the report of the run.
#[test]
fn a_run_can_be_reported_again_from_its_lines() {
    struct Lines(Vec<u8>);
    impl lithify_bench::Observer for Lines {
        fn record(&mut self, record: &Record) -> anyhow::Result<()> {
            write(&mut self.0, record)
        }
    }
    let mut lines = Lines(Vec::new());
    let workloads = [Workload::host_calls()];
    let options = support::options();
    let run = runner::run(&workloads, &options, &mut lines).expect("a run");

    let again = Run::read(&lines.0[..]).expect("our own lines");
    assert_eq!(again, run);
    let whole = report(&run);
    assert_eq!(report(&again), whole);

    let section = &whole.workloads[0].calls[0].1;
    let present = options.engines.len() - run.absent.len();
    assert_eq!(section.rows.len(), present, "{:?}", run.absent);
    for row in &section.rows {
        for phase in [Phase::Instantiate, Phase::Call, Phase::Drop, Phase::Total, Phase::Guest] {
            assert!(row.figures[&phase] > 0.0, "no {phase}: {row:?}");
        }
    }
    // Two processes are too few for any verdict.
    assert!(section.comparisons.iter().all(|c| c.verdict == Verdict::CannotTell));
    let text = table(&whole);
    assert!(text.contains("lithify aot") && text.contains("can't tell"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 132), "{text}");
}

/// A worker that gives another output, or none, is an error that names what and who.
#[test]
fn a_state_root_that_does_not_match_is_an_error() {
    let mut workload = Workload::host_calls();
    workload.calls[0].state_root = Some([7; 32]);
    let mut options = support::options();
    options.engines = KINDS.iter().filter(|kind| kind.engine == "wasmi").map(|k| k.id()).collect();
    let run = runner::agree(&[workload], &options, &mut ()).expect("absent, not an error");
    assert_eq!(run.absent[0].what, "host-call host_calls");
    assert!(run.absent[0].reason.contains("state root"), "{:?}", run.absent);
    assert!(run.series.iter().all(|Series { key, .. }| key.call.is_none()));
}
