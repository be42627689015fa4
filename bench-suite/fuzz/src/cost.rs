//! What does a compilation cost at worst, per byte?
//!
//! ```text
//! seed --recipe--> module --worker--> CPU time, peak memory --> the worst of each shape --> mutated
//! ```
//!
//! CPU time is told in times of what a plain module takes per byte, so that it means the same on
//! any machine, busy or not, and in a debug build too. Every module has a process of its own, which
//! is how peaks are peaks. What is beyond the bounds, crashes or does not end is made simple and
//! told; the worst of each shape is told in any case.

pub mod recipe;

use crate::supervise::command;
use anyhow::{Context, Result, bail, ensure};
use lithify_compiler::{Options, Profile, Target, compile_image};
use lithify_measure::{cpu::cpu_ns, peak::Peak};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recipe::{Part, Recipe, Shape, Type};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::Write,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

/// CPU time per byte, in times of a plain module's, of what is within the compiler's limits.
pub const MAX_TIMES: f64 = 40.0;
/// Peak memory per byte of a module, in bytes, beyond the first 32 MiB.
pub const MAX_MEMORY: f64 = 2500.0;
/// Memory that any compilation may take, in bytes.
const FREE_MEMORY: u64 = 32 << 20;
/// Bytes that a module counts as at least: less is but what every compilation takes.
const LEAST: usize = 8 << 10;
/// CPU time after which a compilation counts as one without an end, in seconds.
const PATIENCE: u64 = 120;
/// So many of the worst are mutated.
const PARENTS: usize = 24;

/// What a compilation took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// Length of the module, in bytes.
    pub bytes: usize,
    /// CPU time, in ns.
    pub cpu_ns: u64,
    /// Memory at the worst moment beyond that before, in bytes.
    pub peak: u64,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
    /// CPU time per byte, in times of a plain module's.
    pub times: f64,
}

impl Cost {
    /// Peak memory per byte, in bytes.
    pub fn memory(&self) -> f64 {
        self.peak.saturating_sub(FREE_MEMORY) as f64 / self.bytes.max(LEAST) as f64
    }

    /// CPU time per byte, in ns.
    fn ns_per_byte(&self) -> f64 {
        self.cpu_ns as f64 / self.bytes.max(LEAST) as f64
    }

    /// 1 at the bound.
    fn badness(&self) -> f64 {
        (self.times / MAX_TIMES).max(self.memory() / MAX_MEMORY)
    }
}

/// How a search is made.
pub struct Plan<'p> {
    /// The program that has `cost-worker`, after what starts it.
    pub program: &'p [OsString],
    /// Decides which recipes.
    pub seed: u64,
    /// When to stop.
    pub time: Duration,
    /// Stop after so many recipes.
    pub count: u64,
    /// Bytes of code in a module, at most.
    pub size: usize,
}

/// What a search found.
#[derive(Serialize)]
pub struct Found {
    /// Recipes measured.
    pub recipes: u64,
    /// The worst of each shape, the worst first.
    pub worst: Vec<(String, Recipe, Cost)>,
    /// What is beyond the bounds, made simple.
    pub beyond: Option<(Recipe, String)>,
}

/// Searches for the dearest modules; ends early where one is beyond the bounds.
pub fn search(plan: &Plan<'_>) -> Result<Found> {
    let until = Instant::now() + plan.time;
    let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
    let scale = Scale::of(plan.program)?;
    let mut worst: BTreeMap<String, (Recipe, Cost)> = BTreeMap::new();
    let mut given = Recipe::given().into_iter();
    let mut recipes = 0;
    let mut beyond = None;
    while recipes < plan.count && Instant::now() < until && beyond.is_none() {
        let recipe = given.next().unwrap_or_else(|| next(&worst, &mut random));
        recipes += 1;
        match scale.measure(&recipe, plan.size) {
            Err(error) => {
                beyond = Some((simplify(&scale, recipe, plan.size, None), format!("{error:#}")));
            }
            // A machine that is busy for a moment is no finding; a shape is one again.
            Ok(cost) if cost.badness() > 1.0 => match scale.measure(&recipe, plan.size) {
                Ok(again) if again.badness() <= 1.0 => {}
                _ => {
                    let badness = Some(cost.badness());
                    beyond = Some((simplify(&scale, recipe, plan.size, badness), describe(&cost)));
                }
            },
            Ok(cost) => {
                let label = recipe.label();
                if worst.get(&label).is_none_or(|(_, known)| known.badness() < cost.badness()) {
                    worst.insert(label, (recipe, cost));
                }
            }
        }
    }
    let mut worst: Vec<_> = worst.into_iter().map(|(label, (r, c))| (label, r, c)).collect();
    worst.sort_by(|a, b| b.2.badness().total_cmp(&a.2.badness()));
    Ok(Found { recipes, worst, beyond })
}

