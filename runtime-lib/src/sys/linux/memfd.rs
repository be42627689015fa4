//! Files that live in memory.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};

/// A file with these bytes, under no name and unchangeable from now on.
pub fn sealed(bytes: &[u8]) -> io::Result<File> {
    sealed_parts([bytes])
}

/// The same with these bytes one behind the other.
pub fn sealed_parts<'b>(parts: impl IntoIterator<Item = &'b [u8]>) -> io::Result<File> {
    // SAFETY: the name is a C string; the call has no other precondition.
    let fd = unsafe {
        libc::memfd_create(c"lithify".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    let mut file = unsafe { File::from_raw_fd(fd) };
    parts.into_iter().try_for_each(|bytes| file.write_all(bytes))?;
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: the descriptor is open; sealing touches no memory of ours.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } {
        0 => Ok(file),
        _ => Err(io::Error::last_os_error()),
    }
}
