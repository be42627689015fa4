//! Types of both instruction sets.

use std::cell::Cell;
use std::mem::offset_of;

/// The registers that say where a guest was interrupted.
pub struct Registers {
    /// Program counter.
    pub pc: usize,
    /// Frame pointer.
    pub fp: usize,
    /// Stack pointer.
    pub sp: usize,
    /// Link register, where there is one.
    pub link: Option<usize>,
}

/// What `enter` notes of the host's stack before it leaves it. Assembly writes it.
#[repr(C)]
#[derive(Default)]
pub struct SaveArea {
    /// Stack pointer to return to, for `raise`.
    pub host_sp: Cell<usize>,
    /// Frame pointer of `enter`, where the guest's chain of frames ends.
    pub entry_fp: Cell<usize>,
}

const _: () = assert!(offset_of!(SaveArea, host_sp) == 0 && offset_of!(SaveArea, entry_fp) == 8);
