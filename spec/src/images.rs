//! Images of a script's modules in a folder: made on one machine, run on another one.
//!
//! A file is named by the hash of its module: `HASH.so` is its image, `HASH.invalid` and
//! `HASH.refused` say why there is none.

use crate::{Refusal, script};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

fn path(folder: &Path, wasm: &[u8], extension: &str) -> PathBuf {
    folder.join(format!("{}.{extension}", blake3::hash(wasm).to_hex()))
}

/// Compiles the modules of a script into `folder`.
///
/// # Errors
///
/// When the text is not a script, or a file cannot be written.
pub fn write(
    folder: &Path,
    text: &str,
    compile: impl Fn(&[u8]) -> Result<Vec<u8>, Refusal>,
) -> io::Result<()> {
    for wasm in script::modules(text).map_err(io::Error::other)? {
        let (extension, bytes) = match compile(&wasm) {
            Ok(image) => ("so", image),
            Err(Refusal::Invalid(message)) => ("invalid", message.into_bytes()),
            Err(Refusal::Other(message)) => ("refused", message.into_bytes()),
        };
        fs::write(path(folder, &wasm, extension), bytes)?;
    }
    Ok(())
}

/// What was compiled into `folder`.
pub fn read(folder: &Path, wasm: &[u8]) -> Result<Vec<u8>, Refusal> {
    let message = |extension| fs::read_to_string(path(folder, wasm, extension));
    if let Ok(image) = fs::read(path(folder, wasm, "so")) {
        return Ok(image);
    }
    match message("invalid") {
        Ok(message) => Err(Refusal::Invalid(message)),
        Err(_) => Err(Refusal::Other(message("refused").unwrap_or_else(|error| error.to_string()))),
    }
}
