//! In place of the crate of this name, whose program takes a toolchain for PolkaVM to build: no
//! program. The tests that want it are not run.

/// No program.
pub fn binary() -> &'static [u8] {
    &[]
}