/// The figures of a compilation, for people.
pub fn describe(cost: &Cost) -> String {
    let Cost { bytes, cpu_ns, times, peak, .. } = cost;
    let seconds = *cpu_ns as f64 / 1e9;
    let refused = cost.refused.as_ref().map(|why| format!("; refused: {why}")).unwrap_or_default();
    format!(
        "{bytes} bytes, {seconds:.2} s, {:.1} s/MB, {times:.1} times a plain module's, {} MB, \
         {:.0} bytes a byte{refused}",
        cost.ns_per_byte() / 1e3,
        peak >> 20,
        cost.memory()
    )
}

fn next(worst: &BTreeMap<String, (Recipe, Cost)>, random: &mut ChaCha8Rng) -> Recipe {
    let mut parents: Vec<&(Recipe, Cost)> = worst.values().collect();
    parents.sort_by(|a, b| b.1.badness().total_cmp(&a.1.badness()));
    parents.truncate(PARENTS);
    if parents.is_empty() || random.random_bool(0.3) {
        return Recipe::random(random);
    }
    let mut recipe = parents[random.random_range(0..parents.len())].0.clone();
    for _ in 0..random.random_range(1..4) {
        recipe.mutate(random);
    }
    recipe
}

/// The simplest recipe found that is as bad, or ends in no answer either.
fn simplify(scale: &Scale<'_>, mut recipe: Recipe, size: usize, badness: Option<f64>) -> Recipe {
    let as_bad = |simpler: &Recipe| match (scale.measure(simpler, size), badness) {
        (Ok(cost), Some(badness)) => cost.badness() > 0.7 * badness,
        (answer, None) => answer.is_err(),
        _ => false,
    };
    while let Some(simpler) = recipe.simpler().into_iter().find(as_bad) {
        recipe = simpler;
    }
    recipe
}

/// What compiling a plain module takes here.
struct Scale<'p> {
    program: &'p [OsString],
    /// CPU time per byte, in ns.
    plain: f64,
}

impl<'p> Scale<'p> {
    fn of(program: &'p [OsString]) -> Result<Self> {
        let unscaled = Self { program, plain: 1.0 };
        let costs =
            (0..3).map(|_| unscaled.measure(&plain(), 128 << 10)).collect::<Result<Vec<_>>>()?;
        let plain = costs.iter().map(Cost::ns_per_byte).fold(f64::INFINITY, f64::min);
        Ok(Self { program, plain })
    }

    /// What compiling the module of a recipe costs; an error where there is no answer.
    fn measure(&self, recipe: &Recipe, size: usize) -> Result<Cost> {
        let mut child = command(self.program)?
            .arg("cost-worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a worker")?;
        let input = serde_json::to_vec(&(recipe, size))?;
        child.stdin.take().context("the worker has no input")?.write_all(&input)?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "the compiler ended: {}", output.status);
        let mut cost: Cost = serde_json::from_slice(&output.stdout)?;
        cost.times = cost.ns_per_byte() / self.plain;
        Ok(cost)
    }
}

/// Answers a recipe on standard input with what it costs; it is not scaled.
pub fn work() -> Result<()> {
    crate::work::limit_memory()?;
    rlimit::Resource::CPU.set(PATIENCE, PATIENCE).context("cannot limit CPU time")?;
    let (recipe, size): (Recipe, usize) = serde_json::from_reader(std::io::stdin())?;
    let cost = cost(&recipe.module(size))?;
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// What compiling the kept recipe in `path` costs, in this process.
pub fn replay(path: &Path) -> Result<Cost> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (recipe, size): (Recipe, usize) = serde_json::from_slice(&text)?;
    let plain = cost(&plain().module(128 << 10))?.ns_per_byte();
    let mut cost = cost(&recipe.module(size))?;
    cost.times = cost.ns_per_byte() / plain;
    ensure!(cost.badness() <= 1.0, "beyond the bounds: {}", describe(&cost));
    Ok(cost)
}

/// A module like those that compilers make.
fn plain() -> Recipe {
    let part = |shape, count, inner| Part { shape, count, width: 4, inner };
    let body = [Shape::Chain, Shape::Load, Shape::Call, Shape::Store, Shape::Select, Shape::Sum]
        .map(|shape| part(shape, 4, vec![]));
    let block = part(Shape::If, 1, body.to_vec());
    let round = part(Shape::Loop, 1, vec![block, part(Shape::BrIf, 2, vec![])]);
    let body = vec![part(Shape::Repeat, 6, vec![round])];
    Recipe { locals: 8, type_: Type::Word, functions: 60, body, sections: vec![] }
}

fn cost(wasm: &[u8]) -> Result<Cost> {
    let profile = Some(Profile::General);
    let options = Options { target: Target::host(), profile, jobs: 1, ..Options::default() };
    let peak = Peak::start()?;
    let before = cpu_ns();
    let result = compile_image(wasm, &options);
    let cpu_ns = cpu_ns() - before;
    let refused = result.err().map(|error| error.to_string());
    if let Some(why) = refused.as_ref().filter(|why| why.starts_with("invalid")) {
        bail!("a recipe makes a bad module: {why}");
    }
    Ok(Cost { bytes: wasm.len(), cpu_ns, peak: peak.bytes()?, refused, times: 0.0 })
}
