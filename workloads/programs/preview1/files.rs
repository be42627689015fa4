//! Files: reading, writing, seeking, sizes, times, listing, removing.

use super::*;
use wasi::{
    ERRNO_BADF, ERRNO_EXIST, ERRNO_INVAL, ERRNO_ISDIR, ERRNO_NOENT, ERRNO_NOTCAPABLE, ERRNO_NOTDIR,
    ERRNO_NOTEMPTY, ERRNO_PERM, ERRNO_SPIPE, OFLAGS_CREAT, OFLAGS_DIRECTORY, OFLAGS_EXCL,
    OFLAGS_TRUNC,
};

pub const QUESTIONS: &[Question] = &[
    ("file_read_write", file_read_write),
    ("file_pread_pwrite", file_pread_pwrite),
    ("file_seek_tell", file_seek_tell),
    ("file_truncation", file_truncation),
    ("file_allocate", file_allocate),
    ("file_append", file_append),
    ("file_unbuffered_write", file_unbuffered_write),
    ("fd_advise", fd_advise),
    ("fd_filestat_set", fd_filestat_set),
    ("fd_flags_set", fd_flags_set),
    ("fd_readdir", fd_readdir),
    ("fd_fdstat_set_rights", fd_fdstat_set_rights),
    ("fstflags_validate", fstflags_validate),
    ("sync", sync),
    ("renumber", renumber),
    ("dir_fd_op_failures", dir_fd_op_failures),
    ("directory_seek", directory_seek),
    ("path_open_create_existing", path_open_create_existing),
    ("path_open_missing", path_open_missing),
    ("path_open_dirfd_not_dir", path_open_dirfd_not_dir),
    ("path_open_read_write", path_open_read_write),
    ("path_open_lots", path_open_lots),
    ("path_exists", path_exists),
    ("path_filestat", path_filestat),
    ("path_rename", path_rename),
    ("path_rename_trailing_slashes", path_rename_trailing_slashes),
    ("remove_directory", remove_directory),
    ("remove_nonempty_directory", remove_nonempty_directory),
    ("unlink_file_trailing_slashes", unlink_file_trailing_slashes),
    ("regular_file_isatty", regular_file_isatty),
    ("interesting_paths", interesting_paths),
];

fn file_read_write(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    same("bytes written", done("write", write(fd, b"0123"))?, 4)?;
    same("bytes at the end", done("read", read(fd, 4))?, vec![])?;
    done("seek", unsafe { wasi::fd_seek(fd, 1, wasi::WHENCE_SET) })?;
    // Two buffers, the first of which is filled before the second.
    let (mut first, mut second) = ([0; 2], [0; 2]);
    let list = [
        wasi::Iovec { buf: first.as_mut_ptr(), buf_len: 2 },
        wasi::Iovec { buf: second.as_mut_ptr(), buf_len: 2 },
    ];
    let len = done("read into two buffers", unsafe { wasi::fd_read(fd, &list) })?;
    same("read", (len, first), (3, *b"12")).or_else(|_| same("read", (len, first), (2, *b"12")))?;
    close(fd)
}

fn file_pread_pwrite(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    let list = [wasi::Ciovec { buf: b"abcd".as_ptr(), buf_len: 4 }];
    same("bytes written", done("pwrite", unsafe { wasi::fd_pwrite(fd, &list, 2) })?, 4)?;
    same("place", done("tell", unsafe { wasi::fd_tell(fd) })?, 0)?;
    let mut bytes = [1; 6];
    let list = [wasi::Iovec { buf: bytes.as_mut_ptr(), buf_len: 6 }];
    same("bytes read", done("pread", unsafe { wasi::fd_pread(fd, &list, 0) })?, 6)?;
    same("bytes", bytes, *b"\0\0abcd")?;
    same("bytes behind the end", done("pread", unsafe { wasi::fd_pread(fd, &list, 6) })?, 0)?;
    close(fd)
}

