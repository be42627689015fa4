//! Writes files whole or not at all, and results to standard output.

use anyhow::{Context, Result};
use std::{io::Write, path::Path};

/// Writes `bytes` to `path` by a temporary file beside it and a rename, so that nobody ever sees
/// a part of it and two writers at once leave one of the two. `-` is standard output.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if path == Path::new("-") {
        return Ok(std::io::stdout().write_all(bytes)?);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = tempfile::Builder::new()
        .prefix(".lithify-")
        .permissions(permissions())
        .tempfile_in(folder)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|e| e.error)
        });
    written.map(drop).with_context(|| format!("cannot write {}", path.display()))
}

fn permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}

/// Writes one line of results.
pub fn line(text: impl std::fmt::Display) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// Whether the reader of our output went away, which is no failure.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A size for people.
pub fn size(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        _ => format!("{:.2} MB", bytes as f64 / 1e6),
    }
}
