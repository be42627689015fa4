//! Starts workers, adds up what they did, and turns a failure into a case that is kept.

use crate::{
    generate::Generator,
    parsers::Parsers,
    shrink,
    work::{Done, Job, Kind, Line},
};
use anyhow::{Context, Result, bail};
use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

/// The least time that a module gets while a failing one is made smaller.
const MIN_PATIENCE: Duration = Duration::from_secs(2);
/// How often more than the patience that an input needs is waited, as others may be at work, too.
const BUSY: u32 = 5;

/// How a run is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that has `worker` and `replay`, after what starts it, if anything does.
    pub program: Vec<OsString>,
    /// What is fuzzed, and which inputs; shared out among the workers.
    pub job: Job,
    /// When to stop.
    pub time: Duration,
    /// Workers.
    pub jobs: u64,
    /// Where failing inputs are kept.
    pub keep: PathBuf,
}

/// An input that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its number.
    pub number: u64,
    /// What happened.
    pub what: String,
    /// Whether a smaller input that fails in the same way can be looked for.
    pub quick: bool,
}

/// What a worker told, or how it ended.
enum Event {
    Done(Done),
    Found(Finding),
    /// The worker has no more inputs.
    End,
}

/// Runs workers until time or inputs are up, or one finds something. `progress` sees what was
/// covered so far.
pub fn run(plan: &Plan, mut progress: impl FnMut(Done)) -> Result<(Done, Option<Finding>)> {
    let until = Instant::now() + plan.time;
    let (events, inbox) = mpsc::channel();
    let mut covered = Done::default();
    let mut finding = None;
    thread::scope(|scope| -> Result<()> {
        for worker in 0..plan.jobs {
            let mut job = plan.job.clone();
            job.first = job.first.saturating_add(worker);
            job.step = plan.jobs;
            let events = events.clone();
            scope.spawn(move || {
                let end = match attend(&plan.program, &job, until, &events) {
                    Ok(None) => Event::End,
                    Ok(Some(finding)) => Event::Found(finding),
                    Err(error) => Event::Found(Finding {
                        number: job.first,
                        what: format!("the worker: {error:#}"),
                        quick: false,
                    }),
                };
                let _ = events.send(end);
            });
        }
        let mut running = plan.jobs;
        while running > 0 {
            match inbox.recv().context("no worker is left")? {
                Event::Done(done) => {
                    covered += done;
                    progress(covered);
                }
                Event::Found(found) => {
                    finding.get_or_insert(found);
                    running -= 1;
                }
                Event::End => running -= 1,
            }
        }
        Ok(())
    })?;
    Ok((covered, finding))
}

/// The program with its first arguments.
pub(crate) fn command(program: &[OsString]) -> Result<Command> {
    let [program, arguments @ ..] = program else { bail!("no worker program") };
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

/// Starts a worker and listens to it until it ends, fails, hangs, or time is up.
fn attend(
    program: &[OsString],
    job: &Job,
    until: Instant,
    events: &Sender<Event>,
) -> Result<Option<Finding>> {
    let mut child = command(program)?
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start a worker")?;
    let mut stdin = child.stdin.take().context("the worker has no input")?;
    stdin.write_all(&serde_json::to_vec(job)?)?;
    drop(stdin);
    let lines = lines(&mut child)?;
    let mut number = None;
    let mut waited = 0;
    loop {
        let finding = |what, quick| Ok(number.map(|number| Finding { number, what, quick }));
        match lines.recv_timeout(job.kind.patience()) {
            Ok(Line::Start(next)) => {
                number = Some(next);
                waited = 0;
            }
            Ok(Line::Done(done)) => {
                let _ = events.send(Event::Done(done));
                if Instant::now() > until {
                    stop(&mut child);
                    return Ok(None);
                }
            }
            Ok(Line::Found(what)) => {
                stop(&mut child);
                return finding(what, true);
            }
            // A busy machine gives it little of that time.
            Err(RecvTimeoutError::Timeout) if waited < BUSY => waited += 1,
            Err(RecvTimeoutError::Timeout) => {
                stop(&mut child);
                if number.is_none() {
                    bail!("it did not begin within {:?}", job.kind.patience() * (BUSY + 1));
                }
                return finding(
                    format!("no end after {:?}", job.kind.patience() * (BUSY + 1)),
                    false,
                );
            }
            Err(RecvTimeoutError::Disconnected) => {
                let output = child.wait_with_output()?;
                if output.status.success() {
                    return Ok(None);
                }
                let said = String::from_utf8_lossy(&output.stderr);
                let what = format!("{}: {}", output.status, said.trim());
                if number.is_none() {
                    bail!("{what}");
                }
                return finding(what, true);
            }
        }
    }
}

fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The worker's lines, as they come.
fn lines(child: &mut Child) -> Result<mpsc::Receiver<Line>> {
    let stdout = child.stdout.take().context("the worker has no output")?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let line = line.ok().and_then(|line| serde_json::from_str(&line).ok());
            if line.is_none_or(|line| sender.send(line).is_err()) {
                return;
            }
        }
    });
    Ok(lines)
}

