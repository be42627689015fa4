//! Which function of one module is which of another, where names do not say: by their bodies.
//!
//! A build that adds a function moves the index of every one behind it. So a body counts as what it does,
//! without the indices in it: the operators, with constants and offsets. Bodies that do the same are one
//! function, in their order; of what is left those are, which share most runs of three operators.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use wasmparser::{FunctionBody, Operator, Parser, Payload, TypeRef};

/// Bodies that share less of their runs of operators than this are two functions.
const ALIKE: f64 = 0.5;
/// Bodies with fewer runs than this say too little.
const FEWEST: usize = 4;

/// For functions of `new` the index of what they were in `base`; by index, imports counted first.
///
/// # Errors
///
/// Where one is no module.
pub fn matching(base: &[u8], new: &[u8]) -> Result<BTreeMap<u32, u32>> {
    let (base, new) = (bodies(base)?, bodies(new)?);
    let mut found = BTreeMap::new();
    let mut same: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for body in base.iter().rev() {
        same.entry(body.hash).or_default().push(body.index);
    }
    for body in &new {
        if let Some(index) = same.get_mut(&body.hash).and_then(Vec::pop) {
            found.insert(body.index, index);
        }
    }
    let taken: BTreeSet<u32> = found.values().copied().collect();
    let base: Vec<&Body> = base.iter().filter(|body| !taken.contains(&body.index)).collect();
    let new: Vec<&Body> = new.iter().filter(|body| !found.contains_key(&body.index)).collect();
    // Which bodies have a run, so that only those are compared that share one.
    let mut having: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, body) in base.iter().enumerate() {
        body.runs.iter().for_each(|run| having.entry(*run).or_default().push(at));
    }
    let mut pairs = Vec::new();
    for body in new.iter().filter(|body| body.runs.len() >= FEWEST) {
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for at in body.runs.iter().filter_map(|run| having.get(run)).flatten() {
            *shared.entry(*at).or_default() += 1;
        }
        for (at, shared) in shared {
            let all = body.runs.len() + base[at].runs.len() - shared;
            let likeness = shared as f64 / all as f64;
            if likeness >= ALIKE {
                pairs.push((likeness, base[at].index, body.index));
            }
        }
    }
    // The most alike first; what is equally alike stays in order.
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut gone = BTreeSet::new();
    for (_, base, new) in pairs {
        if !found.contains_key(&new) && gone.insert(base) {
            found.insert(new, base);
        }
    }
    Ok(found)
}

/// A function's body as what it does.
struct Body {
    index: u32,
    hash: u64,
    /// Its runs of three operators, each once.
    runs: BTreeSet<u64>,
}

fn bodies(wasm: &[u8]) -> Result<Vec<Body>> {
    let (mut bodies, mut index) = (Vec::new(), 0);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.context("cannot read the module")? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.context("cannot read the module")?;
                    index += u32::from(matches!(import.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => {
                bodies.push(of(&body, index)?);
                index += 1;
            }
            _ => {}
        }
    }
    Ok(bodies)
}

fn of(body: &FunctionBody<'_>, index: u32) -> Result<Body> {
    let mut operators = Vec::new();
    let mut reader = body.get_operators_reader().context("cannot read the module")?;
    while !reader.eof() {
        operators.push(hash(&without_index(&reader.read().context("cannot read the module")?)));
    }
    let runs = operators.windows(3).map(hash).collect();
    Ok(Body { index, hash: hash(&operators[..]), runs })
}

/// An operator as text, without an index of what another build has elsewhere.
fn without_index(operator: &Operator<'_>) -> String {
    match operator {
        Operator::Call { .. } => "call".into(),
        Operator::CallIndirect { .. } => "call_indirect".into(),
        Operator::RefFunc { .. } => "ref.func".into(),
        Operator::GlobalGet { .. } => "global.get".into(),
        Operator::GlobalSet { .. } => "global.set".into(),
        Operator::BrTable { targets } => format!("br_table {}", targets.len()),
        // Addresses of static data move with the data.
        Operator::I32Const { value } if value.unsigned_abs() > 0xffff => "i32.const".into(),
        operator => format!("{operator:?}"),
    }
}

/// The same in every process: the hasher has no seed of its own.
fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(functions: &[&str]) -> Vec<u8> {
        let functions: String = functions
            .iter()
            .map(|body| format!("(func (param i32) (result i32) (local i32) {body})"))
            .collect();
        let text = format!("(module (import \"env\" \"f\" (func)) {functions})");
        wat::parse_str(text).expect("our own module")
    }

    fn work(step: &str) -> String {
        format!("{} (local.get 1)", step.repeat(3))
    }

    #[test]
    fn functions_are_found_where_they_moved_to() {
        let a = work("(local.set 1 (i32.mul (local.get 0) (i32.const 3)))");
        let b = work("(local.set 1 (i32.shl (local.get 0) (i32.popcnt (local.get 1))))");
        let longer = format!("(local.set 1 (i32.clz (local.get 0))) {a}");
        let changed = format!("(local.set 1 (i32.const 9)) {b}");
        let calls = "(call 1 (i32.clz (i32.ctz (local.get 0))))";
        let moved = "(call 2 (i32.clz (i32.ctz (local.get 0))))";
        let base = module(&[&a, &b, calls]);
        let new = module(&[&longer, &a, &changed, moved]);
        let found = matching(&base, &new).expect("two modules");
        // Of `a` and what is `a` with more, the former is `a`; what calls it calls another index now.
        assert_eq!(found, BTreeMap::from([(2, 1), (3, 2), (4, 3)]));
        let itself = matching(&base, &base).expect("a module");
        assert_eq!(itself, BTreeMap::from([(1, 1), (2, 2), (3, 3)]));
        assert!(matching(b"no", &base).is_err());
    }
}
