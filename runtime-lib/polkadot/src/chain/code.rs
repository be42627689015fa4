//! The code of a runtime as it is stored, perhaps compressed, and the module in it.

use sp_maybe_compressed_blob::CODE_BLOB_BOMB_LIMIT;
use std::borrow::Cow;

/// The first seven bytes of all compressed blobs; the eighth says of what.
pub(crate) const BLOB_MARKER: &[u8] = &[0x52, 0xbc, 0x53, 0x76, 0x46, 0xdb, 0x8e];
/// The eighth byte of compressed code.
const ZSTD_CODE: u8 = 0x05;
/// What a module begins with.
pub(crate) const WASM_MAGIC: &[u8] = b"\0asm";
/// What code for the other virtual machine begins with.
pub(crate) const POLKAVM_MAGIC: &[u8] = b"PVM\0";

/// Why bytes are not the code of a runtime that we run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Code for the other virtual machine.
    #[error("PolkaVM code; only WebAssembly runtimes are supported")]
    PolkaVm,
    /// A component or a text.
    #[error("not a WebAssembly module of version 1: it begins with {}", begin(.0))]
    NotWasm(Vec<u8>),
    /// A blob marker that is reserved for something else.
    #[error("a compressed blob of kind {0:#04x}, which holds no runtime code (that is 0x05)")]
    Marker(u8),
    /// Compressed data that is cut off or damaged, or for which there is no memory: the library does not
    /// tell them apart.
    #[error("the compressed code is cut off or damaged, or there is no memory for it")]
    Damaged,
    /// More than any chain accepts.
    #[error("the code decompresses to more than {} MiB", CODE_BLOB_BOMB_LIMIT >> 20)]
    Bomb,
}

/// The module in code as it is stored, with the bomb limit enforced while it decompresses.
pub fn decompress(code: &[u8]) -> Result<Cow<'_, [u8]>, CodeError> {
    use sp_maybe_compressed_blob::{Error, decompress};

    if let Some([kind, ..]) = code.strip_prefix(BLOB_MARKER)
        && *kind != ZSTD_CODE
    {
        return Err(CodeError::Marker(*kind));
    }
    let wasm = decompress(code, CODE_BLOB_BOMB_LIMIT).map_err(|error| match error {
        Error::PossibleBomb => CodeError::Bomb,
        Error::Invalid => CodeError::Damaged,
    })?;
    if wasm.starts_with(POLKAVM_MAGIC) {
        return Err(CodeError::PolkaVm);
    }
    match wasm.strip_prefix(WASM_MAGIC) {
        Some([1, 0, 0, 0, ..]) => Ok(wasm),
        _ => Err(CodeError::NotWasm(first(&wasm))),
    }
}

/// Whether bytes begin as code of a runtime does that is stored, compressed or not.
pub fn begins_code(bytes: &[u8]) -> bool {
    let compressed = bytes.strip_prefix(BLOB_MARKER);
    bytes.starts_with(WASM_MAGIC) || compressed.is_some_and(|rest| rest.first() == Some(&ZSTD_CODE))
}

/// Its first bytes, for a message.
pub(crate) fn first(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(8)].to_vec()
}

/// Such bytes in words.
pub(crate) fn begin(bytes: &[u8]) -> String {
    match bytes.is_empty() {
        true => "nothing: it is empty".into(),
        false => bytes.iter().map(|byte| format!("{byte:02x} ")).collect::<String>() + "(hex)",
    }
}
