//! A block whose state root another runtime does not reach: what the root is there, and which keys are
//! to blame.
//!
//! A runtime compares the root itself and panics, so the block is executed once more with the root that
//! was reached in its header: if that passes, the root is all that is wrong. What the block's own runtime
//! writes, the one in the state that it is executed on, says which keys differ.

use crate::{output, source};
use anyhow::Result;
use lithify_polkadot::{
    Block, BlockReport, CallContext, Change, Session,
    native::{Runtime, RuntimeError},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many keys are shown as text.
const SHOWN: usize = 20;
/// How many bytes of a value are.
const SHOWN_BYTES: usize = 32;

/// A key, and which trie it is of: the name of a child trie, or the main one.
type Place = (Option<Vec<u8>>, Vec<u8>);

/// What two executions of a block leave behind at one key.
pub struct Difference {
    place: Place,
    /// By the block's own runtime; `None` where the key is not there.
    own: Option<Vec<u8>>,
    /// By the one that was asked for.
    other: Option<Vec<u8>>,
}

/// The report of a block that `runtime` executes but for the state root in its header; `None` where
/// something else is wrong with it. The session has the changes that were made, in both cases.
pub fn but_for_its_root(
    runtime: &Runtime,
    session: &mut Session<'_>,
    context: &mut CallContext,
    block: &Block,
) -> Option<BlockReport> {
    let version = session.state().version();
    let computed_root = session.root(version);
    let expected_root = block.header.state_root;
    if computed_root == expected_root {
        return None;
    }
    let mut block = block.clone();
    block.header.state_root = computed_root;
    let report = runtime.execute_block(session, context, &block, None).ok()?;
    report.matches().then_some(BlockReport { expected_root, computed_root })
}

/// What differs from the state that the block's `own` runtime leaves behind. `None` where that does not
/// reach the root either.
pub fn differences(
    session: &mut Session<'_>,
    block: &Block,
    own: &Runtime,
) -> Result<Option<Vec<Difference>>, RuntimeError> {
    let others = changes(session);
    match own.execute_block(session, &mut CallContext::new(), block, None) {
        Ok(report) if report.matches() => {}
        Ok(_) | Err(RuntimeError::Call(_)) => return Ok(None),
        Err(error) => return Err(error),
    }
    let own = changes(session);
    let state = session.state();
    let before = |(child, key): &Place| match child {
        Some(child) => state.child_storage(child, key),
        None => state.storage(key),
    };
    let after = |changes: &BTreeMap<Place, Option<Vec<u8>>>, place: &Place| {
        changes.get(place).cloned().unwrap_or_else(|| before(place))
    };
    let mut places: Vec<&Place> = own.keys().chain(others.keys()).collect();
    places.sort();
    places.dedup();
    let found = places.into_iter().map(|place| Difference {
        own: after(&own, place),
        other: after(&others, place),
        place: place.clone(),
    });
    Ok(Some(found.filter(|found| found.own != found.other).collect()))
}

fn changes(session: &mut Session<'_>) -> BTreeMap<Place, Option<Vec<u8>>> {
    let changes = session.changes().into_iter();
    changes.map(|Change { child, key, value }| ((child, key), value)).collect()
}

impl Difference {
    /// As a part of the command's JSON.
    pub fn json(&self) -> Value {
        let (child, key) = &self.place;
        json!({
            "child": child.as_deref().map(source::hex),
            "key": source::hex(key),
            "own": self.own.as_deref().map(source::hex),
            "other": self.other.as_deref().map(source::hex),
        })
    }
}

/// Prints what differs, for people.
pub fn print(found: &[Difference]) -> Result<()> {
    for Difference { place: (child, key), own, other } in found.iter().take(SHOWN) {
        let of_child = child.as_deref().map(|child| format!(" of child {}", source::hex(child)));
        output::line(format_args!("  {}{}", source::hex(key), of_child.unwrap_or_default()))?;
        output::line(format_args!("    its own runtime: {}", shown(own.as_deref())))?;
        output::line(format_args!("    this one:        {}", shown(other.as_deref())))?;
    }
    match found.len().checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => output::line(format_args!("  and {more} more keys, which --json lists")),
    }
}

fn shown(value: Option<&[u8]>) -> String {
    match value {
        None => "no such key".into(),
        Some(bytes) if bytes.len() > SHOWN_BYTES => {
            format!("{}… ({} bytes)", source::hex(&bytes[..SHOWN_BYTES]), bytes.len())
        }
        Some(bytes) => source::hex(bytes),
    }
}
