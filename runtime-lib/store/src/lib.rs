//! Images on disk: a directory that processes share, and that survives them.
//!
//! ```text
//! DIR/<code hash>/<release>-<target>-<cpu>-<options hash>.so          an image
//!                .<the same>.lock                                     somebody makes it
//!                .<the same>.new                                      somebody writes it
//!                .<the same>.whole                                    it was found whole
//! ```
//!
//! Any number of processes and threads read and write it at once. Who promises what:
//!
//! - **The store**: what it hands out is whole (the image's own hash is right) and made of the code in
//!   its name, or was so when it was looked into and has not been changed since, as the system says.
//!   It is written under another name, brought to the disk, and renamed, so that a process that is
//!   killed or a machine that stops leaves the image or none. Of those that want one at the same
//!   moment one makes it. A lock goes with its holder, however that ends.
//! - **The loader** (`lithify-runtime`): it is for this release, this machine and its CPU. After
//!   [`Store::get`] it need not hash again (`Trust::SkipHash`).
//! - **Who makes keys**: [`Key::new`] is told of everything that shapes the image.
//! - **Who may write to the directory** decides what code runs. A directory in which everybody may
//!   write is refused; else the one that is named is the one that is trusted.
//!
//! A path that was handed out can be gone when it is opened, if somebody collects at that moment:
//! that is a miss like any other. An image that is open stays until it is closed.
//!
//! The store holds bytes. What makes them is a closure of the caller's.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used)]

mod collect;
mod error;
mod files;
mod key;
mod mark;

pub use collect::{Collected, Entry};
pub use error::{GetOrMakeError, StoreError};
pub use key::Key;

use files::Lock;
use lithify_runtime::{Metadata, Trust};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// A directory of images. Clones are of the same one.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    bounds: Bounds,
}

/// How much a store keeps. It may have more between two calls of [`Store::collect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The length of all images, in bytes.
    pub max_bytes: u64,
    /// How long an image is kept that nobody uses.
    pub max_age: Duration,
}

impl Default for Bounds {
    /// 4 GiB, which are some hundreds of large runtimes, and half a year.
    fn default() -> Self {
        Self { max_bytes: 4 << 30, max_age: Duration::from_secs(182 * 24 * 60 * 60) }
    }
}

impl Store {
    /// The store in `dir`, which is made if it is not there. One that cannot be written to still
    /// serves what it has.
    pub fn open(dir: impl Into<PathBuf>, bounds: Bounds) -> Result<Self, StoreError> {
        let dir = dir.into();
        let opened = make_folder(&dir).and_then(|()| fs::metadata(&dir));
        let found = opened.map_err(|source| StoreError::Folder { path: dir.clone(), source })?;
        if found.mode() & 0o002 != 0 {
            return Err(StoreError::Everybodys { path: dir });
        }
        Ok(Self(Arc::new(Inner { dir, bounds })))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Its bounds.
    pub fn bounds(&self) -> Bounds {
        self.0.bounds
    }

    /// Where the image is, or would be.
    pub fn path(&self, key: &Key) -> PathBuf {
        self.0.dir.join(key.folder()).join(key.file_name())
    }

    /// The image, if there is one that is whole and made of this code, and marks it as used now (in
    /// silence not, where that is not allowed). That it is whole is found out once and remembered until
    /// the file changes. One that is not is removed and absent; the log has the reason.
    pub fn get(&self, key: &Key) -> Result<Option<PathBuf>, StoreError> {
        let path = self.path(key);
        let open = || -> io::Result<(File, fs::Metadata)> {
            let file = File::open(&path)?;
            let found = file.metadata()?;
            Ok((file, found))
        };
        let read_error = |source| StoreError::Read { path: path.clone(), source };
        let (mut file, found) = match open() {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(read_error(source)),
        };
        if mark::is_whole(&path, &found) {
            return Ok(Some(path));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(read_error)?;
        match check(key, &bytes) {
            Ok(()) => {
                if !mark::put(&path, &file, &found) && !mark::was_just_used(&found) {
                    let _ = file.set_modified(SystemTime::now());
                }
                Ok(Some(path))
            }
            Err(why) => {
                log::warn!("the image {} is not used: {why}", path.display());
                self.remove_damaged(key, &file);
                Ok(None)
            }
        }
    }

    /// The image; made by `make` if there is none, once for all who ask at the same moment, in this
    /// process or another: the others wait for it, and make it when that fails. What is made has to
    /// be an image of this code.
    ///
    /// # Errors
    ///
    /// That of `make`; or that the image cannot be kept, with the image, so that a directory that is
    /// full, read-only or gone costs no more than the next time.
    pub fn get_or_make<E>(
        &self,
        key: &Key,
        make: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<PathBuf, GetOrMakeError<E>> {
        let found = || -> Result<_, StoreError> {
            if let Some(path) = self.get(key)? {
                return Ok((Some(path), None));
            }
            let lock = self.lock(key)?;
            // It may have come while we waited.
            Ok((self.get(key)?, Some(lock)))
        };
        let lock = match found() {
            Ok((Some(path), _)) => return Ok(path),
            Ok((None, lock)) => Ok(lock),
            Err(error) => Err(error),
        };
        let image = make().map_err(GetOrMakeError::Make)?;
        let kept = lock.and_then(|_held| self.write(key, &image));
        kept.map_err(|error| GetOrMakeError::NotKept { image, error })
    }

    /// Keeps an image that was made already, in the place of the one that there is.
    pub fn put(&self, key: &Key, image: &[u8]) -> Result<PathBuf, StoreError> {
        let _held = self.lock(key)?;
        self.write(key, image)
    }

    /// All images, in the order of their paths. They are not looked into.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        collect::list(self)
    }

    /// Removes what is beyond the bounds, the least recently used first, and what writers that were
    /// killed left behind. What somebody else writes just now is left alone.
    pub fn collect(&self) -> Result<Collected, StoreError> {
        collect::collect(self)
    }

    /// Waits until nobody else writes under this key.
    fn lock(&self, key: &Key) -> Result<Lock, StoreError> {
        let path = self.path(key);
        Lock::wait(&path).map_err(|source| StoreError::Write { path, source })
    }

    /// Writes an image. The caller holds the lock.
    fn write(&self, key: &Key, image: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.path(key);
        if let Err(why) = check(key, image) {
            return Err(StoreError::NotTheImage { path, why });
        }
        match files::replace(&path, image) {
            Ok(()) => Ok(path),
            Err(source) => Err(StoreError::Write { path, source }),
        }
    }

    /// Removes what was found damaged in `file`, if it is still there. Who holds the lock puts
    /// something better there.
    fn remove_damaged(&self, key: &Key, file: &File) {
        let path = self.path(key);
        if let Ok(Some(_held)) = Lock::now(&path)
            && files::is_at(file, &path).is_ok_and(|is| is)
        {
            let _ = fs::remove_file(&path);
            let _ = files::remove(&mark::path(&path));
        }
    }
}

/// Whether the bytes are a whole image of the code that `key` names, or why not.
fn check(key: &Key, bytes: &[u8]) -> Result<(), String> {
    match Metadata::check(bytes, Trust::Verify) {
        Ok(hash) if hash == key.code_hash => Ok(()),
        Ok(hash) => Err(format!("it was made of the code {}", key::hex(&hash))),
        Err(error) => Err(error.to_string()),
    }
}

/// Makes a folder in which its owner alone may write, and those above it that are not there.
fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}
