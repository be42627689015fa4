//! Images on disk: a directory that processes share, and that survives them.
//!
//! A file's name is a hash of all that the image depends on, so it is right or not there; it is
//! written under another name first and renamed, so it is there as a whole; and it is hashed when it
//! is loaded, so a damaged one is made again.

use crate::code::Code;
use lithify_runtime::{ImageError, abi};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// The environment variable that names a directory for images where a node does not.
pub const CACHE_VARIABLE: &str = "LITHIFY_CACHE";

/// Where images are kept.
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache below `configured`, or below what the environment names; `None` without either, or
    /// where it cannot be made.
    pub fn open(configured: Option<&Path>) -> Option<Self> {
        let base = match configured {
            Some(path) => path.to_owned(),
            None => PathBuf::from(std::env::var_os(CACHE_VARIABLE)?),
        };
        let folder = base.join("lithify");
        if let Err(error) = fs::create_dir_all(&folder) {
            log::warn!(
                target: crate::runtime::LOG,
                "no images are kept, as {} cannot be made: {error}",
                folder.display(),
            );
            return None;
        }
        Some(Self { folder })
    }

    /// Where the image of `code` is, or would be.
    pub fn path(&self, code: &Code) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        for part in [abi::COMPILER.as_bytes(), code.options().as_bytes(), &code.wasm] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        self.folder.join(format!("{}.so", hasher.finalize().to_hex()))
    }

    /// Writes an image to `path`. A failure costs the next process the time to make it again.
    pub fn store(&self, path: &Path, image: &[u8]) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!(".{}-{number}", process::id()));
        let written = write(&temporary, image).and_then(|()| fs::rename(&temporary, path));
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            log::warn!(
                target: crate::runtime::LOG,
                "the image {} is not kept: {error}",
                path.display(),
            );
        }
    }
}

/// Whether there is just no file.
pub fn is_absent(error: &ImageError) -> bool {
    matches!(error, ImageError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
