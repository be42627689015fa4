//! The suite without the command line of Lithify: measures the runtimes in the files given, and
//! the host call workload. `SUITE_PROCESSES`, `SUITE_COMPILES`, `SUITE_OUT` and `SUITE_SEED` set what the options would.

use lithify_bench::{Observer, Options, Record, Workload, report, run, sample, table, worker};
use lithify_runtime::polkadot::Input;
use std::io::Write;

struct Show(Option<std::fs::File>);

impl Observer for Show {
    fn progress(&mut self, done: u32, total: u32, what: &str) {
        eprint!("\r{done}/{total} {what}\x1b[K");
    }
    fn record(&mut self, record: &Record) -> anyhow::Result<()> {
        if let Some(file) = &mut self.0 {
            let mut line = Vec::new();
            sample::write(&mut line, record)?;
            file.write_all(&line)?;
        }
        Ok(())
    }
}

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn main() -> anyhow::Result<()> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.first().is_some_and(|first| first == "worker") {
        return worker::main();
    }
    let mut workloads = vec![Workload::host_calls()];
    for file in &files {
        let name = std::path::Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        workloads.push(Workload::new(&name, Input::read(std::fs::read(file)?, file)?)?);
    }
    let mut options = Options::new(&["worker"])?;
    options.processes = number("SUITE_PROCESSES", 20);
    options.compiles = number("SUITE_COMPILES", 3);
    let out = std::env::var("SUITE_OUT").ok().map(std::fs::File::create).transpose()?;
    let done = run(&workloads, &options, &mut Show(out))?;
    eprintln!();
    print!("{}", table(&report(&done)));
    Ok(())
}
