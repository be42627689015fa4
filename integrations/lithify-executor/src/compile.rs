//! Code goes to a worker, an image comes back, within bounds or not at all.

use crate::{options::WorkerLimits, worker};
use std::{
    env,
    io::{self, Read, Write},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The program that compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// This program, started again: its `main` begins with
    /// [`worker::run_if_asked`](crate::worker::run_if_asked).
    This,
    /// Another one that does, as `lithify-executor-worker` beside it.
    File(PathBuf),
}

/// Why there is no image.
#[derive(Debug)]
pub enum Failure {
    /// The code is none that this compiler takes: asking again has no use.
    Refused(String),
    /// Something else went wrong.
    Broken(String),
}

/// How long is waited between two looks at whether a worker is done.
const LOOK: Duration = Duration::from_millis(5);

/// Compiles `code` in a process of its own.
pub fn compile(
    program: &Program,
    limits: &WorkerLimits,
    code: Vec<u8>,
) -> Result<Vec<u8>, Failure> {
    let broken = |error: io::Error| Failure::Broken(format!("cannot start a worker: {error}"));
    let path = match program {
        Program::This => env::current_exe().map_err(broken)?,
        Program::File(path) => path.clone(),
    };
    let mut worker = Command::new(path)
        .env(worker::VARIABLE, worker::variable(limits))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(broken)?;
    // Each of its pipes has a thread, so that none of them can hold up the others.
    let stdin = worker.stdin.take();
    thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(&code)));
    let (image, message) = (read(worker.stdout.take()), read(worker.stderr.take()));
    let status = wait(&mut worker, limits.time)?;
    let image = image.join().unwrap_or_default();
    if status.success() {
        return Ok(image);
    }
    let message = message.join().unwrap_or_default();
    let message = String::from_utf8_lossy(&message).trim().to_owned();
    match status.code() {
        Some(worker::REFUSED) => Err(Failure::Refused(message)),
        _ => Err(Failure::Broken(format!("the worker ended with {status}: {message}"))),
    }
}

fn read<R: Read + Send + 'static>(pipe: Option<R>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What a worker that was stopped has written is not looked at.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// The end of `worker`, by itself or not.
fn wait(worker: &mut Child, time: Duration) -> Result<ExitStatus, Failure> {
    let start = Instant::now();
    let error = loop {
        match worker.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if start.elapsed() < time => thread::sleep(LOOK),
            Ok(None) => break format!("the worker takes longer than the {time:?} that it may"),
            Err(error) => break format!("cannot wait for the worker: {error}"),
        }
    };
    let _ = worker.kill();
    let _ = worker.wait();
    Err(Failure::Broken(error))
}