fn file_seek_tell(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    let seek = |offset, whence| unsafe { wasi::fd_seek(fd, offset, whence) };
    same("place", done("tell", unsafe { wasi::fd_tell(fd) })?, 0)?;
    done("write", write(fd, &[0; 100]))?;
    same("place", done("tell", unsafe { wasi::fd_tell(fd) })?, 100)?;
    same("place", done("seek", seek(-50, wasi::WHENCE_CUR))?, 50)?;
    same("place", done("seek", seek(0, wasi::WHENCE_SET))?, 0)?;
    same("place", done("seek", seek(-10, wasi::WHENCE_END))?, 90)?;
    same("place", done("seek beyond the end", seek(1000, wasi::WHENCE_CUR))?, 1090)?;
    refused("seek before the beginning", seek(-2000, wasi::WHENCE_CUR), &[ERRNO_INVAL])?;
    close(fd)
}

fn file_truncation(dir: Fd) -> Answer {
    file(dir, "file", b"content")?;
    let fd = done("open it again", open(dir, "file", OFLAGS_TRUNC))?;
    same("bytes left", done("read", read(fd, 10))?, vec![])?;
    close(fd)
}

fn file_allocate(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    let size = || done("filestat", unsafe { wasi::fd_filestat_get(fd) }).map(|stat| stat.size);
    done("allocate", unsafe { wasi::fd_allocate(fd, 0, 100) })?;
    same("size", size()?, 100)?;
    done("allocate less", unsafe { wasi::fd_allocate(fd, 10, 10) })?;
    same("size", size()?, 100)?;
    done("allocate more", unsafe { wasi::fd_allocate(fd, 90, 20) })?;
    same("size", size()?, 110)?;
    close(fd)
}

fn file_append(dir: Fd) -> Answer {
    file(dir, "file", b"one")?;
    let opened = unsafe { wasi::path_open(dir, 0, "file", 0, ALL, 0, wasi::FDFLAGS_APPEND) };
    let fd = done("open it to append", opened)?;
    done("write", write(fd, b"two"))?;
    close(fd)?;
    let fd = done("open", open(dir, "file", 0))?;
    same("bytes", done("read", read(fd, 10))?, b"onetwo".to_vec())?;
    close(fd)
}

fn file_unbuffered_write(dir: Fd) -> Answer {
    let writer = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    let reader = done("open it", open(dir, "file", 0))?;
    done("write", write(writer, &[7]))?;
    same("what another sees", done("read", read(reader, 1))?, vec![7])?;
    close(reader)?;
    close(writer)
}

fn fd_advise(dir: Fd) -> Answer {
    file(dir, "file", &[0; 100])?;
    let fd = done("open", open(dir, "file", 0))?;
    let advise = |advice| unsafe { wasi::fd_advise(fd, 0, 50, advice) };
    done("advise", advise(wasi::ADVICE_WILLNEED))?;
    done("advise", advise(wasi::ADVICE_DONTNEED))?;
    done("advise", advise(wasi::ADVICE_SEQUENTIAL))?;
    let size = done("filestat", unsafe { wasi::fd_filestat_get(fd) })?.size;
    same("size", size, 100)?;
    close(fd)
}

fn fd_filestat_set(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    let stat = || done("filestat", unsafe { wasi::fd_filestat_get(fd) });
    done("set the size", unsafe { wasi::fd_filestat_set_size(fd, 100) })?;
    let first = stat()?;
    same("size", first.size, 100)?;
    same("type", first.filetype, wasi::FILETYPE_REGULAR_FILE)?;
    let set = unsafe { wasi::fd_filestat_set_times(fd, 0, 1_000_000_000, wasi::FSTFLAGS_MTIM) };
    done("set the time", set)?;
    same("time of modification", stat()?.mtim, 1_000_000_000)?;
    same("time of access", stat()?.atim, first.atim)?;
    done("make it shorter", unsafe { wasi::fd_filestat_set_size(fd, 10) })?;
    same("size", stat()?.size, 10)?;
    close(fd)
}

fn fd_flags_set(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    done("write", write(fd, b"aaaa"))?;
    done("seek", unsafe { wasi::fd_seek(fd, 0, wasi::WHENCE_SET) })?;
    done("append", unsafe { wasi::fd_fdstat_set_flags(fd, wasi::FDFLAGS_APPEND) })?;
    let flags = done("fdstat", unsafe { wasi::fd_fdstat_get(fd) })?.fs_flags;
    same("flags", flags, wasi::FDFLAGS_APPEND)?;
    done("write", write(fd, b"bb"))?;
    let size = done("filestat", unsafe { wasi::fd_filestat_get(fd) })?.size;
    same("size", size, 6)?;
    close(fd)
}

