//! Remembers that an image was found whole, until its file changes.
//!
//! A mark is a file beside the image that says which file was looked into (device, inode, length, time of
//! change). The system sets the last at every change of the file, of its name or its mode, and nobody
//! else can, so that an image whose mark fits need not be hashed again. The rule not to break: a file
//! that changed less than [`SETTLED`] ago is not marked, since a second change in the same tick of the
//! system's clock would not show.
//!
//! What a mark does not see is a disk that gives other bytes than it was given; `lithify cache verify`
//! looks at the bytes. Its own time of modification is when the image was last used.

use crate::files::{beside, remove};
use std::{
    fs::{self, File, Metadata},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    time::{Duration, SystemTime},
};

/// The end of a mark's name.
pub const WHOLE: &str = ".whole";
/// How long a file has to be as it is before that is remembered.
const SETTLED: Duration = Duration::from_secs(1);

/// The mark of the image at `path`.
pub fn path(path: &Path) -> PathBuf {
    beside(path, WHOLE)
}

/// Whether the image in `file`, which is at `path`, was found whole and has not changed since. Marks it
/// as used now.
pub fn is_whole(path: &Path, file: &Metadata) -> bool {
    let mark = self::path(path);
    let fits = fs::read(&mark).is_ok_and(|said| said == text(file).into_bytes());
    if fits && let Ok(mark) = File::options().append(true).open(&mark) {
        let _ = mark.set_modified(SystemTime::now());
    }
    fits
}

/// Remembers that the image in `file`, which is at `path`, is whole, and was so when it was as `before`.
/// Says whether it could.
pub fn put(path: &Path, file: &File, before: &Metadata) -> bool {
    let Ok(now) = file.metadata() else { return false };
    if text(&now) != text(before) || !is_settled(&now) {
        return false;
    }
    // Others may write the same at this moment.
    let new = beside(path, &format!("{WHOLE}.{}", process::id()));
    let written = remove(&new)
        .and_then(|()| File::options().write(true).create_new(true).mode(0o644).open(&new))
        .and_then(|mut file| file.write_all(text(&now).as_bytes()))
        .and_then(|()| fs::rename(&new, self::path(path)));
    if written.is_err() {
        let _ = remove(&new);
    }
    written.is_ok()
}

/// When the image at `path` was last used, as far as its mark knows.
pub fn used(path: &Path) -> Option<SystemTime> {
    fs::metadata(self::path(path)).and_then(|mark| mark.modified()).ok()
}

/// Whether a file says that it was used just now. To say so again would be a change, after which it has
/// to settle anew.
pub fn was_just_used(file: &Metadata) -> bool {
    file.modified().is_ok_and(|used| used.elapsed().is_ok_and(|ago| ago < SETTLED))
}

fn is_settled(file: &Metadata) -> bool {
    let changed = SystemTime::UNIX_EPOCH
        + Duration::new(file.ctime().max(0) as u64, file.ctime_nsec().max(0) as u32);
    changed.elapsed().is_ok_and(|ago| ago >= SETTLED)
}

fn text(file: &Metadata) -> String {
    let (device, inode, len) = (file.dev(), file.ino(), file.len());
    format!("{device} {inode} {len} {}.{:09}\n", file.ctime(), file.ctime_nsec())
}
