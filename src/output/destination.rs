//! Turns the name that somebody gave for a result into the place where it goes, before the work, and
//! writes it there, after.
//!
//! A regular file is replaced as a whole or not at all, with its mode kept, wherever a symbolic link
//! to it leads: whoever looks finds the old contents or the new ones, and two writers at once leave
//! those of one of them. What exists and is no regular file, a device or a pipe, is written to. The
//! input of a command is never its output.
//!
//! The bytes come together in a file without a name, which the system takes back with the process, so
//! that one that is killed leaves nothing. Only between link and rename, for microseconds, it is
//! called `.lithify-` and six letters.

#[cfg(feature = "bench")]
mod stream;

#[cfg(feature = "bench")]
pub use stream::Stream;

use crate::status::Usage;
use anyhow::{Context, Result, bail};
use rustix::{
    fs::{Access, AtFlags, CWD, Mode, OFlags, access, linkat, openat},
    io::Errno,
};
use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, ErrorKind, IsTerminal, Write},
    os::{
        fd::AsRawFd,
        unix::{
            ffi::OsStrExt,
            fs::{MetadataExt, PermissionsExt, fchown},
        },
    },
    path::{Path, PathBuf},
};

const STDOUT: &str = "/proc/self/fd/1";
const STDIN: &str = "/proc/self/fd/0";

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Lines for people.
    Text,
    /// Bytes that a terminal would obey rather than show.
    Binary,
    /// The same, of a file that can be started.
    #[cfg(feature = "wasi")]
    Executable,
}

impl Content {
    /// The mode of a new file, before the umask.
    fn mode(self) -> u32 {
        match self {
            Self::Text | Self::Binary => 0o666,
            #[cfg(feature = "wasi")]
            Self::Executable => 0o777,
        }
    }
}

/// A place for a result.
#[derive(Debug)]
pub struct Destination {
    /// The name that was given.
    name: PathBuf,
    place: Place,
    content: Content,
}

#[derive(Debug)]
enum Place {
    /// Standard output, by `-` or by a name of the system's for it.
    Stdout,
    /// A regular file, or nothing yet, with all symbolic links followed.
    File { path: PathBuf, old: Option<Metadata> },
    /// What exists and is no regular file.
    Other(PathBuf),
}

impl Destination {
    /// Finds out whether a result can be written as `name`, which is `-` for standard output. No
    /// file among `inputs` may be it.
    pub fn open(name: &Path, content: Content, inputs: &[&Path]) -> Result<Self> {
        let shown = name.display();
        let found = match fs::metadata(name) {
            _ if name == Path::new("-") => None,
            Ok(found) if found.is_dir() => {
                bail!(Usage(format!("{shown} is a folder; give the name of a file in it")))
            }
            Ok(found) => Some(found),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).context(format!("cannot write {shown}")),
        };
        if let Some(found) = found.as_ref().filter(|found| found.is_file()) {
            refuse_input(name, found, inputs)?;
        }
        let place = place(name, found).with_context(|| format!("cannot write {shown}"))?;
        let this = Self { name: name.to_owned(), place, content };
        if content != Content::Text && this.is_terminal() {
            bail!(Usage("bytes are not for a terminal; give -o FILE, or a pipe".into()));
        }
        Ok(this)
    }

    /// Whether the result goes to standard output, which then has nothing else.
    pub fn is_stdout(&self) -> bool {
        matches!(self.place, Place::Stdout)
    }

    /// Whether both are one regular file, by whatever names and links.
    pub fn is_the_file_of(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::File { path, .. }, Place::File { path: other, .. }) => {
                let folders = [path, other].map(|path| fs::canonicalize(folder(path)).ok());
                path.file_name() == other.file_name() && folders[0] == folders[1]
            }
            _ => false,
        }
    }

    /// Whether it is a regular file that has these bytes already.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        match &self.place {
            Place::File { path, old: Some(old) } if old.len() == bytes.len() as u64 => {
                fs::read(path).is_ok_and(|old| old == bytes)
            }
            _ => false,
        }
    }

    /// The name that was given.
    pub fn name(&self) -> &Path {
        &self.name
    }

    fn is_terminal(&self) -> bool {
        match &self.place {
            Place::Stdout => io::stdout().is_terminal(),
            // A pipe would be waited for.
            Place::Other(path) if is_character_device(path) => {
                File::options().write(true).open(path).is_ok_and(|file| file.is_terminal())
            }
            _ => false,
        }
    }

    /// Writes all of it.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        let written = match &self.place {
            Place::Stdout => return super::stdout(bytes),
            Place::File { path, old } => replace(path, old.as_ref(), self.content, bytes),
            Place::Other(path) => open_other(path).and_then(|mut file| file.write_all(bytes)),
        };
        written.map_err(|error| self.explain(error))
    }

    fn explain(&self, error: io::Error) -> anyhow::Error {
        // What a library adds is the name of a file that is gone.
        let code = error.get_ref().and_then(|inner| inner.source()?.downcast_ref::<io::Error>());
        let error = match code.and_then(io::Error::raw_os_error) {
            Some(code) => io::Error::from_raw_os_error(code),
            None => error,
        };
        let way_out = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room, or write elsewhere",
            ErrorKind::FileTooLarge => "; raise the limit on the size of files (`ulimit -f`)",
            _ => "",
        };
        anyhow::Error::new(error).context(format!("cannot write {}{way_out}", self.name.display()))
    }
}

