//! Replaces a file as a whole, and the lock of who does.
//!
//! A lock is a file beside the one that it is for, locked by the kernel (`flock`) for the process or
//! thread that opened it: it is free when its holder ends, and so is what is left of it. Its holder
//! takes the name away before the lock is free, so that who waited looks whether the file that it
//! locked is the one of that name.
//!
//! Only the holder of a lock writes the file's other name, so that there is one such name and nothing
//! of an earlier writer in it.

use crate::make_folder;
use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The end of a lock's name.
pub const LOCK: &str = ".lock";
/// The end of the name under which a file is written.
pub const NEW: &str = ".new";

/// The right to write a file.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// Locked until it is closed, which is after the name is gone.
    _file: File,
}

impl Lock {
    /// Waits for the lock of the file at `path`.
    pub fn wait(path: &Path) -> io::Result<Self> {
        loop {
            let lock = beside(path, LOCK);
            let file = open(&lock)?;
            while let Err(error) = file.lock() {
                if error.kind() != ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            if is_at(&file, &lock)? {
                return Ok(Self { path: lock, _file: file });
            }
        }
    }

    /// The lock, unless somebody has it.
    pub fn now(path: &Path) -> io::Result<Option<Self>> {
        let lock = beside(path, LOCK);
        let file = open(&lock)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, &lock)? => Ok(Some(Self { path: lock, _file: file })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens a lock's file, in a folder that others remove when it is empty.
fn open(lock: &Path) -> io::Result<File> {
    let mut tries = 0;
    loop {
        if let Some(folder) = lock.parent() {
            make_folder(folder)?;
        }
        let opened =
            File::options().write(true).create(true).truncate(false).mode(0o644).open(lock);
        match opened {
            Err(error) if error.kind() == ErrorKind::NotFound && tries < 100 => tries += 1,
            opened => return opened,
        }
    }
}

/// Whether `file` is the one that has this name now.
pub fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts a file with these bytes in the place of the one at `path`, on the disk, too. The caller has its
/// lock.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path, NEW);
    remove(&new)?;
    let written = write(&new, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
        return written;
    }
    // A name is on the disk when its folder is; that of the folder is in the one above.
    for folder in path.ancestors().skip(1).take(2) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a file that may not be there.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The hidden name beside `path` that ends so.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{end}"))
}
