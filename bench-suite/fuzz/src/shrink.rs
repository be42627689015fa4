//! Makes a failing module small, and keeps it.

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};
use wasm_shrink::WasmShrink;

/// Attempts in a row that may fail before a module counts as small.
const ATTEMPTS: u32 = 300;

/// The smallest module found for which `fails` still holds.
pub fn shrink(wasm: Vec<u8>, fails: impl FnMut(&[u8]) -> Result<bool>) -> Result<Vec<u8>> {
    let shrink = WasmShrink::default().attempts(ATTEMPTS);
    Ok(shrink.run(wasm, fails)?.output)
}

/// Writes a module with the reason it is kept: as text, if `fails` still holds for what the text
/// says, or else as bytes.
pub fn keep(
    folder: &Path,
    name: &str,
    wasm: &[u8],
    why: &str,
    mut fails: impl FnMut(&[u8]) -> Result<bool>,
) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let text = wasmprinter::print_bytes(wasm).ok();
    let bytes = text.as_ref().and_then(|text| wat::parse_str(text).ok());
    let (extension, contents) = match (text, bytes) {
        (Some(text), Some(bytes)) if fails(&bytes)? => {
            let why: String = why.lines().map(|line| format!(";; {line}\n")).collect();
            ("wat", (why + &text).into_bytes())
        }
        _ => ("wasm", wasm.to_vec()),
    };
    let path = folder.join(format!("{name}.{extension}"));
    fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
