//! A chain at one block: its state, its code's version, and blocks to be executed on it.

pub mod block;
pub mod code;
mod room;
pub mod state;
pub mod version;
