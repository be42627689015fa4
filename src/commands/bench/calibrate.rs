//! `lithify bench --calibrate`: how often would comparisons alarm for nothing, and what do they find?

use super::{Bench, Kept, Watch};
use crate::{
    commands::compare::percent,
    output::{self, Content, Destination},
    status::{Exit, INTERRUPTED},
};
use anyhow::{Result, bail};
use clap::Args;
use lithify_bench::{
    Options,
    calibrate::{Question, calibration, table},
    runner::{DURATIONS, calibrate},
};
use std::time::Duration;

#[derive(Args)]
pub struct Calibrate {
    /// Measure the instrument: calls of 1 us to 15 ms in which nothing, 0.5, 1, 3 and 5 % are planted,
    /// and what comparisons make of them. With --report, from a trace that was kept.
    #[arg(long, conflicts_with_all = ["runtimes", "json", "save", "initialize"])]
    calibrate: bool,
    /// Blocks of the trace, with 24 processes for each of five durations.
    #[arg(long, value_name = "N", default_value_t = 100, requires = "calibrate",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    blocks: u32,
    /// Comparisons for each duration and slowdown, and runs of 30 unchanged rows.
    #[arg(long, value_name = "N", default_value_t = 100, requires = "calibrate",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    repeats: u32,
    /// The longest that the trace may take: it ends with the block that runs then. Of a hundred
    /// blocks all takes six minutes, or half an hour on a busy machine; progress says how long is left.
    #[arg(long, value_name = "DURATION", requires = "calibrate",
          value_parser = crate::bounds::duration)]
    time: Option<Duration>,
    /// What counts as a difference, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "0.5", requires = "calibrate",
          value_parser = percent)]
    floor: f64,
}

impl Calibrate {
    pub fn is_asked(&self) -> bool {
        self.calibrate
    }
}

impl Bench {
    pub fn calibrate(&self) -> Result<()> {
        let asked = &self.calibrate;
        let usual = Options::new(&["bench-worker"])?;
        let seed = self.seed.unwrap_or(usual.seed);
        let run = match &self.report {
            Some(path) => Kept::read(path)?.run,
            None => {
                let samples = (self.samples.as_deref())
                    .map(|path| Destination::open(path, Content::Text, &[]))
                    .transpose()?;
                let engines = self.engines()?;
                let options =
                    Options { processes: asked.blocks, budget: asked.time, seed, engines, ..usual };
                Watch::over(samples, false, |watch| calibrate(&DURATIONS, &options, watch))?
            }
        };
        if run.interrupted.is_some() {
            bail!(Exit(INTERRUPTED));
        }
        let question = Question {
            processes: self.processes.unwrap_or(100),
            floor: asked.floor,
            repeats: asked.repeats,
            runs: asked.repeats,
            seed,
        };
        output::text(&table(&calibration(&run, &question)?, &question))
    }
}