/// Names and types in a directory, in the order in which they come, read by `len` bytes at a time.
fn list(dir: Fd, len: usize) -> Result<Vec<(String, wasi::Filetype)>, String> {
    const HEAD: usize = size_of::<wasi::Dirent>();
    let (mut found, mut cookie) = (Vec::new(), 0);
    loop {
        let mut bytes = vec![0; len];
        let read = unsafe { wasi::fd_readdir(dir, bytes.as_mut_ptr(), len, cookie) };
        let read = done("readdir", read)?;
        let mut rest = &bytes[..read];
        let before = cookie;
        while rest.len() >= HEAD {
            let entry = unsafe { rest.as_ptr().cast::<wasi::Dirent>().read_unaligned() };
            let end = HEAD + entry.d_namlen as usize;
            let Some(name) = rest.get(HEAD..end) else { break };
            found.push((String::from_utf8_lossy(name).into_owned(), entry.d_type));
            cookie = entry.d_next;
            rest = &rest[end..];
        }
        if read < len {
            return Ok(found);
        }
        if cookie == before {
            return Err(format!("readdir: no entry fits into {len} bytes"));
        }
    }
}

fn fd_readdir(dir: Fd) -> Answer {
    let empty = list(dir, 1000)?;
    same("an empty directory", empty.len(), 2)?;
    for number in 0..40 {
        file(dir, &format!("file{number}"), b"")?;
    }
    done("make a directory", unsafe { wasi::path_create_directory(dir, "below") })?;
    let mut whole = list(dir, 4096)?;
    whole.sort();
    same("entries", whole.len(), 43)?;
    let of = |name: &str| whole.iter().find(|entry| entry.0 == name).map(|entry| entry.1);
    same(".", of("."), Some(wasi::FILETYPE_DIRECTORY))?;
    same("..", of(".."), Some(wasi::FILETYPE_DIRECTORY))?;
    same("below", of("below"), Some(wasi::FILETYPE_DIRECTORY))?;
    same("file39", of("file39"), Some(wasi::FILETYPE_REGULAR_FILE))?;
    let mut in_parts = list(dir, 100)?;
    in_parts.sort();
    same("the same in parts", in_parts, whole)
}

fn fd_fdstat_set_rights(dir: Fd) -> Answer {
    file(dir, "file", b"text")?;
    let fd = done("open", open(dir, "file", 0))?;
    let less = unsafe { wasi::fd_fdstat_set_rights(fd, wasi::RIGHTS_FD_READ, 0) };
    done("have less rights", less)?;
    let more = unsafe { wasi::fd_fdstat_set_rights(fd, ALL, 0) };
    refused("have more rights", more, &[ERRNO_NOTCAPABLE])?;
    close(fd)
}

fn fstflags_validate(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    let both = wasi::FSTFLAGS_ATIM | wasi::FSTFLAGS_ATIM_NOW;
    let set = unsafe { wasi::fd_filestat_set_times(fd, 100, 200, both) };
    refused("set a time to two", set, &[ERRNO_INVAL])?;
    let both = wasi::FSTFLAGS_MTIM | wasi::FSTFLAGS_MTIM_NOW;
    let set = unsafe { wasi::path_filestat_set_times(dir, 0, "file", 100, 200, both) };
    refused("set a time to two", set, &[ERRNO_INVAL])?;
    close(fd)
}

fn sync(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    done("sync", unsafe { wasi::fd_sync(fd) })?;
    done("datasync", unsafe { wasi::fd_datasync(fd) })?;
    close(fd)
}

fn renumber(dir: Fd) -> Answer {
    file(dir, "one", b"1")?;
    file(dir, "two", b"2")?;
    let one = done("open", open(dir, "one", 0))?;
    let two = done("open", open(dir, "two", 0))?;
    done("renumber", unsafe { wasi::fd_renumber(one, two) })?;
    same("what is there now", done("read", read(two, 1))?, b"1".to_vec())?;
    refused("use the old number", read(one, 1), &[ERRNO_BADF])?;
    close(two)
}

