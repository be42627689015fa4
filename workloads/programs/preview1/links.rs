//! Links, hard and symbolic.

use super::*;
use wasi::{
    ERRNO_EXIST, ERRNO_INVAL, ERRNO_LOOP, ERRNO_NOENT, ERRNO_NOTDIR, ERRNO_PERM,
    LOOKUPFLAGS_SYMLINK_FOLLOW as FOLLOW,
};

pub const QUESTIONS: &[Question] = &[
    ("dangling_symlink", dangling_symlink),
    ("nofollow_errors", nofollow_errors),
    ("path_link", path_link),
    ("readlink", readlink),
    ("symlink_create", symlink_create),
    ("symlink_filestat", symlink_filestat),
    ("symlink_loop", symlink_loop),
    ("path_symlink_trailing_slashes", path_symlink_trailing_slashes),
];

fn symlink(dir: Fd, target: &str, path: &str) -> Result<(), Errno> {
    unsafe { wasi::path_symlink(target, dir, path) }
}

fn follow(dir: Fd, path: &str, oflags: wasi::Oflags) -> Result<Fd, Errno> {
    unsafe { wasi::path_open(dir, FOLLOW, path, oflags, wasi::RIGHTS_FD_READ, 0, 0) }
}

fn dangling_symlink(dir: Fd) -> Answer {
    done("link to nothing", symlink(dir, "target", "link"))?;
    refused("open it", open(dir, "link", 0), &[ERRNO_LOOP])?;
    refused(
        "open it as a directory",
        open(dir, "link", wasi::OFLAGS_DIRECTORY),
        &[ERRNO_NOTDIR, ERRNO_LOOP],
    )?;
    refused("follow it", follow(dir, "link", 0), &[ERRNO_NOENT])
}

fn nofollow_errors(dir: Fd) -> Answer {
    file(dir, "target", b"")?;
    done("link to a file", symlink(dir, "target", "link"))?;
    refused("open it without following", open(dir, "link", 0), &[ERRNO_LOOP])?;
    close(done("follow it", follow(dir, "link", 0))?)?;
    refused(
        "remove it as a directory",
        unsafe { wasi::path_remove_directory(dir, "link") },
        &[ERRNO_NOTDIR],
    )?;
    done("unlink it", unsafe { wasi::path_unlink_file(dir, "link") })?;
    close(done("what it led to is still there", open(dir, "target", 0))?)
}

fn path_link(dir: Fd) -> Answer {
    let link = |from: &str, to: &str| unsafe { wasi::path_link(dir, 0, from, dir, to) };
    file(dir, "file", b"x")?;
    done("link", link("file", "other"))?;
    let stat = |path: &str| done("filestat", unsafe { wasi::path_filestat_get(dir, 0, path) });
    same("number of the file", stat("file")?.ino, stat("other")?.ino)?;
    same("links", stat("file")?.nlink, 2)?;
    refused("link over it", link("file", "other"), &[ERRNO_EXIST])?;
    refused("link what is not there", link("absent", "new"), &[ERRNO_NOENT])?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    refused("link a directory", link("a", "new"), &[ERRNO_PERM, wasi::ERRNO_ACCES])?;
    done("link to nothing", symlink(dir, "absent", "dangling"))?;
    done("link a link", link("dangling", "again"))?;
    let followed = unsafe { wasi::path_link(dir, FOLLOW, "dangling", dir, "third") };
    refused("follow a link to nothing", followed, &[ERRNO_NOENT, ERRNO_INVAL])
}

fn readlink(dir: Fd) -> Answer {
    done("link", symlink(dir, "target", "link"))?;
    let read = |len: usize| -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; len];
        let read = unsafe { wasi::path_readlink(dir, "link", bytes.as_mut_ptr(), len) };
        bytes.truncate(done("readlink", read)?);
        Ok(bytes)
    };
    same("target", read(100)?, b"target".to_vec())?;
    same("as much as fits", read(4)?, b"targ".to_vec())?;
    file(dir, "file", b"")?;
    let of_file = unsafe { wasi::path_readlink(dir, "file", [0; 9].as_mut_ptr(), 9) };
    refused("read what is none", of_file, &[ERRNO_INVAL])
}

fn symlink_create(dir: Fd) -> Answer {
    file(dir, "target", b"x")?;
    done("link to a file", symlink(dir, "target", "link"))?;
    let fd = done("follow it", follow(dir, "link", 0))?;
    same("bytes", done("read", read(fd, 1))?, b"x".to_vec())?;
    close(fd)?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    done("link to a directory", symlink(dir, "a", "b"))?;
    file(dir, "b/file", b"")?;
    close(done("open what is behind it", open(dir, "a/file", 0))?)?;
    refused("link over it", symlink(dir, "target", "link"), &[ERRNO_EXIST])
}

fn symlink_filestat(dir: Fd) -> Answer {
    file(dir, "target", b"1234")?;
    done("link", symlink(dir, "target", "link"))?;
    let stat = |flags| done("filestat", unsafe { wasi::path_filestat_get(dir, flags, "link") });
    same("type of the link", stat(0)?.filetype, wasi::FILETYPE_SYMBOLIC_LINK)?;
    same("size of the link", stat(0)?.size, 6)?;
    same("type of the file", stat(FOLLOW)?.filetype, wasi::FILETYPE_REGULAR_FILE)?;
    same("size of the file", stat(FOLLOW)?.size, 4)
}

fn symlink_loop(dir: Fd) -> Answer {
    done("link to itself", symlink(dir, "link", "link"))?;
    refused("open it", open(dir, "link", 0), &[ERRNO_LOOP])?;
    refused("follow it", follow(dir, "link", 0), &[ERRNO_LOOP])
}

fn path_symlink_trailing_slashes(dir: Fd) -> Answer {
    refused(
        "a name with a slash",
        symlink(dir, "source", "target/"),
        &[ERRNO_NOENT, ERRNO_NOTDIR],
    )?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    refused("the name of a directory", symlink(dir, "source", "a/"), &[ERRNO_EXIST])?;
    refused("the same without", symlink(dir, "source", "a"), &[ERRNO_EXIST])
}
