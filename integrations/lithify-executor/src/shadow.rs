//! A call on both engines: what each did to the state, in order, and whether it was the same.
//!
//! The image goes first, in a transaction that is rolled back; the fallback's call is the one that
//! stays. Between engine and state stands a [`Recorder`], which passes everything on and keeps what
//! it was: of each step a hash, and what the state held where it was read, so that a call that
//! differed can be made again.

mod recorder;
mod report;

use recorder::{Recorder, Step};
use sc_executor::error::{Error, Result};
use sp_core::traits::{CallContext, RuntimeCode};
use sp_externalities::Externalities;
use std::path::Path;

/// A call.
pub struct Call<'a> {
    pub code: &'a RuntimeCode<'a>,
    pub method: &'a str,
    pub data: &'a [u8],
    pub context: CallContext,
}

/// Entry points that do what cannot be done twice, or differently each time, by their names' beginning:
/// they sign, make keys, and send.
const ONCE: [&str; 2] = ["OffchainWorkerApi_", "SessionKeys_"];

/// Whether a call can be made twice.
pub fn can_compare(method: &str, context: CallContext) -> bool {
    context != CallContext::Onchain { import: false }
        && !ONCE.iter().any(|name| method.starts_with(name))
}

/// Makes the call by `image` and `fallback`, and returns what the latter does.
pub fn call(
    ext: &mut dyn Externalities,
    call: &Call<'_>,
    differences: &Path,
    image: impl FnOnce(&mut dyn Externalities) -> Result<Vec<u8>>,
    fallback: impl FnOnce(&mut dyn Externalities) -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let mut first = Recorder::trial(ext);
    let ours = image(&mut first);
    let first = first.undo();
    let mut second = Recorder::new(ext);
    let theirs = fallback(&mut second);
    let second = second.end();
    // What only one of the two may do was not done by the other.
    if !first.is_abandoned
        && let Some(what) = difference((&ours, &first.steps), (&theirs, &second.steps))
    {
        report::report(call, &what, [&first, &second], differences);
    }
    theirs
}

type Made<'a> = (&'a Result<Vec<u8>>, &'a [Step]);

/// In what the image's call differs from the fallback's.
fn difference((ours, our_steps): Made<'_>, (theirs, their_steps): Made<'_>) -> Option<String> {
    let steps = our_steps.iter().zip(their_steps).position(|(ours, theirs)| ours != theirs);
    if let Some(index) = steps {
        let (ours, theirs) = (our_steps[index].what, their_steps[index].what);
        let same = if ours == theirs { ", with other arguments or results" } else { "" };
        return Some(format!(
            "step {index} is {ours} on the image, {theirs} on the fallback{same}"
        ));
    }
    if our_steps.len() != their_steps.len() {
        let (ours, theirs) = (our_steps.len(), their_steps.len());
        return Some(format!("the image made {ours} steps, the fallback {theirs}"));
    }
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) if ours == theirs => None,
        (Ok(_), Ok(_)) => Some("the results differ".into()),
        (Err(ours), Err(theirs)) if kind(ours) == kind(theirs) => None,
        (ours, theirs) => Some(format!("the image: {}; the fallback: {}", end(ours), end(theirs))),
    }
}

/// What of an error is the same on all engines. What a guest says in a panic is; how a trap is called
/// and where it was is not.
fn kind(error: &Error) -> String {
    match error {
        Error::AbortedDueToPanic(panic) => format!("panic {}", panic.message),
        Error::AbortedDueToTrap(_) => "trap".into(),
        error => error.to_string(),
    }
}

fn end(result: &Result<Vec<u8>>) -> String {
    match result {
        Ok(bytes) => format!("a result of {} bytes", bytes.len()),
        Err(error) => error.to_string(),
    }
}
