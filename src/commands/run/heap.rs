//! `lithify run --heap-trace`: every block that a call gets of the host's heap.

use super::Run;
use crate::output;
use anyhow::Result;
use lithify_measure::figure::bytes;
use lithify_polkadot::{CallContext, HeapTrace, Observe, Session, native::Runtime};
use lithify_runtime::Image;
use serde_json::json;

/// Functions of a line, the innermost and those around it.
const SHOWN: usize = 4;

/// Makes the call and prints its blocks.
pub fn show(
    run: &Run,
    runtime: &Runtime,
    session: &mut Session<'_>,
    mut context: CallContext,
    (entry, input): (&str, &[u8]),
) -> Result<()> {
    let point = runtime.entry(entry).map_err(|error| run.refused(error))?;
    context.observe(Observe::Heap);
    let called = session.execute(|| point.call(input, &mut context));
    called.map_err(|error| run.refused(error))?;
    let (trace, image) = (context.instruments().heap_trace(), runtime.image());
    match run.is_json() {
        true => object(entry, trace, &image),
        false => table(entry, trace, &image),
    }
}

/// The functions that frames are in, the innermost first.
fn functions(image: &Image, frames: &[usize]) -> Vec<String> {
    // A return address follows its call, which may be the last instruction of a function.
    let found = frames.iter().filter_map(|pc| image.function_at(pc - 1));
    let name = |(index, name): (u32, &str)| match name {
        "" => format!("function {index}"),
        name => name.to_owned(),
    };
    found.map(name).collect()
}

fn object(entry: &str, trace: &HeapTrace, image: &Image) -> Result<()> {
    let blocks = trace.blocks.iter().map(|block| {
        json!({
            "at": block.at,
            "address": block.address,
            "requested_bytes": block.size,
            "freed_at": block.freed,
            "functions": functions(image, &block.frames),
        })
    });
    let blocks: Vec<_> = blocks.collect();
    output::json(json!({ "entry": entry, "blocks": blocks, "blocks_left_out": trace.left_out }))
}

fn table(entry: &str, trace: &HeapTrace, image: &Image) -> Result<()> {
    let size = |sizes: &mut dyn Iterator<Item = u32>| bytes(sizes.map(f64::from).sum());
    let (blocks, kept) = (&trace.blocks, || trace.blocks.iter().filter(|b| b.freed.is_none()));
    output::asked(format_args!(
        "{entry}: {} blocks of {} asked for, {} given back; {} of {} are left at the end",
        blocks.len() as u64 + trace.left_out,
        size(&mut blocks.iter().map(|block| block.size)),
        blocks.len() - kept().count(),
        kept().count(),
        size(&mut kept().map(|block| block.size))
    ))?;
    if blocks.is_empty() {
        return output::asked("what an allocator of the guest's own does is not seen");
    }
    output::asked(format_args!(
        "{:>8}  {:>10}  {:>9}  {:>10}  by",
        "request", "address", "size", "given back"
    ))?;
    for block in blocks {
        let freed = block.freed.map_or_else(|| "-".to_owned(), |at| format!("at {at}"));
        let functions = functions(image, &block.frames);
        let by = match &functions[..] {
            [] => "(the call's argument)".to_owned(),
            some => some[..some.len().min(SHOWN)].join(" < "),
        };
        output::asked(format_args!(
            "{:>8}  {:#010x}  {:>9}  {freed:>10}  {by}",
            block.at,
            block.address,
            bytes(block.size.into())
        ))?;
    }
    if trace.left_out > 0 {
        output::asked(format_args!("and {} more, which are not kept", trace.left_out))?;
    }
    Ok(())
}
