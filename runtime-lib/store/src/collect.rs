//! What a store has, and what of it goes.

use crate::{
    Key, Store, StoreError,
    files::{LOCK, Lock, NEW, beside, remove},
    mark::{self, WHOLE},
};
use std::{
    ffi::OsString,
    fs::{self, DirEntry},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// An image in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// What it is made from and for.
    pub key: Key,
    /// Its file.
    pub path: PathBuf,
    /// The length of that, in bytes.
    pub bytes: u64,
    /// When it was made or last used.
    pub used: SystemTime,
}

/// What became of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// What is gone, in the order in which it went.
    pub removed: Vec<Entry>,
    /// What is left, in the order of paths.
    pub kept: Vec<Entry>,
    /// How many files of writers that were killed are gone.
    pub leftovers: usize,
}

/// The names of a file in a store and of the folder it is in.
pub struct Named<'n> {
    pub folder: &'n str,
    pub file: &'n str,
}

/// All images of a store, in the order of their paths.
pub fn list(store: &Store) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    for folder in names(store.dir())? {
        let path = store.dir().join(&folder);
        if !path.is_dir() {
            continue;
        }
        for file in names(&path)? {
            let named = folder.to_str().zip(file.to_str());
            let key = named.and_then(|(folder, file)| Key::read(Named { folder, file }));
            if let Some(key) = key
                && let Some(entry) = entry(key, path.join(&file))?
            {
                entries.push(entry);
            }
        }
    }
    Ok(entries)
}

/// Removes what is beyond the bounds.
pub fn collect(store: &Store) -> Result<Collected, StoreError> {
    let (bounds, now) = (store.bounds(), SystemTime::now());
    let mut by_use = list(store)?;
    by_use.sort_by_key(|entry| entry.used);
    let mut total: u64 = by_use.iter().map(|entry| entry.bytes).sum();
    let mut done = Collected::default();
    for entry in by_use {
        // A time that is to come is no age.
        let age = now.duration_since(entry.used).unwrap_or_default();
        if (age > bounds.max_age || total > bounds.max_bytes) && remove_unused(&entry)? {
            total -= entry.bytes;
            done.removed.push(entry);
        } else {
            done.kept.push(entry);
        }
    }
    done.kept.sort_by(|a, b| a.path.cmp(&b.path));
    done.leftovers = tidy(store)?;
    Ok(done)
}

/// Removes an image, unless it was used since it was listed, or somebody is writing it.
fn remove_unused(entry: &Entry) -> Result<bool, StoreError> {
    let path = || entry.path.clone();
    let write = |source| StoreError::Write { path: path(), source };
    let Some(_held) = Lock::now(&entry.path).map_err(write)? else { return Ok(false) };
    match self::entry(entry.key.clone(), path())? {
        Some(found) if found.used > entry.used => Ok(false),
        _ => {
            remove(&entry.path).map_err(write)?;
            let _ = remove(&mark::path(&entry.path));
            Ok(true)
        }
    }
}

/// Removes what writers that are no more left behind, marks of images that are gone, and folders that
/// have become empty.
fn tidy(store: &Store) -> Result<usize, StoreError> {
    let mut removed = 0;
    for folder in names(store.dir())? {
        let path = store.dir().join(&folder);
        if !path.is_dir() || folder.len() != 64 {
            continue;
        }
        for file in names(&path)? {
            let name = file.to_str().and_then(|file| file.strip_prefix('.'));
            if let Some((image, writer)) = name.and_then(|name| name.rsplit_once(WHOLE)) {
                // Who cannot remove it leaves it: it does no harm.
                if (!writer.is_empty() || !path.join(image).exists())
                    && remove(&path.join(&file)).is_ok()
                {
                    removed += 1;
                }
                continue;
            }
            let image =
                name.and_then(|name| name.strip_suffix(LOCK).or_else(|| name.strip_suffix(NEW)));
            let Some(image) = image.map(|name| path.join(name)) else { continue };
            // Who cannot remove it leaves it: it does no harm.
            if let Ok(Some(_held)) = Lock::now(&image) {
                let _ = remove(&beside(&image, NEW));
                removed += 1;
            }
        }
        let _ = fs::remove_dir(&path);
    }
    Ok(removed)
}

/// The file of `key`, if there is one.
fn entry(key: Key, path: PathBuf) -> Result<Option<Entry>, StoreError> {
    let found = fs::symlink_metadata(&path).and_then(|found| Ok((found.modified()?, found)));
    match found {
        Ok((used, found)) if found.is_file() => {
            let used = mark::used(&path).map_or(used, |marked| marked.max(used));
            Ok(Some(Entry { key, path, bytes: found.len(), used }))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Read { path, source }),
    }
}

/// The names in a folder, in order; none in one that is gone.
fn names(folder: &Path) -> Result<Vec<OsString>, StoreError> {
    let name = |entry: io::Result<DirEntry>| entry.map(|entry| entry.file_name());
    let names = fs::read_dir(folder).and_then(|entries| entries.map(name).collect());
    match names {
        Ok(names) => {
            let mut names: Vec<OsString> = names;
            names.sort();
            Ok(names)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreError::Read { path: folder.to_owned(), source }),
    }
}