fn dir_fd_op_failures(dir: Fd) -> Answer {
    let by = &[ERRNO_BADF, ERRNO_NOTCAPABLE, ERRNO_ISDIR, ERRNO_INVAL];
    refused("read a directory", read(dir, 1), by)?;
    refused("write a directory", write(dir, b"1"), by)?;
    refused("seek in a directory", unsafe { wasi::fd_seek(dir, 0, wasi::WHENCE_CUR) }, by)?;
    refused("tell in a directory", unsafe { wasi::fd_tell(dir) }, by)?;
    refused("size of a directory", unsafe { wasi::fd_filestat_set_size(dir, 0) }, by)?;
    refused("allocate in a directory", unsafe { wasi::fd_allocate(dir, 0, 1) }, by)
}

fn directory_seek(dir: Fd) -> Answer {
    let stat = done("fdstat", unsafe { wasi::fd_fdstat_get(dir) })?;
    same("type", stat.fs_filetype, wasi::FILETYPE_DIRECTORY)?;
    same("right to seek", stat.fs_rights_base & wasi::RIGHTS_FD_SEEK, 0)
}

fn path_open_create_existing(dir: Fd) -> Answer {
    file(dir, "file", b"")?;
    refused("make it again", open(dir, "file", OFLAGS_CREAT | OFLAGS_EXCL), &[ERRNO_EXIST])
}

fn path_open_missing(dir: Fd) -> Answer {
    refused("open what is not there", open(dir, "file", 0), &[ERRNO_NOENT])?;
    refused("open nothing", open(dir, "", 0), &[ERRNO_NOENT, ERRNO_INVAL])
}

fn path_open_dirfd_not_dir(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    refused("open below a file", open(fd, "foo", OFLAGS_CREAT), &[ERRNO_NOTDIR, ERRNO_BADF])?;
    let as_directory = unsafe { wasi::path_open(dir, 0, "file", OFLAGS_DIRECTORY, 0, 0, 0) };
    refused("open a file as a directory", as_directory, &[ERRNO_NOTDIR])?;
    close(fd)
}

fn path_open_read_write(dir: Fd) -> Answer {
    file(dir, "file", b"x")?;
    let reads = unsafe { wasi::path_open(dir, 0, "file", 0, wasi::RIGHTS_FD_READ, 0, 0) };
    let fd = done("open to read", reads)?;
    refused("write what is open to read", write(fd, b"x"), &[ERRNO_BADF, ERRNO_NOTCAPABLE])?;
    close(fd)?;
    let writes = unsafe { wasi::path_open(dir, 0, "file", 0, wasi::RIGHTS_FD_WRITE, 0, 0) };
    let fd = done("open to write", writes)?;
    refused("read what is open to write", read(fd, 1), &[ERRNO_BADF, ERRNO_NOTCAPABLE])?;
    close(fd)
}

fn path_open_lots(dir: Fd) -> Answer {
    file(dir, "file", b"x")?;
    for _ in 0..2000 {
        let fd = done("open", open(dir, "file", 0))?;
        close(fd)?;
    }
    Ok(())
}

fn path_exists(dir: Fd) -> Answer {
    let stat = |path: &str| unsafe { wasi::path_filestat_get(dir, 0, path) };
    refused("what is not there", stat("file"), &[ERRNO_NOENT])?;
    file(dir, "file", b"")?;
    same("type", done("filestat", stat("file"))?.filetype, wasi::FILETYPE_REGULAR_FILE)?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "below") })?;
    same("type", done("filestat", stat("below"))?.filetype, wasi::FILETYPE_DIRECTORY)?;
    same("type", done("filestat", stat("./below/.."))?.filetype, wasi::FILETYPE_DIRECTORY)
}

fn path_filestat(dir: Fd) -> Answer {
    file(dir, "file", b"1234")?;
    let stat = || done("filestat", unsafe { wasi::path_filestat_get(dir, 0, "file") });
    same("size", stat()?.size, 4)?;
    same("links", stat()?.nlink, 1)?;
    let flags = wasi::FSTFLAGS_MTIM | wasi::FSTFLAGS_ATIM;
    let set = unsafe { wasi::path_filestat_set_times(dir, 0, "file", 1_000, 2_000_000, flags) };
    done("set times", set)?;
    same("time of access", stat()?.atim, 1_000)?;
    same("time of modification", stat()?.mtim, 2_000_000)
}

