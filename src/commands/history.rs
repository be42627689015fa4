//! `lithify history`: many runs that were kept, as a page of trends.

use super::bench::Kept;
use crate::output::{self, Content, Destination};
use anyhow::{Context, Result, ensure};
use clap::Args;
use lithify_bench::{
    history::{LEAST, Named, Trend, sort, trends},
    report::html,
};
use serde_json::json;
use std::{
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

/// Decides the draws by which changes are told from chance: the same files give the same page.
const SEED: u64 = 1;

/// Makes a page of trends of the samples in a folder: each figure over all runs, with marks where it
/// changed for good.
///
/// Samples are what `bench --samples`, `bench --save` and `compare --samples` kept, in files that end in
/// .jsonl; of a comparison its new side counts. The oldest run comes first. Times are divided by how long
/// the reference work of each run took. A mark takes six runs at least, three before and three after, and
/// more where there are many figures. A file that cannot be read is left out, and said.
#[derive(Args)]
#[command(after_help = "\
Exit status: 0 done, 1 failed or a file was left out, 2 wrong usage.

Examples:
  lithify history nights/
  lithify history nights/ -o trends.html
  lithify history nights/ --json")]
pub struct History {
    /// A folder with files of samples.
    folder: PathBuf,
    /// Where the page goes.
    #[arg(short, long, value_name = "FILE", default_value = "history.html")]
    output: PathBuf,
    /// Print the trends as one JSON object, and make no page.
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl History {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let shown = self.folder.display();
        let entries =
            self.folder.read_dir().with_context(|| format!("cannot read the folder {shown}"))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read the folder {shown}"))?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                files.push(path);
            }
        }
        ensure!(!files.is_empty(), "there are no samples in {shown}: no file ends in .jsonl");
        let inputs: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let to = (!self.json)
            .then(|| Destination::open(&self.output, Content::Text, &inputs))
            .transpose()?;
        let mut runs = Vec::new();
        let mut left_out = 0;
        for path in &files {
            match named(path) {
                Ok(run) => runs.push(run),
                Err(error) if files.len() == 1 => return Err(error),
                Err(error) => {
                    left_out += 1;
                    output::error(&error);
                }
            }
        }
        ensure!(!runs.is_empty(), "no file in {shown} can be read");
        sort(&mut runs);
        let trends = trends(&runs, SEED);
        let all_read = || {
            ensure!(left_out == 0, "{left_out} of {} files could not be read", files.len());
            Ok(())
        };
        let Some(to) = to else {
            output::json(object(&runs, &trends))?;
            return all_read();
        };
        to.write(html::history(&runs, &trends).as_bytes())?;
        if to.is_stdout() {
            return all_read();
        }
        let mut any = false;
        for trend in &trends {
            for (run, ratio) in trend.changes() {
                any = true;
                output::line(format_args!(
                    "{:>+7.1} %  {} {}, from run {run} on ({})",
                    (ratio - 1.0) * 100.0,
                    trend.label,
                    trend.phase,
                    runs[run].name
                ))?;
            }
        }
        if !any {
            output::line(format_args!(
                "nothing changed over {} runs; a mark takes {LEAST} at least",
                runs.len()
            ))?;
        }
        output::line(format_args!("the trends are in {}", to.name().display()))?;
        all_read()
    }
}

fn named(path: &Path) -> Result<Named> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A pipe would be waited for.
    ensure!(!path.metadata().is_ok_and(|of| of.file_type().is_fifo()), "{name} is a pipe");
    Ok(Named { name, run: Kept::read(path)?.run })
}

fn object(runs: &[Named], trends: &[Trend]) -> serde_json::Value {
    let run = |Named { name, run }: &Named| {
        let started = run.header.as_ref().map(|header| header.started);
        json!({ "file": name, "started": started })
    };
    let trend = |trend: &Trend| {
        let points =
            trend.points.iter().map(|(run, figure)| json!({ "run": run, "figure": figure }));
        let changes = trend.changes().map(|(run, ratio)| json!({ "run": run, "ratio": ratio }));
        json!({
            "label": trend.label,
            "phase": trend.phase,
            "unit": trend.phase.unit().name(),
            "points": points.collect::<Vec<_>>(),
            "changes": changes.collect::<Vec<_>>(),
        })
    };
    json!({
        "runs": runs.iter().map(run).collect::<Vec<_>>(),
        "trends": trends.iter().map(trend).collect::<Vec<_>>(),
    })
}
