//! A command, run to its end or to the end of its time, and what it used of the machine.

use crate::cpu::{Usage, of};
use anyhow::{Context, Result, bail};
use std::io::Error;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Status(ExitStatus),
    /// It was killed with all processes that it started and left in its group, as its time was over.
    Late,
}

/// Somebody does not want to wait.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Stop;

/// How often it is looked whether somebody does not want to wait.
const LOOK: Duration = Duration::from_millis(100);

/// What a command used, with all that it started and waited for.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// How it ended.
    pub end: End,
    /// From before its start until it had ended.
    pub real: Duration,
    /// CPU times, faults and switches.
    pub usage: Usage,
    /// The most memory that was resident at any moment, in bytes. Not less than what this process had of its
    /// own when it started the command: the kernel counts from before the command's program is loaded.
    pub peak_bytes: u64,
}

/// Runs `command` for at most `limit`, and is [`Stop`] as soon as `stop` is set. Its standard streams are as the
/// command says. It ends with the thread that runs it, whatever ends that.
pub fn run(command: &mut Command, limit: Duration, stop: &AtomicBool) -> Result<Spent> {
    let command = ends_with_this_thread(command);
    let name = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let pid = child.id() as libc::pid_t;
    let cut = cut(pid, started, limit, stop);
    let real = started.elapsed();
    if !matches!(cut, Ok(None)) {
        // SAFETY: a signal to the group of a child that nobody has waited for, so that it is still its.
        unsafe { libc::kill(-pid, libc::SIGKILL) };
    }
    let (status, usage) = wait(pid)?;
    Ok(Spent {
        end: cut?.unwrap_or(End::Status(ExitStatus::from_raw(status))),
        real,
        usage: of(&usage),
        // In KiB.
        peak_bytes: usage.ru_maxrss as u64 * 1024,
    })
}

/// A command that ends with the thread that starts it, whatever ends that. It gets a group of its own, so that
/// what it starts can be ended with it; a terminal's interrupt does not reach that.
pub fn ends_with_this_thread(command: &mut Command) -> &mut Command {
    let orphaned = || {
        // SAFETY: takes and returns numbers.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
            0 => Ok(()),
            _ => Err(Error::last_os_error()),
        }
    };
    // SAFETY: one system call, which is all that it does between fork and the command's program. With it, std
    // forks instead of sharing this process's memory with the new one, whose peak would begin there.
    unsafe { command.process_group(0).pre_exec(orphaned) }
}

/// Waits until the child has ended, or says why it is to be killed.
fn cut(
    pid: libc::pid_t,
    started: Instant,
    limit: Duration,
    stop: &AtomicBool,
) -> Result<Option<End>> {
    // SAFETY: takes and returns numbers; the descriptor is new, and nobody else's.
    let handle = unsafe {
        let handle = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        if handle < 0 {
            bail!("cannot wait for a process: {}", Error::last_os_error());
        }
        OwnedFd::from_raw_fd(handle as i32)
    };
    loop {
        let left = limit.saturating_sub(started.elapsed()).min(LOOK);
        // Rounded up, so that the time is over when nothing happened.
        let left_ms = left.as_nanos().div_ceil(1_000_000) as i32;
        let mut poll = libc::pollfd { fd: handle.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one structure, which is ours.
        match unsafe { libc::poll(&raw mut poll, 1, left_ms) } {
            0 if started.elapsed() >= limit => return Ok(Some(End::Late)),
            0 if stop.load(Ordering::Relaxed) => return Err(Stop.into()),
            0 => {}
            1.. => return Ok(None),
            _ => {
                let error = Error::last_os_error();
                if error.raw_os_error() != Some(libc::EINTR) {
                    return Err(error).context("cannot wait for a process");
                }
            }
        }
    }
}

/// Reaps the child.
fn wait(pid: libc::pid_t) -> Result<(i32, libc::rusage)> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    let mut status = 0;
    loop {
        // SAFETY: both are ours to write, and the child is nobody else's to wait for.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
        if waited == pid {
            // SAFETY: the kernel filled it, as the result says.
            return Ok((status, unsafe { usage.assume_init() }));
        }
        let error = Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error).context("cannot wait for a process");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Stdio;

    static GOES_ON: AtomicBool = AtomicBool::new(false);

    fn shell(words: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", words]);
        command
    }

    #[test]
    fn tells_how_a_command_ended_and_what_it_used() {
        let minute = Duration::from_secs(60);
        let words = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 7";
        let spent = run(&mut shell(words), minute, &GOES_ON).expect("a shell");
        let End::Status(status) = spent.end else { panic!("{spent:?}") };
        assert_eq!(status.code(), Some(7));
        let cpu = Duration::from_nanos(spent.usage.user_ns + spent.usage.system_ns);
        assert!(cpu > Duration::ZERO && cpu <= spent.real + Duration::from_millis(20), "{spent:?}");
        assert!(spent.peak_bytes > 100_000, "{spent:?}");
        let killed = run(&mut shell("kill -9 $$"), minute, &GOES_ON).expect("a shell");
        assert!(matches!(killed.end, End::Status(status) if status.signal() == Some(9)));
        let absent =
            run(&mut Command::new("./no-such-command"), minute, &GOES_ON).expect_err("absent");
        assert_eq!(absent.to_string(), "cannot start ./no-such-command");
    }

    #[test]
    fn ends_a_command_that_nobody_waits_for() {
        let stop = AtomicBool::new(false);
        let spent = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(200));
                stop.store(true, Ordering::Relaxed);
            });
            run(&mut shell("sleep 1000"), Duration::from_secs(100), &stop)
        });
        assert!(spent.is_err_and(|error| error.is::<Stop>()));
    }

    #[test]
    fn ends_a_command_with_all_that_it_started() {
        let mut command = shell("sleep 1000 & echo $!; wait");
        let folder = std::env::temp_dir().join(format!("lithify-child-{}", std::process::id()));
        let file = fs::File::create(&folder).expect("a file");
        command.stdout(Stdio::from(file));
        let spent = run(&mut command, Duration::from_millis(300), &GOES_ON).expect("a shell");
        assert_eq!(spent.end, End::Late);
        assert!(spent.real >= Duration::from_millis(300), "{spent:?}");
        let below = fs::read_to_string(&folder).expect("written");
        let _ = fs::remove_file(&folder);
        let stat = || fs::read_to_string(format!("/proc/{}/stat", below.trim()));
        // Reaped by whoever took it over, or dead and not reaped yet.
        let is_gone = || stat().map_or(true, |stat| stat.contains(") Z "));
        let began = Instant::now();
        while !is_gone() && began.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        assert!(is_gone(), "{:?}", stat());
    }
}
