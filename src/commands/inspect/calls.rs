//! `lithify inspect --allocations` and `--calls`: what the call graph of a module tells, in words, as
//! data, and as a graph for Graphviz.

use anyhow::{Context, Result};
use lithify_compiler::FunctionCalls;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Functions that hand out memory, by the names that toolchains give them. Their first argument is a
/// size in bytes, but for that of `calloc`.
const ALLOCATORS: [&str; 8] = [
    "runtime.alloc",
    "runtime.mallocgc",
    "malloc",
    "calloc",
    "dlmalloc",
    "__rust_alloc",
    "__rdl_alloc",
    "env.ext_allocator_malloc_version_1",
];

/// Functions that are reached from one, by direct calls.
fn reached(functions: &[FunctionCalls], from: u32, stops: impl Fn(u32) -> bool) -> BTreeSet<u32> {
    let (mut seen, mut left) = (BTreeSet::from([from]), vec![from]);
    while let Some(index) = left.pop() {
        for call in &functions[index as usize].calls {
            if !stops(call.callee) && seen.insert(call.callee) {
                left.push(call.callee);
            }
        }
    }
    seen
}

/// Whether a function hands out memory, by its name. Rust's are mangled, and end so.
fn is_allocator(name: &str) -> bool {
    ALLOCATORS.contains(&name) || name.starts_with("_R") && name.ends_with("___rust_alloc")
}

/// For each exported function the calls of allocators that it reaches, with their sizes.
pub fn allocations(functions: &[FunctionCalls]) -> Vec<(Value, String)> {
    let is_stop = |index: u32| is_allocator(&functions[index as usize].name);
    let of_export = |from: u32, export: &String| {
        let (mut sites, mut indirect) = (Vec::new(), 0);
        // An allocator that is exported is called from outside: what it does itself is no answer.
        let all = if is_stop(from) { BTreeSet::new() } else { reached(functions, from, is_stop) };
        for index in all {
            let function = &functions[index as usize];
            indirect += function.indirect;
            for call in function.calls.iter().filter(|call| is_stop(call.callee)) {
                let allocator = &functions[call.callee as usize].name;
                let bytes = call.argument.filter(|_| allocator != "calloc");
                sites.push((&function.name, allocator, bytes));
            }
        }
        let mut by_size: BTreeMap<Option<u32>, usize> = BTreeMap::new();
        for (.., bytes) in &sites {
            *by_size.entry(*bytes).or_default() += 1;
        }
        let sizes = by_size.iter().map(|(bytes, count)| match bytes {
            Some(bytes) => format!("{count} of {bytes} B"),
            None => format!("{count} of a size that is computed"),
        });
        let sizes: Vec<String> = sizes.collect();
        let sizes = if sizes.is_empty() { "none".into() } else { sizes.join(", ") };
        let beyond = match indirect {
            0 => String::new(),
            count => format!("; {count} indirect calls may reach more"),
        };
        let site = |(function, allocator, bytes): &(&String, &String, Option<u32>)| json!({"function": function, "allocator": allocator, "bytes": bytes});
        let sites: Vec<Value> = sites.iter().map(site).collect();
        let data = json!({"export": export, "calls": sites, "indirect_calls": indirect});
        (data, format!("{export}: {sizes}{beyond}"))
    };
    let exported = functions.iter().enumerate().flat_map(|(index, function)| {
        function.exports.iter().map(move |export| (index as u32, export))
    });
    exported.map(|(index, export)| of_export(index, export)).collect()
}

/// Whether the module has an allocator of a known name.
pub fn has_allocator(functions: &[FunctionCalls]) -> bool {
    functions.iter().any(|function| is_allocator(&function.name))
}

/// The functions to show: all, or what is reached from the one of that name or export.
pub fn from(functions: &[FunctionCalls], name: &str) -> Result<BTreeSet<u32>> {
    if name.is_empty() {
        return Ok((0..functions.len() as u32).collect());
    }
    let is_it = |function: &FunctionCalls| {
        function.name == name || function.exports.iter().any(|export| export == name)
    };
    let index = functions.iter().position(is_it);
    let index = index.with_context(|| {
        format!("there is no function {name}; --functions lists names and --calls all calls")
    })?;
    Ok(reached(functions, index as u32, |_| false))
}

/// What each function calls, each callee once, in the order in which it is called first.
fn callees(function: &FunctionCalls) -> Vec<u32> {
    let mut seen = BTreeSet::new();
    let callees = function.calls.iter().map(|call| call.callee);
    callees.filter(|callee| seen.insert(*callee)).collect()
}

/// The graph as lists.
pub fn lists(functions: &[FunctionCalls], shown: &BTreeSet<u32>) -> Vec<(Value, String)> {
    let of = |index: &u32| {
        let function = &functions[*index as usize];
        let names: Vec<&str> =
            callees(function).iter().map(|callee| &*functions[*callee as usize].name).collect();
        let data = json!({
            "index": index,
            "name": function.name,
            "calls": names,
            "indirect_calls": function.indirect,
        });
        let indirect = match function.indirect {
            0 => None,
            count => Some(format!("{count} indirect")),
        };
        let words = names.iter().map(|name| (*name).to_owned()).chain(indirect);
        let words: Vec<String> = words.collect();
        let words = if words.is_empty() { "nothing".into() } else { words.join(", ") };
        (data, format!("{} -> {words}", function.name))
    };
    shown.iter().map(of).collect()
}

/// The graph in Graphviz' language.
pub fn dot(functions: &[FunctionCalls], shown: &BTreeSet<u32>) -> String {
    // JSON's escapes of quotes and backslashes are Graphviz', too.
    let quoted = |text: &str| json!(text).to_string();
    let mut out = String::from("digraph calls {\n  node [shape=box];\n");
    for index in shown {
        let function = &functions[*index as usize];
        let _ = writeln!(out, "  f{index} [label={}];", quoted(&function.name));
        for callee in callees(function) {
            let _ = writeln!(out, "  f{index} -> f{callee};");
        }
    }
    out + "}"
}
