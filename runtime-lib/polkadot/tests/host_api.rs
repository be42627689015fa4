//! Every name of the host API is one that we have, with its type, or one that is left out for a reason.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use lithify_polkadot::{HostSet, left_out, resolve};
use lithify_runtime::{FuncType, ValType};
use std::collections::BTreeSet;

const API: &str = include_str!("host_api.txt");

/// The names with their types; those without are left out.
fn api() -> impl Iterator<Item = (&'static str, Option<FuncType>)> {
    let lines = API.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| match line.split_once(' ') {
        Some((name, ty)) => (name, Some(func_type(ty))),
        None => (line, None),
    })
}

fn func_type(text: &str) -> FuncType {
    let (params, result) = text.split_once(" -> ").unwrap();
    let types = |text: &str| -> Vec<ValType> {
        let names = text.trim_matches(['(', ')']).split(", ").filter(|name| !name.is_empty());
        names.map(|name| if name == "i32" { ValType::I32 } else { ValType::I64 }).collect()
    };
    FuncType::new(&types(params), &types(result))
}

#[test]
fn every_name_is_there_or_left_out_for_a_reason() {
    let mut known = BTreeSet::new();
    for (name, ty) in api() {
        match ty {
            Some(ty) => {
                assert!(HostSet::Benchmarks.has("env", name, &ty), "{name}{ty} is not there");
                assert!(known.insert((name, ty.to_string())), "{name} is listed twice");
            }
            None => {
                let has = |set: HostSet| set.functions().any(|function| function.name() == name);
                assert!(!has(HostSet::Benchmarks), "{name} is there, and listed as left out");
                let why = left_out(name).unwrap_or_else(|| panic!("{name} has no reason"));
                let error = resolve("env", name, &FuncType::default()).unwrap_err();
                assert_eq!(
                    error.to_string(),
                    format!("there is no host function env:{name} ({why})")
                );
            }
        }
    }
    for function in HostSet::Benchmarks.functions().filter(|function| function.module() == "env") {
        let entry = (function.name(), function.ty().to_string());
        assert!(known.contains(&entry), "{function:?} is not listed");
    }
    assert_eq!(left_out("ext_nothing"), None);
}

#[test]
fn sets_are_what_their_hosts_have() {
    let names = |set: HostSet| -> BTreeSet<_> { set.functions().map(|f| f.name()).collect() };
    let (chain, benchmarks) = (names(HostSet::Chain), names(HostSet::Benchmarks));
    let validation = names(HostSet::Validation);
    assert!(chain.is_subset(&benchmarks));
    assert!(validation.is_subset(&chain));
    let more: BTreeSet<_> = benchmarks.difference(&chain).copied().collect();
    assert!(more.iter().all(|name| name.starts_with("ext_benchmarking_")), "{more:?}");
    assert!(!chain.iter().any(|name| name.starts_with("ext_benchmarking_")));
    for name in ["ext_storage_get_version_1", "ext_offchain_timestamp_version_1", "fd_write"] {
        assert!(chain.contains(name) && !validation.contains(name), "{name}");
    }
    for name in ["ext_hashing_blake2_256_version_1", "ext_trie_blake2_256_root_version_2"] {
        assert!(validation.contains(name), "{name}");
    }
}
