//! Host functions that `sp-io` does not have: those it dropped, and those of other crates.
//!
//! What they all have in common is a meaning that needs no state of ours. The child storage of
//! before May 2020 named a child by its full key, and is the present one on the rest of that key.

use lithify_abi::types::{FuncType, ValType};

use super::host_function::{Bridge, HostFunction};
use super::of_sp_io;
use crate::pointer_size::PointerSize;
use lithify_runtime::host::HostError;

const CHILD_PREFIX: &[u8] = b":child_storage:default:";
/// SCALE `Vec::new()`, as a runtime sees it when the node has no statement store.
const EMPTY_LIST: &[u8] = &[0];
/// The statement store's answer when there is none.
const NO_STORE: u64 = 3;

type Result = std::result::Result<u64, HostError>;

macro_rules! ty {
    ($($param:ident)* -> $($result:ident)?) => {
        FuncType::new(&[$(ValType::$param),*], &[$(ValType::$result),*])
    };
}

/// The functions of this file, to be merged over those of `sp-io`.
pub(crate) fn functions() -> Vec<HostFunction> {
    let own = HostFunction::own;
    vec![
        own("ext_allocator_malloc_version_1", ty!(I32 -> I32), malloc),
        own("ext_allocator_free_version_1", ty!(I32 -> ), free),
        own("ext_storage_child_get_version_1", ty!(I64 I64 I32 I64 -> I64), child_get),
        own("ext_storage_child_read_version_1", ty!(I64 I64 I32 I64 I64 I32 -> I64), child_read),
        own("ext_storage_child_set_version_1", ty!(I64 I64 I32 I64 I64 -> ), child_set),
        own("ext_storage_child_clear_version_1", ty!(I64 I64 I32 I64 -> ), child_clear),
        own("ext_storage_child_storage_kill_version_1", ty!(I64 I64 I32 -> ), child_kill),
        own("ext_storage_child_exists_version_1", ty!(I64 I64 I32 I64 -> I32), child_exists),
        own(
            "ext_storage_child_clear_prefix_version_1",
            ty!(I64 I64 I32 I64 -> ),
            child_clear_prefix,
        ),
        own("ext_storage_child_next_key_version_1", ty!(I64 I64 I32 I64 -> I64), child_next_key),
        own("ext_storage_child_root_version_1", ty!(I64 -> I64), child_root),
        own("ext_misc_chain_id_version_1", ty!(-> I64), zero),
        own("ext_wasm_tracing_enter_span_version_1", ty!(I64 I64 -> I64), enter_span),
        own("ext_wasm_tracing_exit_span_version_1", ty!(I64 -> ), zero),
        own("ext_storage_proof_size_storage_proof_size_version_1", ty!(-> I64), proof_size),
        own("ext_statement_store_submit_statement_version_1", ty!(I64 -> I32), no_store),
        own("ext_statement_store_statements_version_1", ty!(-> I64), no_statements),
        own("ext_statement_store_broadcasts_version_1", ty!(I64 -> I64), no_statements),
        own("ext_statement_store_posted_version_1", ty!(I64 I32 -> I64), no_statements),
        own("ext_statement_store_posted_clear_version_1", ty!(I64 I32 -> I64), no_statements),
        own("ext_statement_store_remove_version_1", ty!(I32 -> ), zero),
        own("ext_statement_store_remove_by_version_1", ty!(I32 -> ), zero),
    ]
}

fn malloc(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    let address = bridge.context.allocate(bridge.guest, args[0] as u32)?;
    Ok(address.into())
}

fn free(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    bridge.context.free(bridge.guest, args[0] as u32)?;
    Ok(0)
}

fn zero(_: &mut Bridge<'_>, _: &[u64]) -> Result {
    Ok(0)
}

/// No proof is recorded: the value that means so.
fn proof_size(_: &mut Bridge<'_>, _: &[u64]) -> Result {
    Ok(u64::MAX)
}

fn no_store(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    bridge.slice(args[0])?;
    Ok(NO_STORE)
}

fn no_statements(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    if let Some(topics) = args.first() {
        bridge.slice(*topics)?;
    }
    bridge.give(EMPTY_LIST)
}

/// The form of before September 2020: target and name as text. Nothing listens, so 0: no span.
fn enter_span(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    for text in args {
        std::str::from_utf8(bridge.slice(*text)?)
            .map_err(|error| HostError(format!("span is not text: {error}")))?;
    }
    Ok(0)
}

fn child_get(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    child(bridge, "ext_default_child_storage_get_version_1", args)
}

fn child_read(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    child(bridge, "ext_default_child_storage_read_version_1", args)
}

fn child_set(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    child(bridge, "ext_default_child_storage_set_version_1", args)
}

fn child_clear(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    child(bridge, "ext_default_child_storage_clear_version_1", args)
}

fn child_kill(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    child(bridge, "ext_default_child_storage_storage_kill_version_1", args)
}

fn child_exists(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    child(bridge, "ext_default_child_storage_exists_version_1", args)
}

fn child_clear_prefix(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    child(bridge, "ext_default_child_storage_clear_prefix_version_1", args)
}

fn child_next_key(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    child(bridge, "ext_default_child_storage_next_key_version_1", args)
}

fn child_root(bridge: &mut Bridge<'_>, args: &[u64]) -> Result {
    let name = child_name(bridge, args[0])?;
    forward(bridge, "ext_default_child_storage_root_version_1", &[name])
}

/// `args` are the full key, the definition (the unique id of the child, which no host ever used
/// for the default kind), the kind, and then the arguments of the present function.
fn child(bridge: &mut Bridge<'_>, present: &str, args: &[u64]) -> Result {
    let name = child_name(bridge, args[0])?;
    bridge.slice(args[1])?;
    let kind = args[2] as u32;
    if kind != 1 {
        return Err(HostError(format!("unknown kind of child storage {kind}")));
    }
    let mut forwarded = [name, 0, 0, 0];
    let rest = &args[3..];
    forwarded[1..=rest.len()].copy_from_slice(rest);
    forward(bridge, present, &forwarded[..=rest.len()])
}

/// Calls the function of `sp-io` with that name.
fn forward(bridge: &mut Bridge<'_>, name: &str, args: &[u64]) -> Result {
    let found = of_sp_io::functions().iter().find(|function| function.name() == name);
    found.expect("shims forward to functions that sp-io has").run(bridge, args)
}

/// Where what follows the prefix lies, in the key at `fat`.
fn child_name(bridge: &mut Bridge<'_>, fat: u64) -> Result {
    if !bridge.slice(fat)?.starts_with(CHILD_PREFIX) {
        return Err(HostError("not the key of a default child storage".into()));
    }
    let (place, prefix) = (PointerSize::from_bits(fat), CHILD_PREFIX.len() as u32);
    // As many bytes as the prefix has are in memory, so there is no overflow.
    Ok(PointerSize::new(place.address().wrapping_add(prefix), place.len() - prefix).bits())
}
