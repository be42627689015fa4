//! Puts flame graphs where they go: as an SVG file, or as lines for other tools.

use crate::output::{self, Destination};
use anyhow::{Result, ensure};
use lithify_bench::report::flame::{Flame, folded, svg};

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
