//! Loads an image from where it is, for the commands that run guests.

use crate::store::ImageSource;
use lithify_polkadot::native::{self, Runtime, RuntimeError, RuntimeOptions};
use lithify_runtime::{Image, ImageError, Imports, Trust};

impl ImageSource {
    /// Loads it, bound to `imports`.
    pub fn open(&self, imports: &Imports) -> Result<Image, ImageError> {
        match self {
            Self::File(path) => Image::open(path, imports, Trust::Verify),
            Self::Bytes(bytes) => Image::from_bytes(bytes, imports, Trust::Verify),
        }
    }

    /// Loads it, bound to a chain's host.
    pub fn load(&self, options: &RuntimeOptions) -> Result<Runtime, RuntimeError> {
        Runtime::new(&self.open(&native::imports(options.host, options.trap_missing))?, options)
    }
}