fn path_rename(dir: Fd) -> Answer {
    let rename = |from: &str, to: &str| unsafe { wasi::path_rename(dir, from, dir, to) };
    file(dir, "file", b"1")?;
    done("rename", rename("file", "other"))?;
    refused("open the old name", open(dir, "file", 0), &[ERRNO_NOENT])?;
    file(dir, "file", b"2")?;
    done("rename over a file", rename("file", "other"))?;
    let fd = done("open", open(dir, "other", 0))?;
    same("bytes", done("read", read(fd, 1))?, b"2".to_vec())?;
    close(fd)?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    done("rename a directory", rename("a", "b"))?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    done("rename over an empty directory", rename("a", "b"))?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    file(dir, "b/file", b"")?;
    refused("rename over a full directory", rename("a", "b"), &[ERRNO_NOTEMPTY, ERRNO_EXIST])?;
    refused("rename a directory over a file", rename("a", "other"), &[ERRNO_NOTDIR])?;
    refused("rename a file over a directory", rename("other", "a"), &[ERRNO_ISDIR])
}

fn path_rename_trailing_slashes(dir: Fd) -> Answer {
    let rename = |from: &str, to: &str| unsafe { wasi::path_rename(dir, from, dir, to) };
    file(dir, "file", b"1")?;
    refused("a file with a slash", rename("file/", "other"), &[ERRNO_NOTDIR])?;
    refused("to a name with a slash", rename("file", "other/"), &[ERRNO_NOTDIR, ERRNO_NOENT])?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    done("a directory with a slash", rename("a/", "b/"))
}

fn remove_directory(dir: Fd) -> Answer {
    let remove = |path: &str| unsafe { wasi::path_remove_directory(dir, path) };
    refused("what is not there", remove("a"), &[ERRNO_NOENT])?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    done("remove it with a slash", remove("a/"))?;
    file(dir, "file", b"")?;
    refused("remove a file", remove("file"), &[ERRNO_NOTDIR])
}

fn remove_nonempty_directory(dir: Fd) -> Answer {
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    file(dir, "a/file", b"")?;
    let remove = || unsafe { wasi::path_remove_directory(dir, "a") };
    refused("remove a full one", remove(), &[ERRNO_NOTEMPTY, ERRNO_EXIST])?;
    done("remove the file", unsafe { wasi::path_unlink_file(dir, "a/file") })?;
    done("remove it", remove())
}

fn unlink_file_trailing_slashes(dir: Fd) -> Answer {
    let unlink = |path: &str| unsafe { wasi::path_unlink_file(dir, path) };
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    refused("unlink a directory", unlink("a"), &[ERRNO_ISDIR, ERRNO_PERM])?;
    refused("unlink it with a slash", unlink("a/"), &[ERRNO_ISDIR, ERRNO_PERM, ERRNO_NOTDIR])?;
    file(dir, "file", b"")?;
    refused("unlink a file with a slash", unlink("file/"), &[ERRNO_NOTDIR])?;
    done("unlink it", unlink("file"))
}

fn regular_file_isatty(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", OFLAGS_CREAT))?;
    let stat = done("fdstat", unsafe { wasi::fd_fdstat_get(fd) })?;
    same("type", stat.fs_filetype, wasi::FILETYPE_REGULAR_FILE)?;
    close(fd)?;
    let pipes = [ERRNO_BADF, ERRNO_SPIPE];
    refused("a closed one", unsafe { wasi::fd_fdstat_get(fd) }, &pipes)
}

fn interesting_paths(dir: Fd) -> Answer {
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a/b") })?;
    file(dir, "a/b/file", b"")?;
    for path in ["a/b/file", "a//b/./file", "./a/../a/b/file", "a/b/../../a/b/file"] {
        close(done(path, open(dir, path, 0))?)?;
    }
    refused("a slash behind a file", open(dir, "a/b/file/", 0), &[ERRNO_NOTDIR, ERRNO_NOENT])?;
    refused("a zero byte", open(dir, "a/b\0/file", 0), &[ERRNO_INVAL, wasi::ERRNO_ILSEQ])?;
    let long = "x".repeat(5000);
    refused("a long name", open(dir, &long, 0), &[wasi::ERRNO_NAMETOOLONG])
}
