//! Folders for what a measurement writes on its way. They go with their owner, and where a program ends without
//! unwinding, which is the end that a second interrupt asks for, by [`remove_all`].

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::{Builder, TempDir};

/// The folders that are there now.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A folder that goes when this does.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// An empty folder among the system's temporary ones.
    pub fn new() -> Result<Self> {
        // Held until the folder is in the list, so that it is never there without being in it.
        let mut folders = folders();
        let folder = Builder::new().prefix("lithify-bench-").tempdir();
        let folder =
            folder.context("cannot make a temporary folder; TMPDIR names another place")?;
        folders.push(folder.path().to_owned());
        Ok(Self(folder))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut folders = folders();
        // What cannot be removed is the owner's next attempt, which says nothing either.
        let _ = fs::remove_dir_all(self.path());
        folders.retain(|path| path != self.path());
    }
}

fn folders() -> MutexGuard<'static, Vec<PathBuf>> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the folders of all measurements of this process, which is to end now, and lets none begin another.
pub fn remove_all() {
    let folders = folders();
    for path in &*folders {
        // A worker may write while its folder goes.
        let _ = (0..10).any(|_| fs::remove_dir_all(path).is_ok());
    }
    std::mem::forget(folders);
}
