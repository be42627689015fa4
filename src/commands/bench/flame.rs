//! Puts flame graphs where they go: as an SVG file, or as lines for other tools.

use crate::output::{self, Content, Destination};
use crate::status::Usage;
use anyhow::{Result, ensure};
use lithify_bench::report::flame::{Flame, folded, svg};
use std::path::Path;

/// The file of a flame graph, which its name makes an SVG file or lines for other tools.
pub fn destination(path: &Path, inputs: &[&Path]) -> Result<Destination> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_known = path == Path::new("-") || matches!(extension, Some("svg" | "folded"));
    ensure!(
        is_known,
        Usage(format!("--flame {}: the name ends in .svg or .folded", path.display()))
    );
    Destination::open(path, Content::Text, inputs)
}

/// Draws them; as lines where the name of the file ends in `.folded`.
pub fn draw(to: &Destination, flames: &[Flame]) -> Result<()> {
    ensure!(!flames.is_empty(), "there is no flame graph: nobody could look at a call");
    let is_lines = to.name().extension().is_some_and(|extension| extension == "folded");
    let text = if is_lines { folded(flames) } else { svg(flames) };
    to.write(text.as_bytes())?;
    if to.is_stdout() {
        return Ok(());
    }
    output::line(format_args!("the flame graph is in {}", to.name().display()))
}
