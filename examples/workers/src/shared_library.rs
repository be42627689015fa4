//! What an engine compiled to a shared library, opened.

use anyhow::{Context, Result, bail, ensure};
use std::ffi::{CStr, CString, c_void};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// It stays open to the end of the process.
pub struct SharedLibrary(*mut c_void);

impl SharedLibrary {
    /// Opens a file that the suite had an engine of this program make, in a folder of the run.
    pub fn open(path: &Path) -> Result<Self> {
        // A name without a slash would be looked for among the system's.
        let path =
            fs::canonicalize(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: whoever calls a worker vouches for what it compiled.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            // SAFETY: after a failure there is a message, until the next call.
            bail!("{}", unsafe { CStr::from_ptr(libc::dlerror()) }.to_string_lossy());
        }
        Ok(Self(library))
    }

    /// The function of that name.
    ///
    /// # Safety
    ///
    /// It has the type `F`.
    pub unsafe fn function<F: Copy>(&self, name: &CStr) -> Result<F> {
        assert_eq!(size_of::<F>(), size_of::<*mut c_void>(), "a pointer to a function");
        // SAFETY: the library is open.
        let found = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        ensure!(!found.is_null(), "the library has no {name:?}");
        // SAFETY: it is a pointer to a function of that type, as the caller says.
        Ok(unsafe { std::mem::transmute_copy(&found) })
    }
}
