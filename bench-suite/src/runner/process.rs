//! Runs a worker: a job on its standard input, what it printed in the end.
//!
//! It is the head of a group of processes, so that what it started ends when it does; both are ended where it
//! takes too long, or somebody does not want to wait. The rule not to break: nothing here is awake while a
//! worker measures, but for a look every [`LOOK`].

use super::Runner;
use anyhow::{Context, Result, bail, ensure};
use lithify_measure::child::ends_with_this_thread;
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The most that a worker prints, in bytes; samples take some hundred kilobytes.
const PRINTED: u64 = 256 << 20;
/// What is kept of what it says on standard error, in bytes.
const SAID: u64 = 4 << 10;
/// How often it is looked whether a worker is to end.
const LOOK: Duration = Duration::from_millis(50);

impl Runner<'_> {
    /// Runs a program with that on its standard input, to its end, and returns what it printed. It and
    /// what it started are ended beyond a limit, and where somebody does not want to wait; what it started
    /// and left is ended with it.
    pub(super) fn start(
        &self,
        worker: &[OsString],
        job: &[u8],
        limit: Option<Duration>,
    ) -> Result<String> {
        let (program, arguments) = worker.split_first().context("no worker program")?;
        let shown = Path::new(program).display();
        let mut command = Command::new(program);
        let command = command
            .args(arguments)
            // What a compiler makes on its way goes with the run.
            .env("TMPDIR", self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = ends_with_this_thread(command)
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        let (group, started) = (Pid::from_child(&child), Instant::now());
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
            bail!("the worker {shown} has no input or output");
        };
        let mut is_late = false;
        let (status, stdout, stderr) = thread::scope(|scope| {
            // A worker that died early says why on stderr.
            scope.spawn(move || _ = stdin.write_all(job));
            let (stdout, stderr) = (printed(scope, stdout, PRINTED), said(scope, stderr));
            let (ends, ended) = mpsc::channel();
            // Until it is waited for, the group is none of others.
            scope.spawn(move || {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                _ = retry_on_intr(|| waitid(WaitId::Pid(group), options));
                _ = ends.send(());
            });
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) {
                is_late = limit.is_some_and(|limit| started.elapsed() > limit);
                if is_late || self.observer.stopped() {
                    _ = kill_process_group(group, Signal::KILL);
                }
            }
            _ = kill_process_group(group, Signal::KILL);
            (child.wait(), stdout.join(), stderr.join())
        });
        self.go_on()?;
        let whole = |printed: thread::Result<io::Result<Vec<u8>>>| {
            printed.ok().and_then(io::Result::ok).context("cannot read what the worker prints")
        };
        let status = status.context("cannot wait for the worker")?;
        let (stdout, stderr) = (whole(stdout)?, whole(stderr)?);
        if is_late {
            bail!("did not end in {:.1?}", limit.unwrap_or_default());
        }
        ensure!((stdout.len() as u64) < PRINTED, "prints without end");
        if !status.success() {
            let said = String::from_utf8_lossy(&stderr);
            let said = said.trim().trim_start_matches("Error: ").trim_start_matches("error: ");
            ensure!(!said.is_empty(), "ended with {status}");
            bail!("{said}");
        }
        String::from_utf8(stdout).context("the worker's samples")
    }
}

/// Reads on a thread what is printed, up to so many bytes.
fn printed<'s>(
    scope: &'s thread::Scope<'s, '_>,
    from: impl Read + Send + 's,
    most: u64,
) -> thread::ScopedJoinHandle<'s, io::Result<Vec<u8>>> {
    scope.spawn(move || {
        let mut bytes = Vec::new();
        from.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

/// Reads on a thread all that is said, and keeps the beginning.
fn said<'s>(
    scope: &'s thread::Scope<'s, '_>,
    mut from: impl Read + Send + 's,
) -> thread::ScopedJoinHandle<'s, io::Result<Vec<u8>>> {
    scope.spawn(move || {
        let mut bytes = Vec::new();
        from.by_ref().take(SAID).read_to_end(&mut bytes)?;
        if io::copy(&mut from, &mut io::sink())? > 0 {
            bytes.extend("…".bytes());
        }
        Ok(bytes)
    })
}
