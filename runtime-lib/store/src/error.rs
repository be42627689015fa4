//! Why an image cannot be had, or not be kept.
//!
//! What `source` returns `Display` does not repeat: whoever shows an error shows the chain.

use std::{fmt, io, path::PathBuf};

/// Why a store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory is not there and cannot be made, is none, or cannot be read.
    #[error("cannot keep images in {}", path.display())]
    Folder {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// Anybody could put code there, and it would run.
    #[error(
        "everybody may write to {}, and what is in it runs as code; take that right away (`chmod \
         o-w`), or name another folder", path.display()
    )]
    Everybodys {
        /// The directory.
        path: PathBuf,
    },

    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// An image cannot be written, or its lock not be had.
    #[error("cannot keep the image {}{}", path.display(), way_out(source))]
    Write {
        /// The file that it would be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// What was to be kept is something else.
    #[error("cannot keep the image {}: {why}", path.display())]
    NotTheImage {
        /// The file that it would be.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
}

/// What `Store::get_or_make` failed at.
pub enum GetOrMakeError<E> {
    /// Making the image.
    Make(E),
    /// Keeping it. Here it is.
    NotKept {
        /// The image.
        image: Vec<u8>,
        /// Why it cannot be kept.
        error: StoreError,
    },
}

impl<E: fmt::Debug> fmt::Debug for GetOrMakeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(error) => f.debug_tuple("Make").field(error).finish(),
            Self::NotKept { error, .. } => f.debug_tuple("NotKept").field(error).finish(),
        }
    }
}

impl<E: fmt::Display> fmt::Display for GetOrMakeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(error) => error.fmt(f),
            Self::NotKept { error, .. } => error.fmt(f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for GetOrMakeError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Make(error) => error.source(),
            Self::NotKept { error, .. } => error.source(),
        }
    }
}

fn way_out(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room, or keep less (`lithify cache gc`)"
        }
        io::ErrorKind::FileTooLarge => "; raise the limit on the size of files (`ulimit -f`)",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; the folder has to belong to who runs this, or name another one"
        }
        _ => "",
    }
}