/// Refuses to write to what is read.
fn refuse_input(name: &Path, found: &Metadata, inputs: &[&Path]) -> Result<()> {
    let shown = name.display();
    for input in inputs {
        let path = if *input == Path::new("-") { Path::new(STDIN) } else { *input };
        let Ok(read) = fs::metadata(path) else { continue };
        if read.is_dir() && fs::canonicalize(name)?.starts_with(fs::canonicalize(path)?) {
            let folder = input.display();
            bail!(Usage(format!("{shown} is in {folder}, which is read; write it elsewhere")));
        }
        if is_same(&read, found) {
            let what = match input.to_str() {
                _ if *input == name => "the input".into(),
                Some("-") => "standard input".into(),
                _ => format!("{}, the input", input.display()),
            };
            bail!(Usage(format!("{shown} is {what}, and would be overwritten; give another -o")));
        }
    }
    Ok(())
}

fn is_same(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

fn is_character_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|found| found.file_type().is_char_device())
}

/// Where `name` leads. What it is already must be writable, and so must the folder of a file.
fn place(name: &Path, found: Option<Metadata>) -> io::Result<Place> {
    if name == Path::new("-") {
        return Ok(Place::Stdout);
    }
    if name.as_os_str().as_bytes().ends_with(b"/") {
        return Err(io::Error::new(ErrorKind::NotFound, "there is no such folder"));
    }
    let path = follow(name)?;
    if found.is_some() {
        access(&path, Access::WRITE_OK)?;
    }
    match found {
        Some(found) if path.starts_with("/proc") || !found.is_file() => {
            let stdout = fs::metadata(STDOUT).is_ok_and(|stdout| is_same(&stdout, &found));
            Ok(if stdout && path.starts_with("/proc") { Place::Stdout } else { Place::Other(path) })
        }
        old => {
            let folder = folder(&path);
            access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
                let error = io::Error::from(error);
                io::Error::new(error.kind(), format!("the folder {}: {error}", folder.display()))
            })?;
            Ok(Place::File { path, old })
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path with its symbolic links followed, also that of what does not exist yet. Those of the
/// kernel below `/proc` are files themselves: of an open one, which may have no path.
fn follow(name: &Path) -> io::Result<PathBuf> {
    let mut path = name.to_owned();
    for _ in 0..40 {
        let folder = fs::canonicalize(folder(&path)).map_err(|error| {
            io::Error::new(error.kind(), format!("the folder {}: {error}", folder(&path).display()))
        })?;
        path = folder.join(path.file_name().ok_or(ErrorKind::InvalidInput)?);
        match fs::read_link(&path) {
            Ok(target) if !folder.starts_with("/proc") => path = folder.join(target),
            _ => return Ok(path),
        }
    }
    Err(Errno::LOOP.into())
}

fn open_other(path: &Path) -> io::Result<File> {
    File::options().write(true).truncate(true).open(path)
}

/// Replaces the file at `path`, or makes it.
fn replace(path: &Path, old: Option<&Metadata>, content: Content, bytes: &[u8]) -> io::Result<()> {
    let mode = mode(old, content);
    let fill = |mut file: &File| {
        file.write_all(bytes)?;
        keep_mode(file, old)?;
        file.sync_all()
    };
    let folder = folder(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lithify-");
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let named = match openat(CWD, folder, flags, Mode::from_raw_mode(mode)) {
        Ok(fd) => {
            let file = File::from(fd);
            fill(&file)?;
            let open = format!("/proc/self/fd/{}", file.as_raw_fd());
            let link = |name: &Path| Ok(linkat(CWD, &open, CWD, name, AtFlags::SYMLINK_FOLLOW)?);
            builder.make_in(folder, link)?.into_temp_path()
        }
        // A file system that has no files without a name.
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => {
            let file = builder.permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
            fill(file.as_file())?;
            file.into_temp_path()
        }
        Err(error) => return Err(error.into()),
    };
    named.persist(path).map_err(|error| error.error)
}

/// The mode of the file that is replaced; else what the umask leaves of this.
fn mode(old: Option<&Metadata>, content: Content) -> u32 {
    old.map_or(content.mode(), |old| old.mode() & 0o777)
}

fn keep_mode(file: &File, old: Option<&Metadata>) -> io::Result<()> {
    let Some(old) = old else { return Ok(()) };
    file.set_permissions(Permissions::from_mode(old.mode() & 0o777))?;
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Only root may give files away; whoever else may write here owns what he writes.
        let _ = fchown(file, Some(old.uid()), Some(old.gid()));
    }
    Ok(())
}
