//! Asks an engine for WASI preview 1, function by function, and prints a line for each question: `ok`,
//! or what was wrong. Questions that the official tests (wasi-testsuite) ask have their names.
//!
//! The first directory that the program gets has to be empty. Each question has a directory of its own
//! in it, and leaves it there. With names as arguments only those are asked.

#[path = "capability.rs"]
mod capability;
#[path = "files.rs"]
mod files;
#[path = "links.rs"]
mod links;
#[path = "process.rs"]
mod process;

use std::{env, process::ExitCode};
use wasi::{Errno, Fd, Rights};

/// What a question comes to: nothing to say, or what was wrong.
type Answer = Result<(), String>;
/// A question: its name, and what asks it in an empty directory.
type Question = (&'static str, fn(Fd) -> Answer);

/// The first descriptor behind the standard streams.
const PREOPEN: Fd = 3;

fn main() -> ExitCode {
    let asked: Vec<String> = env::args().skip(1).collect();
    let all = [files::QUESTIONS, links::QUESTIONS, capability::QUESTIONS, process::QUESTIONS];
    let mut wrong = 0;
    for (name, ask) in all.into_iter().flatten() {
        if !asked.is_empty() && !asked.iter().any(|asked| asked == name) {
            continue;
        }
        match directory(name).and_then(ask) {
            Ok(()) => println!("ok    {name}"),
            Err(reason) => {
                wrong += 1;
                println!("wrong {name}: {reason}");
            }
        }
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Makes and opens a directory for a question.
fn directory(name: &str) -> Result<Fd, String> {
    let made = unsafe { wasi::path_create_directory(PREOPEN, name) };
    done("a directory for it", made)?;
    open_directory(PREOPEN, name)
}

const ALL: Rights = wasi::RIGHTS_FD_READ
    | wasi::RIGHTS_FD_WRITE
    | wasi::RIGHTS_FD_SEEK
    | wasi::RIGHTS_FD_TELL
    | wasi::RIGHTS_FD_SYNC
    | wasi::RIGHTS_FD_DATASYNC
    | wasi::RIGHTS_FD_ADVISE
    | wasi::RIGHTS_FD_ALLOCATE
    | wasi::RIGHTS_FD_FDSTAT_SET_FLAGS
    | wasi::RIGHTS_FD_FILESTAT_GET
    | wasi::RIGHTS_FD_FILESTAT_SET_SIZE
    | wasi::RIGHTS_FD_FILESTAT_SET_TIMES
    | wasi::RIGHTS_POLL_FD_READWRITE;

/// Opens, or with `OFLAGS_CREAT` makes, a file to be read and written.
fn open(directory: Fd, path: &str, oflags: wasi::Oflags) -> Result<Fd, Errno> {
    unsafe { wasi::path_open(directory, 0, path, oflags, ALL, 0, 0) }
}

fn open_directory(directory: Fd, path: &str) -> Result<Fd, String> {
    let rights = !(wasi::RIGHTS_FD_SEEK | wasi::RIGHTS_FD_WRITE | wasi::RIGHTS_FD_READ);
    let rights = rights & ((1 << 29) - 1);
    let inheriting = (1 << 29) - 1;
    let opened = unsafe {
        wasi::path_open(directory, 0, path, wasi::OFLAGS_DIRECTORY, rights, inheriting, 0)
    };
    done(&format!("open the directory {path}"), opened)
}

/// Makes a file with these bytes, and closes it.
fn file(directory: Fd, path: &str, bytes: &[u8]) -> Answer {
    let fd = done("make a file", open(directory, path, wasi::OFLAGS_CREAT))?;
    let list = [wasi::Ciovec { buf: bytes.as_ptr(), buf_len: bytes.len() }];
    let written = done("write it", unsafe { wasi::fd_write(fd, &list) })?;
    same("bytes written", written, bytes.len())?;
    close(fd)
}

fn close(fd: Fd) -> Answer {
    done("close", unsafe { wasi::fd_close(fd) })
}

/// Reads up to `len` bytes from where the descriptor stands.
fn read(fd: Fd, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; len];
    let list = [wasi::Iovec { buf: bytes.as_mut_ptr(), buf_len: len }];
    let read = unsafe { wasi::fd_read(fd, &list) }?;
    bytes.truncate(read);
    Ok(bytes)
}

fn write(fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
    let list = [wasi::Ciovec { buf: bytes.as_ptr(), buf_len: bytes.len() }];
    unsafe { wasi::fd_write(fd, &list) }
}

/// What has to succeed.
fn done<T>(what: &str, result: Result<T, Errno>) -> Result<T, String> {
    result.map_err(|errno| format!("{what}: {}", errno.name()))
}

/// What has to fail by one of these.
fn refused<T>(what: &str, result: Result<T, Errno>, by: &[Errno]) -> Answer {
    let wanted = || by.iter().map(|errno| errno.name()).collect::<Vec<_>>().join(" or ");
    match result {
        Err(errno) if by.contains(&errno) => Ok(()),
        Err(errno) => Err(format!("{what}: {} instead of {}", errno.name(), wanted())),
        Ok(_) => Err(format!("{what}: done instead of {}", wanted())),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Answer {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?} instead of {wanted:?}")) }
}
