//! Writes a block with the state of its parent, and a state as a chain spec, as the JSON that
//! [`Input::read`](super::Input::read) takes.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::chain::block::Block;
use crate::chain::state::{Pairs, State};
use crate::hex::Hex;

/// The text of a block file: `block` and the `state` that it is executed on.
pub fn block_file(block: &Block, state: &State) -> String {
    let (top, children) = state.pairs();
    let mut text = String::from("{\n  \"block\": {\n    \"header\": ");
    hex(&mut text, &block.header.encode());
    text.push_str(",\n    \"body\": [");
    list(&mut text, &block.extrinsics, 6, |text, extrinsic| hex(text, extrinsic));
    text.push_str("]\n  },\n  \"parentStorage\": {\n    \"mainTrie\": {");
    pairs(&mut text, &top, 6);
    text.push_str("},\n    \"childTries\": {");
    tries(&mut text, &children, 6);
    text.push_str("}\n  }\n}\n");
    text
}

/// The text of a raw chain spec for a chain of that name without nodes, whose first state this is.
pub fn chain_spec(name: &str, state: &State) -> String {
    let (top, children) = state.pairs();
    let id: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let mut text = format!(
        "{{\n  \"name\": {},\n  \"id\": \"{}\",\n  \"chainType\": \"Local\",\n  \"bootNodes\": [],\n  \
         \"telemetryEndpoints\": null,\n  \"protocolId\": null,\n  \"properties\": {{}},\n  \
         \"codeSubstitutes\": {{}},\n  \"genesis\": {{\n    \"raw\": {{\n      \"top\": {{",
        serde_json::Value::from(name),
        id.to_lowercase()
    );
    pairs(&mut text, &top, 8);
    text.push_str("},\n      \"childrenDefault\": {");
    tries(&mut text, &children, 8);
    text.push_str("}\n    }\n  }\n}\n");
    text
}

/// Child tries by name.
fn tries(text: &mut String, children: &BTreeMap<Vec<u8>, Pairs>, indent: usize) {
    list(text, children, indent, |text, (name, child)| {
        hex(text, name);
        text.push_str(": {");
        pairs(text, child, indent + 2);
        text.push('}');
    });
}

fn pairs(text: &mut String, pairs: &Pairs, indent: usize) {
    list(text, pairs, indent, |text, (key, value)| {
        hex(text, key);
        text.push_str(": ");
        hex(text, value);
    });
}

/// The items, each on a line of its own, and the end of the line before the closing bracket.
fn list<I: IntoIterator>(
    text: &mut String,
    items: I,
    indent: usize,
    mut item: impl FnMut(&mut String, I::Item),
) {
    let mut separator = "";
    let mut any = false;
    for value in items {
        text.push_str(separator);
        let _ = write!(text, "\n{:indent$}", "");
        item(text, value);
        separator = ",";
        any = true;
    }
    if any {
        let _ = write!(text, "\n{:1$}", "", indent - 2);
    }
}

fn hex(text: &mut String, bytes: &[u8]) {
    let _ = write!(text, "\"{}\"", Hex(bytes));
}
