//! A directory is a capability: nothing outside of it is there for who has it, by no function that
//! takes a path, whether the path goes up, is absolute, or leads through a link.

use super::*;
use wasi::{ERRNO_NOENT, ERRNO_NOTCAPABLE, ERRNO_PERM, LOOKUPFLAGS_SYMLINK_FOLLOW as FOLLOW};

pub const QUESTIONS: &[Question] = &[
    ("preopen", preopen),
    ("close_preopen", close_preopen),
    ("outside_by_dots", outside_by_dots),
    ("outside_by_absolute_path", outside_by_absolute_path),
    ("outside_by_symlink", outside_by_symlink),
    ("outside_by_rename_and_link", outside_by_rename_and_link),
    ("rights_are_not_gained", rights_are_not_gained),
];

const OUTSIDE: &[Errno] = &[ERRNO_NOTCAPABLE, ERRNO_PERM];

fn preopen(_: Fd) -> Answer {
    let stat = done("prestat", unsafe { wasi::fd_prestat_get(PREOPEN) })?;
    let len = unsafe { stat.u.dir.pr_name_len };
    let mut name = vec![0; len];
    let named = unsafe { wasi::fd_prestat_dir_name(PREOPEN, name.as_mut_ptr(), len) };
    done("name", named)?;
    same("name", name.is_empty(), false)?;
    let short = unsafe { wasi::fd_prestat_dir_name(PREOPEN, name.as_mut_ptr(), len - 1) };
    refused("too short a buffer", short, &[wasi::ERRNO_NAMETOOLONG])?;
    refused(
        "no directory",
        unsafe { wasi::fd_prestat_get(0) },
        &[wasi::ERRNO_BADF, wasi::ERRNO_NOTSUP],
    )
}

fn close_preopen(dir: Fd) -> Answer {
    // One that was opened is no less a directory when its number is that of another.
    let again = open_directory(dir, ".")?;
    let other = open_directory(dir, ".")?;
    done("renumber", unsafe { wasi::fd_renumber(again, other) })?;
    file(other, "file", b"")?;
    close(other)?;
    refused("use a closed one", open(other, "file", 0), &[wasi::ERRNO_BADF])
}

/// Asks all functions that take a path.
fn everything(dir: Fd, path: &str) -> Answer {
    let is = |what: &str| format!("{what} {path}");
    file(dir, "own", b"")?;
    refused(&is("open"), open(dir, path, 0), OUTSIDE)?;
    refused(&is("make"), open(dir, path, wasi::OFLAGS_CREAT), OUTSIDE)?;
    let directory = unsafe { wasi::path_open(dir, FOLLOW, path, wasi::OFLAGS_DIRECTORY, 0, 0, 0) };
    refused(&is("open a directory"), directory, OUTSIDE)?;
    refused(&is("filestat"), unsafe { wasi::path_filestat_get(dir, FOLLOW, path) }, OUTSIDE)?;
    let times =
        unsafe { wasi::path_filestat_set_times(dir, FOLLOW, path, 0, 0, wasi::FSTFLAGS_MTIM) };
    refused(&is("set times of"), times, OUTSIDE)?;
    refused(&is("make a directory"), unsafe { wasi::path_create_directory(dir, path) }, OUTSIDE)?;
    refused(&is("remove"), unsafe { wasi::path_remove_directory(dir, path) }, OUTSIDE)?;
    refused(&is("unlink"), unsafe { wasi::path_unlink_file(dir, path) }, OUTSIDE)?;
    let read = unsafe { wasi::path_readlink(dir, path, [0; 9].as_mut_ptr(), 9) };
    refused(&is("readlink"), read, OUTSIDE)?;
    refused(&is("link at"), unsafe { wasi::path_symlink("own", dir, path) }, OUTSIDE)?;
    refused(&is("link to"), unsafe { wasi::path_link(dir, 0, path, dir, "new") }, OUTSIDE)?;
    refused(&is("link as"), unsafe { wasi::path_link(dir, 0, "own", dir, path) }, OUTSIDE)?;
    refused(&is("rename"), unsafe { wasi::path_rename(dir, path, dir, "new") }, OUTSIDE)?;
    refused(&is("rename to"), unsafe { wasi::path_rename(dir, "own", dir, path) }, OUTSIDE)
}

fn outside_by_dots(dir: Fd) -> Answer {
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    for path in ["../x", "./../x", "a/../../x", "../outside_by_dots/x", "a/../../../x"] {
        everything(dir, path)?;
    }
    Ok(())
}

fn outside_by_absolute_path(dir: Fd) -> Answer {
    for path in ["/x", "/etc/passwd", "//etc/passwd", "/proc/self/environ"] {
        everything(dir, path)?;
    }
    Ok(())
}

fn outside_by_symlink(dir: Fd) -> Answer {
    // A link that leads outside may be refused when it is made, or when it is followed.
    for (name, target) in [("up", ".."), ("root", "/"), ("file", "../../../../../etc/passwd")] {
        if unsafe { wasi::path_symlink(target, dir, name) }.is_err() {
            continue;
        }
        let through = format!("{name}/etc/passwd");
        let opened = unsafe { wasi::path_open(dir, FOLLOW, name, 0, wasi::RIGHTS_FD_READ, 0, 0) };
        refused(name, opened, OUTSIDE)?;
        if name != "file" {
            refused(&through, open(dir, &through, 0), OUTSIDE)?;
            let made = unsafe { wasi::path_create_directory(dir, &format!("{name}/new")) };
            refused(&through, made, OUTSIDE)?;
        }
        let stat = unsafe { wasi::path_filestat_get(dir, FOLLOW, name) };
        refused(name, stat, OUTSIDE)?;
    }
    Ok(())
}

fn outside_by_rename_and_link(dir: Fd) -> Answer {
    // A link that leads nowhere until the directory that it is in is moved.
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a/b") })?;
    done("link", unsafe { wasi::path_symlink("../..", dir, "a/b/link") })?;
    done("move it up", unsafe { wasi::path_rename(dir, "a/b", dir, "b") })?;
    let opened = unsafe {
        wasi::path_open(
            dir,
            FOLLOW,
            "b/link",
            wasi::OFLAGS_DIRECTORY,
            wasi::RIGHTS_FD_READDIR,
            0,
            0,
        )
    };
    refused("follow it", opened, OUTSIDE)?;
    refused("go through it", open(dir, "b/link/x", wasi::OFLAGS_CREAT), OUTSIDE)
}

fn rights_are_not_gained(dir: Fd) -> Answer {
    done("make a directory", unsafe { wasi::path_create_directory(dir, "a") })?;
    file(dir, "a/file", b"x")?;
    let rights = wasi::RIGHTS_PATH_OPEN;
    let opened = unsafe {
        wasi::path_open(dir, 0, "a", wasi::OFLAGS_DIRECTORY, rights, wasi::RIGHTS_FD_READ, 0)
    };
    let reads = done("open a directory to read in it", opened)?;
    let written = open(reads, "new", wasi::OFLAGS_CREAT);
    refused("make a file in it", written, &[ERRNO_NOTCAPABLE, ERRNO_PERM, ERRNO_NOENT])?;
    close(reads)
}
