//! The ways to an [`Image`]: a file, bytes (which become a file in memory), and a module that was
//! linked into this program.
//!
//! Here the loader is handed what lies above it: the functions that compiled code calls, and the
//! handler of its faults, without which nothing of it may run.

use crate::call::{fault, libcalls};
use crate::image::check::{self, Trust};
use crate::image::error::ImageError;
use crate::image::imports::Imports;
use crate::image::loaded::Loaded;
use crate::image::{Image, linked, load};
use crate::sys::linux::memfd;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

impl Image {
    /// Loads the image file at `path`. The file must not change while the image is in use:
    /// replace it by renaming another over it.
    pub fn open(path: &Path, imports: &Imports, trust: Trust) -> Result<Self, ImageError> {
        let file = File::open(path)
            .map_err(|source| ImageError::Read { path: path.to_owned(), source })?;
        Self::new(load::file(&file, imports, libcalls::address, trust)?)
    }

    /// Loads the bytes of an image file.
    pub fn from_bytes(bytes: &[u8], imports: &Imports, trust: Trust) -> Result<Self, ImageError> {
        // What is not an image gets its answer before it is copied.
        check::check_for_here(bytes, Trust::SkipHash)?;
        Self::new(load::file(&memfd::sealed(bytes)?, imports, libcalls::address, trust)?)
    }

    /// Takes a module that was linked into this program. The linker has bound its imports.
    ///
    /// # Safety
    ///
    /// `descriptor` is the address of the symbol `lithify_module` of an object that Lithify made,
    /// and every symbol it imports is a function of the type that the module expects, in the
    /// platform's C convention with `base` first.
    pub unsafe fn linked(descriptor: *const u8) -> Result<Self, ImageError> {
        // SAFETY: the caller vouches for all of it.
        Self::new(unsafe { linked::linked(descriptor)? })
    }

    fn new(loaded: Loaded) -> Result<Self, ImageError> {
        fault::install()?;
        Ok(Self(Arc::new(loaded)))
    }
}
