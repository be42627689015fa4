//! Images on disk, in a store that processes share and that survives them.

use crate::{
    code::{self, Code},
    runtime::chain,
};
use lithify_store::{Bounds, Key, Store};
use std::path::{Path, PathBuf};

/// The environment variable that names a store where a node names no directory.
pub const CACHE_VARIABLE: &str = "LITHIFY_CACHE";

/// The store in the folder `lithify` below `configured`, which a node may use for other things, or what
/// the environment names; `None` without either, or where it cannot be opened.
pub fn store(configured: Option<&Path>) -> Option<Store> {
    let dir = match configured {
        Some(path) => path.join("lithify"),
        None => PathBuf::from(std::env::var_os(CACHE_VARIABLE)?),
    };
    let opened = Store::open(dir, Bounds::default());
    opened
        .inspect_err(|error| log::warn!(target: crate::LOG, "no images are kept: {}", chain(error)))
        .ok()
}

/// The key of the image of `code`. Its hash is not that of a chain: a node has changed the module by
/// the time that it is compiled.
pub fn key(code: &Code) -> Key {
    let target = code::target();
    Key::new(code.hash(), target.machine, target.features, &code.options())
}

/// Removes what the store has beyond its bounds; the log says where that fails.
pub fn collect(store: &Store) {
    if let Err(error) = store.collect() {
        log::warn!(target: crate::LOG, "old images are not removed: {}", chain(&error));
    }
}
