//! `lithify run --profile-functions` and `--flame`: which functions of the guest and the host a call's time
//! goes to.

use super::Run;
use crate::commands::bench::{self, draw};
use crate::output::{self, Destination};
use crate::store::ImageSource;
use anyhow::{Context, Result};
use lithify_bench::{
    frames::{Frames, functions_at},
    functions::look,
    report::flame::of_call,
    sample::Functions,
};
use lithify_measure::figure::time;
use lithify_polkadot::{CallContext, Observe, Session, native::Runtime};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

/// For how long the call is made again and again: some 5 000 samples.
const LOOK: Duration = Duration::from_secs(1);

/// What names the functions in the code of `runtime`, which was loaded from `image`, with those that
/// were inlined; it says so where nothing does.
pub fn frames(runtime: &Runtime, image: &ImageSource) -> Result<Option<Frames>> {
    let frames = match image {
        ImageSource::File(path) => {
            let bytes =
                fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Frames::new(&bytes)?
        }
        ImageSource::Bytes(bytes) => Frames::new(bytes)?,
    };
    let inlines = runtime.image().options().split(' ').any(|option| option == "inline=on");
    if inlines && frames.is_none() {
        output::note(
            "the image has no debug information (`lithify compile --debug-info`), so functions that \
             were inlined count as those around them",
        );
    }
    Ok(frames)
}

/// Looks at a call, and tells or draws what was asked for.
pub fn show(
    run: &Run,
    (runtime, frames): (&Runtime, Option<&Frames>),
    session: &mut Session<'_>,
    mut context: CallContext,
    (entry, input): (&str, &[u8]),
    flame: Option<&Destination>,
) -> Result<()> {
    let point = runtime.entry(entry).map_err(|error| run.refused(error))?;
    context.observe(Observe::Name);
    let mut shortest = u64::MAX;
    let mut call = || -> Result<u64> {
        let start = Instant::now();
        session.execute(|| point.call(input, &mut context)).map_err(|error| run.refused(error))?;
        let ns = start.elapsed().as_nanos() as u64;
        shortest = shortest.min(ns);
        Ok(ns)
    };
    // The first calls learn which pages are written.
    for _ in 0..3 {
        call()?;
    }
    let image = runtime.image();
    let names = |pc| functions_at(&image, frames, pc);
    let found = Functions { call: entry.to_owned(), ..look(LOOK, &names, call)? };
    if let Some(to) = flame {
        draw(to, &[of_call(&found, shortest as f64)])?;
    }
    if !run.profile_functions {
        return Ok(());
    }
    let rows = rows(&found, shortest as f64);
    if run.form() == super::Form::Json {
        let functions = rows.iter().map(|(name, [own, all])| {
            let tenths = |ns: f64| (ns * 10.0).round() / 10.0;
            json!({ "name": name, "own_ns": tenths(*own), "with_calls_ns": tenths(*all) })
        });
        return output::json(json!({
            "entry": entry,
            "total_ns": shortest,
            "calls": found.calls,
            "samples": found.samples,
            "functions": functions.collect::<Vec<_>>(),
        }));
    }
    output::asked(format_args!(
        "{entry}: {}, the best of {} calls; {} samples",
        time(shortest as f64),
        found.calls,
        found.samples
    ))?;
    output::asked(format_args!("  {:>10}{:>8}{:>16}  function", "own", "share", "with its calls"))?;
    for (name, [own, all]) in &rows {
        let share = own / shortest as f64 * 100.0;
        output::asked(format_args!(
            "  {:>10}{share:>6.1} %{:>16}  {name}",
            time(*own),
            time(*all)
        ))?;
    }
    Ok(())
}

/// What each function takes of a call of `total_ns` by itself, and with what it calls; the dearest first.
fn rows(found: &Functions, total_ns: f64) -> Vec<(String, [f64; 2])> {
    let mut rows: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for (stack, count) in found.named() {
        for (depth, name) in stack.iter().enumerate() {
            let row = rows.entry(name).or_default();
            row[0] += if depth + 1 == stack.len() { count } else { 0 };
            // One that calls itself counts once.
            row[1] += if stack[..depth].contains(name) { 0 } else { count };
        }
    }
    let ns = |count: u64| count as f64 / found.samples.max(1) as f64 * total_ns;
    let mut rows: Vec<_> =
        rows.into_iter().map(|(name, counts)| (name.to_owned(), counts.map(ns))).collect();
    rows.sort_by(|(a, [own_a, _]), (b, [own_b, _])| own_b.total_cmp(own_a).then(a.cmp(b)));
    rows
}

/// The option's file, opened before any work.
pub fn destination(run: &Run) -> Result<Option<Destination>> {
    run.flame.as_deref().map(|path| bench::destination(path, &[&run.input])).transpose()
}
