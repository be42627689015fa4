//! `lithify run --profile`: where the time and the memory of one call go.

use crate::output;
use anyhow::Result;
use lithify_measure::figure::{bytes, time};
use lithify_polkadot::{
    CallContext, Observe, Profile, Session, call,
    native::{GC_CYCLES, Runtime, RuntimeError},
};
use lithify_runtime::Guest;
use serde_json::json;
use std::time::Instant;

/// How often a call is repeated for its times, of which the shortest counts.
const ROUNDS: u32 = 5;

/// What is known of one call.
pub struct CallProfile {
    entry: String,
    input_bytes: usize,
    output_bytes: usize,
    /// The call as it is, with a fresh instance, in ns.
    total_ns: u64,
    /// The same while host functions only answer what they answered before, in ns.
    guest_ns: u64,
    /// The guest's initialiser, in ns; 0 without one.
    initialize_ns: u64,
    /// Whether it ran once, and is in neither of them.
    initializer_kept: bool,
    host: Profile,
    memory_bytes: usize,
    written_pages: Option<usize>,
    collections: Option<u32>,
}

impl CallProfile {
    /// Makes the call and measures it.
    pub fn measure(
        runtime: &Runtime,
        session: &mut Session<'_>,
        mut context: CallContext,
        entry: &str,
        input: &[u8],
    ) -> Result<Self, RuntimeError> {
        let point = runtime.entry(entry)?;
        context.observe(Observe::Profile);
        // The first instance, since on a later one the pages of earlier calls would count.
        let mut instance = point.instance(&context)?;
        let output = session.execute(|| call(&mut instance, &mut context, entry, input))?;
        context.observe(Observe::Off);
        let written_pages = instance.written_pages();
        let memory_bytes = instance.memory().len();
        let collections = instance.collections(&mut context);
        drop(instance);

        // Times are those of a call that is not the first of the process.
        context.observe(Observe::Profile);
        session.execute(|| point.call(input, &mut context))?;
        let host = context.instruments().profile().clone();
        let initialize_ns = context.instruments().initialize_ns();
        context.observe(Observe::Record);
        session.execute(|| point.call(input, &mut context))?;
        let initialize_ns = initialize_ns.min(context.instruments().initialize_ns());
        let mut timed = |observe| -> Result<u64, RuntimeError> {
            context.observe(observe);
            session.execute(|| {
                let start = Instant::now();
                point.call(input, &mut context).map(|_| start.elapsed().as_nanos() as u64)
            })
        };
        let (mut total_ns, mut guest_ns) = (u64::MAX, u64::MAX);
        for _ in 0..ROUNDS {
            total_ns = total_ns.min(timed(Observe::Off)?);
            guest_ns = guest_ns.min(timed(Observe::Replay)?);
        }
        let initializer_kept = context.instruments().initialize_ns() == 0;
        Ok(Self {
            entry: entry.to_owned(),
            input_bytes: input.len(),
            output_bytes: output.len(),
            total_ns,
            guest_ns,
            initialize_ns,
            initializer_kept,
            host,
            memory_bytes,
            written_pages,
            collections,
        })
    }

    /// Prints it as one JSON object; times are in ns.
    pub fn json(&self) -> Result<()> {
        let heap = &self.host.heap;
        output::json(json!({
            "entry": self.entry,
            "input_bytes": self.input_bytes,
            "output_bytes": self.output_bytes,
            "total_ns": self.total_ns,
            "guest_ns": self.guest_ns,
            "initialize_ns": self.initialize_ns,
            "initializer_kept": self.initializer_kept,
            "host_ns": self.host.host_ns(),
            "host_calls": self.host.calls(),
            "host_functions": self.by_time().iter().map(|(name, function)| json!({
                "name": name,
                "calls": function.calls,
                "bytes_in": function.bytes_in,
                "bytes_out": function.bytes_out,
                "ns": function.ns,
            })).collect::<Vec<_>>(),
            "heap": {
                "allocations": heap.allocations,
                "frees": heap.frees,
                "requested_bytes": heap.requested_bytes,
                "peak_bytes": heap.peak_bytes,
                "live_bytes": heap.live_bytes,
            },
            "memory_bytes": self.memory_bytes,
            "written_host_pages": self.written_pages,
            "collections": self.collections,
        }))
    }

    /// Prints it for people.
    pub fn table(&self) -> Result<()> {
        let ns = |ns: u64| time(ns as f64);
        let size = |len: u64| bytes(len as f64);
        let Profile { heap, .. } = &self.host;
        output::asked(format_args!(
            "{}: {} in, {} out",
            self.entry,
            size(self.input_bytes as u64),
            size(self.output_bytes as u64)
        ))?;
        let rows = [
            ("total", self.total_ns, format!("as it is, the best of {ROUNDS}")),
            ("guest", self.guest_ns, format!("host functions replayed, the best of {ROUNDS}")),
            ("host", self.host.host_ns(), format!("{} calls, timed once", self.host.calls())),
        ];
        let initializer = match self.initializer_kept {
            true => {
                "the guest's initialiser, once: what it leaves behind is kept, and is in neither"
            }
            false => "the guest's initialiser, which is in both",
        };
        let initializer = initializer.to_owned();
        let initializer =
            (self.initialize_ns > 0).then_some(("start", self.initialize_ns, initializer));
        for (what, value, how) in rows.into_iter().chain(initializer) {
            output::asked(format_args!("  {what:<8}{:>10}  {how}", ns(value)))?;
        }
        output::asked("")?;
        output::asked(format_args!(
            "  {:<52}{:>8}{:>11}{:>11}{:>11}",
            "host function", "calls", "bytes in", "bytes out", "time"
        ))?;
        for (name, function) in self.by_time() {
            output::asked(format_args!(
                "  {name:<52}{:>8}{:>11}{:>11}{:>11}",
                function.calls,
                size(function.bytes_in),
                size(function.bytes_out),
                ns(function.ns)
            ))?;
        }
        output::asked("")?;
        output::asked(format_args!(
            "  heap: {} blocks of {} handed out, {} taken back; peak {}, {} live at the end",
            heap.allocations,
            size(heap.requested_bytes),
            heap.frees,
            size(heap.peak_bytes),
            size(heap.live_bytes)
        ))?;
        let written = self.written_pages.map_or_else(
            || "unknown, as this kernel cannot scan pages".to_owned(),
            |pages| format!("{pages} host pages"),
        );
        output::asked(format_args!(
            "  memory: {} at the end; written: {written}",
            size(self.memory_bytes as u64)
        ))?;
        let collections = self.collections.map_or_else(
            || format!("unknown, as the module has no export {GC_CYCLES}"),
            |count| count.to_string(),
        );
        output::asked(format_args!("  collections: {collections}"))
    }

    /// The host functions, the dearest first.
    fn by_time(&self) -> Vec<(&'static str, lithify_polkadot::profile::FunctionProfile)> {
        let mut rows: Vec<_> =
            self.host.functions.iter().map(|(name, function)| (*name, *function)).collect();
        rows.sort_by_key(|(name, function)| (std::cmp::Reverse(function.ns), *name));
        rows
    }
}
