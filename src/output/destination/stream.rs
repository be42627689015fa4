//! A result that comes piece by piece, over minutes, and is worth keeping when it is cut short.

use super::{Content, Destination, Place, STDOUT, keep_mode, mode, open_other};
use anyhow::Result;
use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

impl Destination {
    /// Begins a result that comes piece by piece. Until [`Stream::finish`] it is in a file of that
    /// name with `.partial` behind it, which an interrupted run leaves.
    pub fn stream(self) -> Result<Stream> {
        let opened = match &self.place {
            Place::Stdout => File::options().write(true).open(STDOUT).map(|file| (file, None)),
            Place::Other(path) => open_other(path).map(|file| (file, None)),
            Place::File { path, old } => {
                let mut partial = path.clone().into_os_string();
                partial.push(".partial");
                let partial = PathBuf::from(partial);
                open_partial(&partial, old.as_ref()).map(|file| (file, Some(partial)))
            }
        };
        match opened {
            Ok((file, partial)) => Ok(Stream { to: self, file: io::BufWriter::new(file), partial }),
            Err(error) => Err(self.explain(error)),
        }
    }
}

/// A result that is being written.
#[derive(Debug)]
pub struct Stream {
    to: Destination,
    file: io::BufWriter<File>,
    partial: Option<PathBuf>,
}

impl Stream {
    /// Writes the next piece.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| self.to.explain(error))
    }

    /// Ends it without: what there is stays under the name of a part.
    pub fn leave(mut self) -> Result<()> {
        self.file.flush().map_err(|error| self.to.explain(error))
    }

    /// Ends it, and gives the file its name.
    pub fn finish(mut self) -> Result<()> {
        let place = match (&self.partial, &self.to.place) {
            (Some(partial), Place::File { path, .. }) => Some((partial, path)),
            _ => None,
        };
        let mut finished = self.file.flush();
        if let Some((partial, path)) = place {
            finished = finished
                .and_then(|()| self.file.get_ref().sync_all())
                .and_then(|()| fs::rename(partial, path));
        }
        finished.map_err(|error| self.to.explain(error))
    }
}

/// Makes the file of a stream, which there may not be yet: it may be somebody's, or an input.
fn open_partial(path: &Path, old: Option<&Metadata>) -> io::Result<File> {
    let made =
        File::options().write(true).create_new(true).mode(mode(old, Content::Text)).open(path);
    let file = made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            let shown = path.display();
            let words =
                format!("{shown} is there: another run writes it, or one left it; remove it");
            io::Error::new(ErrorKind::AlreadyExists, words)
        }
        _ => error,
    })?;
    keep_mode(&file, old)?;
    Ok(file)
}