/// Makes a failing input again, makes it small where that can be done, and keeps it.
pub fn keep(plan: &Plan, finding: &Finding) -> Result<PathBuf> {
    let Job { kind, seed, runtimes, .. } = &plan.job;
    let name = format!("{seed}-{}", finding.number);
    match kind {
        Kind::Modules => {
            let module = Generator::new(*seed, runtimes)?.module(finding.number);
            let wasm = module.context("the number makes no module")?;
            fs::create_dir_all(&plan.keep)?;
            let path = plan.keep.join(format!(".replay-{}.wasm", std::process::id()));
            let mut replay = Replay { plan, path, patience: kind.patience() };
            let started = Instant::now();
            let ending = replay.run(&wasm)?;
            // A smaller module that takes much longer is another failure: it hangs.
            replay.patience = replay.patience.min(10 * started.elapsed() + MIN_PATIENCE);
            let mut fails = |wasm: &[u8]| Ok(replay.run(wasm)? == ending);
            // What only fails after other modules, or by hanging, stays as it is.
            let wasm = match ending {
                Some(status) if finding.quick && !status.success() => {
                    shrink::shrink(wasm, &mut fails)?
                }
                _ => wasm,
            };
            shrink::keep(&plan.keep, &name, &wasm, &finding.what, fails)
        }
        Kind::Parsers => {
            let (parser, bytes) = Parsers::new(*seed)?.input(finding.number);
            fs::create_dir_all(&plan.keep)?;
            let path = plan.keep.join(format!("{parser}-{name}.bin"));
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        }
    }
}

/// Runs modules in processes of their own, by way of a file.
struct Replay<'p> {
    plan: &'p Plan,
    path: PathBuf,
    /// How long one may take.
    patience: Duration,
}

impl Replay<'_> {
    /// How the process ends; none when it hangs.
    fn run(&self, wasm: &[u8]) -> Result<Option<ExitStatus>> {
        fs::write(&self.path, wasm)?;
        let mut child = command(&self.plan.program)?
            .arg("replay")
            .arg(&self.path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let until = Instant::now() + self.patience;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > until {
                stop(&mut child);
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// What a run makes of a worker that does `script`, and the file it keeps.
    fn check(name: &str, script: &str) -> (Done, Option<Finding>, Option<Vec<u8>>) {
        let folder = std::env::temp_dir().join(format!("lithify-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder can be made");
        let program = folder.join("worker");
        fs::write(&program, format!("#!/bin/sh\ncat > /dev/null\n{script}\n")).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        let job = Job { kind: Kind::Parsers, seed: 1, first: 0, step: 1, end: 9, runtimes: vec![] };
        let time = Duration::from_secs(30);
        let plan =
            Plan { program: vec![program.into()], job, time, jobs: 1, keep: folder.join("cases") };
        let (done, finding) = run(&plan, |_| {}).expect("a run");
        let kept = finding
            .as_ref()
            .map(|finding| fs::read(keep(&plan, finding).expect("kept")).expect("a file"));
        fs::remove_dir_all(folder).expect("the folder is there");
        (done, finding, kept)
    }

    #[test]
    fn ends_of_workers_are_told_apart() {
        let done = r#"echo '{"Start":3}'; echo '{"Done":{"inputs":1,"calls":2,"traps":1,"theirs":0,"runs":3}}'"#;
        let (covered, finding, _) = check("done", done);
        assert_eq!((covered.inputs, covered.runs, finding), (1, 3, None));

        let input = Parsers::new(1).expect("parsers").input(4).1;
        let crash = format!(r#"{done}; echo '{{"Start":4}}'; echo words >&2; kill -ABRT $$"#);
        let (covered, finding, kept) = check("crash", &crash);
        let finding = finding.expect("a finding");
        assert_eq!((covered.inputs, finding.number), (1, 4));
        assert!(
            finding.what.contains("signal: 6") && finding.what.ends_with("words"),
            "{finding:?}"
        );
        assert_eq!(kept, Some(input));

        let found = r#"echo '{"Start":5}'; echo '{"Found":"a difference"}'; sleep 100"#;
        let (_, finding, _) = check("found", found);
        assert_eq!(
            finding.map(|finding| (finding.number, finding.what)),
            Some((5, "a difference".into()))
        );
    }
}
