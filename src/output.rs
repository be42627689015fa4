//! Puts results where they go: lines to standard output, files to a [`Destination`].
//!
//! Whatever is for people leaves by [`line()`], [`text`] or [`error`], which show the text of strangers
//! as [`Plain`]: a module that is inspected, run or refused gets nothing to the terminal but what can
//! be read. JSON stays data, and leaves by [`json`].

mod destination;

#[cfg(feature = "bench")]
pub use destination::Stream;
pub use destination::{Content, Destination};
pub use lithify_runtime::abi::plain::Plain;

use crate::status::Refused;
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lithify_measure::figure;
use lithify_polkadot::{CallError, native::RuntimeError};
use lithify_runtime::{ImageError, InstanceError, Trap, abi::plain::is_plain};
use std::{
    error::Error,
    fmt::{self, Write as _},
    io::{ErrorKind, Write},
    sync::atomic::{AtomicBool, Ordering},
};

static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on only errors and what was asked for by name are printed.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// A progress bar on standard error, shown to somebody who looks, and wants to.
pub fn bar(len: u64, template: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(len);
    if QUIET.load(Ordering::Relaxed) {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.expect("templates are ours, and valid"))
}

/// Words for people. JSON is not: see [`json`].
pub trait Words: fmt::Display {}
impl Words for &str {}
impl Words for String {}
impl Words for &String {}
impl Words for fmt::Arguments<'_> {}

/// The beginning of a stranger's text that may be of any length.
pub fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    const MOST: usize = 8 << 10;
    match text.len().checked_sub(MOST) {
        None | Some(0) => text.into(),
        Some(_) => {
            let end = text.floor_char_boundary(MOST);
            format!("{}… {} bytes more", &text[..end], text.len() - end).into()
        }
    }
}

/// Writes one line of results for people.
#[allow(clippy::needless_pass_by_value, reason = "`format_args!` makes values")]
pub fn line(words: impl Words) -> Result<()> {
    if QUIET.load(Ordering::Relaxed) {
        return Ok(());
    }
    asked(words)
}

/// Writes one line that was asked for by name, to the quiet too.
#[allow(clippy::needless_pass_by_value, reason = "`format_args!` makes values")]
pub fn asked(words: impl Words) -> Result<()> {
    stdout(format!("{}\n", Plain(&words.to_string())).as_bytes())
}

/// Writes lines of results for people, as they are put together by us.
pub fn text(lines: &str) -> Result<()> {
    if QUIET.load(Ordering::Relaxed) {
        return Ok(());
    }
    stdout(format!("{}\n", plain_lines(lines)).as_bytes())
}

/// Writes one line of JSON. What is not plain in its texts is written as an escape of JSON.
pub fn json(value: impl fmt::Display) -> Result<()> {
    let mut line = String::new();
    for c in value.to_string().chars() {
        if is_plain(c) {
            line.push(c);
        } else {
            c.encode_utf16(&mut [0; 2])
                .iter()
                .try_for_each(|unit| write!(line, "\\u{unit:04x}"))?;
        }
    }
    line.push('\n');
    stdout(line.as_bytes())
}

/// Says on standard error what is no result, but good to know.
pub fn note(words: impl Words) {
    if !QUIET.load(Ordering::Relaxed) {
        report(words);
    }
}

/// Says one line on standard error, to the quiet too.
#[allow(clippy::needless_pass_by_value, reason = "`format_args!` makes values")]
pub fn report(words: impl Words) {
    // Whoever closed standard error wants to know nothing.
    let _ = writeln!(std::io::stderr(), "{}", Plain(&words.to_string()));
}

/// Says on standard error why a command failed: all causes, in one line but for those that we list
/// something in, such as frames and imports.
pub fn error(error: &anyhow::Error) {
    let causes: Vec<String> = (error.chain())
        .map(|cause| {
            if is_list(cause) {
                plain_lines(&cause.to_string())
            } else {
                Plain(&cause.to_string()).to_string()
            }
        })
        .collect();
    let _ = writeln!(std::io::stderr(), "error: {}", causes.join(": "));
}

/// Says on standard error what is wrong with the arguments, in the parser's lines.
pub fn usage(lines: &str) {
    let _ = writeln!(std::io::stderr(), "{}", plain_lines(lines.trim_end()));
}

/// Whether an error may have lines of its own, and shows the text of strangers as plain in them.
fn is_list(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<Trap>()
        || cause.is::<ImageError>()
        || cause.is::<InstanceError>()
        || cause.is::<RuntimeError>()
        || cause.is::<Refused>()
        || cause.is::<CallError<Trap>>()
}

/// Text whose lines are our own.
fn plain_lines(text: &str) -> String {
    text.lines().map(|line| Plain(line).to_string()).collect::<Vec<_>>().join("\n")
}

/// Writes all of `bytes` to standard output, now.
fn stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderLeft.into()),
        written => written.context("cannot write to standard output"),
    }
}

/// Whoever read standard output has seen enough, which is no failure.
#[derive(Debug, thiserror::Error)]
#[error("the reader of standard output went away")]
pub struct ReaderLeft;

/// A size for people.
pub fn size(bytes: usize) -> String {
    figure::bytes(bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_long_text_ends_between_letters() {
        assert_eq!(cut("short"), "short");
        let long = "é".repeat(5000);
        let shown = cut(&long);
        assert!(shown.len() < 8300 && shown.ends_with("é… 1808 bytes more"), "{}", shown.len());
    }
}
