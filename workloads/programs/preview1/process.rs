//! Clocks, chance, arguments, the environment, streams, waiting.

use super::*;
use wasi::{ERRNO_BADF, ERRNO_INVAL};

pub const QUESTIONS: &[Question] = &[
    ("args_get", args_get),
    ("environ_get", environ_get),
    ("big_random_buf", big_random_buf),
    ("clock_time_get", clock_time_get),
    ("sched_yield", sched_yield),
    ("stdio", stdio),
    ("stdio_not_isatty", stdio_not_isatty),
    ("dangling_fd", dangling_fd),
    ("poll_oneoff_timer", poll_oneoff_timer),
    ("poll_oneoff_files", poll_oneoff_files),
    ("poll_oneoff_nothing", poll_oneoff_nothing),
    ("sock_of_no_socket", sock_of_no_socket),
];

fn args_get(_: Fd) -> Answer {
    let (count, len) = done("sizes", unsafe { wasi::args_sizes_get() })?;
    let mut pointers = vec![std::ptr::null_mut(); count];
    let mut bytes = vec![0u8; len];
    done("args_get", unsafe { wasi::args_get(pointers.as_mut_ptr(), bytes.as_mut_ptr()) })?;
    same("first argument", pointers.first().copied(), Some(bytes.as_mut_ptr()))?;
    same("last byte", bytes.last(), Some(&0))?;
    same("zero bytes", bytes.iter().filter(|byte| **byte == 0).count(), count)
}

fn environ_get(_: Fd) -> Answer {
    let (count, len) = done("sizes", unsafe { wasi::environ_sizes_get() })?;
    let mut pointers = vec![std::ptr::null_mut(); count];
    let mut bytes = vec![0u8; len];
    done("environ_get", unsafe { wasi::environ_get(pointers.as_mut_ptr(), bytes.as_mut_ptr()) })?;
    same("zero bytes", bytes.iter().filter(|byte| **byte == 0).count(), count)?;
    same("the variable", std::env::var("ASKED").as_deref(), Ok("yes"))
}

fn big_random_buf(_: Fd) -> Answer {
    let mut bytes = vec![0; 100_000];
    done("random_get", unsafe { wasi::random_get(bytes.as_mut_ptr(), bytes.len()) })?;
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    same("a twentieth is zero", zeros > 5000, false)
}

fn clock_time_get(_: Fd) -> Answer {
    let time = |clock| done("clock_time_get", unsafe { wasi::clock_time_get(clock, 1) });
    let first = time(wasi::CLOCKID_MONOTONIC)?;
    same("the clock goes on", time(wasi::CLOCKID_MONOTONIC)? >= first, true)?;
    let year_2020 = 1_577_836_800_000_000_000;
    same("it is past 2020", time(wasi::CLOCKID_REALTIME)? > year_2020, true)?;
    let resolution =
        done("clock_res_get", unsafe { wasi::clock_res_get(wasi::CLOCKID_MONOTONIC) })?;
    same("a resolution", resolution > 0 && resolution <= 1_000_000_000, true)
}

fn sched_yield(_: Fd) -> Answer {
    done("sched_yield", unsafe { wasi::sched_yield() })
}

fn stdio(_: Fd) -> Answer {
    for fd in 0..3 {
        done("fdstat", unsafe { wasi::fd_fdstat_get(fd) })?;
    }
    same("bytes of nothing", done("read", read(0, 10))?, vec![])?;
    same("bytes written", done("write nothing", write(1, b""))?, 0)
}

fn stdio_not_isatty(_: Fd) -> Answer {
    for fd in 0..3 {
        let stat = done("fdstat", unsafe { wasi::fd_fdstat_get(fd) })?;
        let rights = wasi::RIGHTS_FD_SEEK | wasi::RIGHTS_FD_TELL;
        let is_terminal = stat.fs_filetype == wasi::FILETYPE_CHARACTER_DEVICE
            && stat.fs_rights_base & rights == 0;
        same("is a terminal", is_terminal, false)?;
    }
    Ok(())
}

fn dangling_fd(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", wasi::OFLAGS_CREAT))?;
    close(fd)?;
    refused("close it again", unsafe { wasi::fd_close(fd) }, &[ERRNO_BADF])?;
    refused("read it", read(fd, 1), &[ERRNO_BADF])?;
    refused("a number that never was", read(9999, 1), &[ERRNO_BADF])?;
    // The number is free for another.
    close(done("open again", open(dir, "file", 0))?)
}

fn subscription(
    userdata: u64,
    tag: wasi::Eventtype,
    u: wasi::SubscriptionUU,
) -> wasi::Subscription {
    wasi::Subscription { userdata, u: wasi::SubscriptionU { tag: tag.raw(), u } }
}

fn poll(list: &[wasi::Subscription]) -> Result<Vec<wasi::Event>, Errno> {
    let mut events = Vec::with_capacity(list.len());
    unsafe {
        let count = wasi::poll_oneoff(list.as_ptr(), events.as_mut_ptr(), list.len())?;
        events.set_len(count);
    }
    Ok(events)
}

fn timer(userdata: u64, timeout: u64) -> wasi::Subscription {
    let clock =
        wasi::SubscriptionClock { id: wasi::CLOCKID_MONOTONIC, timeout, precision: 0, flags: 0 };
    subscription(userdata, wasi::EVENTTYPE_CLOCK, wasi::SubscriptionUU { clock })
}

fn poll_oneoff_timer(_: Fd) -> Answer {
    let now = || done("clock", unsafe { wasi::clock_time_get(wasi::CLOCKID_MONOTONIC, 1) });
    let began = now()?;
    let events = done("poll", poll(&[timer(7, 20_000_000)]))?;
    same("events", events.len(), 1)?;
    same("its number", events[0].userdata, 7)?;
    same("its type", events[0].type_, wasi::EVENTTYPE_CLOCK)?;
    same("20 ms have passed", now()? - began >= 20_000_000, true)
}

fn poll_oneoff_files(dir: Fd) -> Answer {
    file(dir, "file", b"abc")?;
    let fd = done("open", open(dir, "file", 0))?;
    let wait = wasi::SubscriptionFdReadwrite { file_descriptor: fd };
    let list = [
        subscription(1, wasi::EVENTTYPE_FD_READ, wasi::SubscriptionUU { fd_read: wait }),
        subscription(2, wasi::EVENTTYPE_FD_WRITE, wasi::SubscriptionUU { fd_write: wait }),
        timer(3, 5_000_000_000),
    ];
    let events = done("poll", poll(&list))?;
    let numbers: Vec<_> = events.iter().map(|event| event.userdata).collect();
    same("a file is ready at once", numbers.contains(&1) && !numbers.contains(&3), true)?;
    close(fd)
}

fn poll_oneoff_nothing(_: Fd) -> Answer {
    refused("wait for nothing", poll(&[]), &[ERRNO_INVAL])
}

fn sock_of_no_socket(dir: Fd) -> Answer {
    let fd = done("make a file", open(dir, "file", wasi::OFLAGS_CREAT))?;
    let by = &[wasi::ERRNO_NOTSOCK, ERRNO_BADF, wasi::ERRNO_NOTSUP, wasi::ERRNO_NOTCAPABLE];
    refused("shut a file down", unsafe { wasi::sock_shutdown(fd, wasi::SDFLAGS_RD) }, by)?;
    refused("accept at a file", unsafe { wasi::sock_accept(fd, 0) }, by)?;
    close(fd)
}
