//! Measures one cell: checks what the program does, then times it, counts its system calls, and looks at sizes.
//!
//! Times are of an execution whose output goes to `/dev/null`, one after the other; the output is compared in an
//! execution of its own before, and a cell whose output is wrong has no times.

use super::engine::{Engine, Found, Guest, Mode, on_path};
use super::file::{Cell, Study};
use super::record::{Execution, Measured, Outcome, Record, Traced};
use super::syscalls;
use crate::machine::{self, Machine};
use crate::program::{Prepared, Run};
use crate::scratch::Scratch;
use anyhow::{Context, Result, bail};
use lithify_measure::child::{End, Spent, run};
use object::{Object, ObjectSection, SectionKind};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Fewer executions than this make no row.
const LEAST: usize = 3;
/// A cell's share of its time that goes to compiling, at most.
const COMPILE_SHARE: f64 = 0.25;
/// Compilations of a cell, at most.
const COMPILES: u32 = 5;

/// Measures `cell`. What is wrong with engine or program is in the record; an error is trouble here, or
/// [`Stop`](crate::Stop) as `stop` was set.
pub fn measure(study: &Study, cell: &Cell, stop: &AtomicBool) -> Result<Record> {
    let engine = Engine::named(&cell.engine).context("a study's engines are known")?;
    let compiler = study.compiler(&cell.compiler)?;
    let found = engine.find();
    let program = study.program(&cell.program)?.built(compiler);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut record = Record {
        study: study.name.clone(),
        cell: cell.clone(),
        language: compiler.language.clone(),
        compiler: compiler.version.clone(),
        flags: compiler.flags.clone(),
        mode: engine.mode,
        version: found.as_ref().ok().map(|found| found.version.clone()),
        machine: Machine::here(),
        emulated: machine::is_emulated(),
        started,
        program_hash: String::new(),
        outcome: Outcome::Absent { reason: String::new() },
    };
    record.outcome = match (found, program) {
        (Err(reason), _) => Outcome::Absent { reason },
        (_, Err(error)) => Outcome::Absent { reason: format!("{error:#}") },
        (Ok(found), Ok(path)) => {
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            record.program_hash = blake3::hash(&bytes).to_hex().to_string();
            Bench::new(study, cell, engine, found, &path, stop)?.outcome(&bytes)?
        }
    };
    Ok(record)
}

/// Why a cell ends early.
enum Stopped {
    /// It is said in the record.
    With(Outcome),
    /// It is trouble of ours.
    Trouble(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

struct Bench<'s> {
    study: &'s Study,
    engine: &'static Engine,
    found: Found,
    run: &'s Run,
    /// What is measured: the module or executable.
    path: PathBuf,
    prepared: Prepared,
    /// All files of the cell; the program's are in the folder `run` of it.
    scratch: Scratch,
    limit: Duration,
    until: Instant,
    stop: &'s AtomicBool,
}

impl<'s> Bench<'s> {
    fn new(
        study: &'s Study,
        cell: &Cell,
        engine: &'static Engine,
        found: Found,
        path: &Path,
        stop: &'s AtomicBool,
    ) -> Result<Self> {
        let program = study.program(&cell.program)?;
        let run = program.runs.iter().find(|run| run.name == cell.run);
        let run = run.context("a study's runs are the program's")?;
        let scratch = Scratch::new()?;
        let folder = scratch.path().join("run");
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut prepared = run.prepare(program, &folder)?;
        // The command is started somewhere else.
        let absolute = |path: &Path| {
            fs::canonicalize(path).with_context(|| format!("cannot read {}", path.display()))
        };
        prepared.stdin = prepared.stdin.map(|path| absolute(&path)).transpose()?;
        let (path, limit) = (absolute(path)?, study.limit(cell)?);
        let until = Instant::now() + limit;
        Ok(Self { study, engine, found, run, path, prepared, scratch, limit, until, stop })
    }

    fn outcome(self, program: &[u8]) -> Result<Outcome> {
        match self.measured(program) {
            Ok(measured) => Ok(Outcome::Measured(Box::new(measured))),
            Err(Stopped::With(outcome)) => Ok(outcome),
            Err(Stopped::Trouble(error)) => Err(error),
        }
    }

    fn measured(&self, program: &[u8]) -> Result<Measured, Stopped> {
        let mut measured = Measured::default();
        measured.sizes.program = program.len() as u64;
        match gzip_bytes(&self.path) {
            Ok(bytes) => measured.sizes.gzip = Some(bytes),
            Err(why) => measured.left_out.push(format!("size by gzip: {why}")),
        }
        let started = match self.engine.compile {
            None => self.path.clone(),
            Some(compile) => self.compile(compile, &mut measured)?,
        };
        if self.engine.mode == Mode::Native {
            measured.sizes.code = code_bytes(program);
        }
        self.check(&started)?;
        measured.peak_floor_bytes = self.peak_floor()?;
        self.time(&started, &mut measured)?;
        match self.trace(&started)? {
            Ok(traced) => measured.calls = Some(traced),
            Err(why) => measured.left_out.push(format!("system calls: {why}")),
        }
        Ok(measured)
    }

    /// What is left of the cell's time.
    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Runs a command for at most `limit`.
    fn run(&self, command: &mut Command, limit: Duration) -> Result<Spent> {
        run(command, limit, self.stop)
    }

    fn late(&self, what: &str) -> Stopped {
        let limit = self.limit.as_secs_f64();
        Stopped::With(Outcome::Late { reason: format!("{what} did not end within {limit} s") })
    }

    /// Compiles some times, and returns what came of it.
    fn compile(
        &self,
        compile: fn(&Path, &Path, &Path) -> Command,
        measured: &mut Measured,
    ) -> Result<PathBuf, Stopped> {
        let began = Instant::now();
        let share = self.limit.mul_f64(COMPILE_SHARE);
        let to = self.scratch.path().join("artifact");
        let said = self.scratch.path().join("compiler");
        while measured.compiles.is_empty()
            || measured.compiles.len() < self.study.executions.min(COMPILES) as usize
                && began.elapsed() < share
        {
            let mut command = compile(&self.found.command, &self.path, &to);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&said)?);
            let spent = self.run(&mut command, self.left())?;
            match spent.end {
                End::Late => return Err(self.late("compiling")),
                End::Status(status) if status.success() && to.is_file() => {}
                End::Status(status) => {
                    let said = beginning(&said)?;
                    let reason = format!("compiling ended with {status}: {said}");
                    return Err(Stopped::With(Outcome::Failed { reason }));
                }
            }
            measured.compiles.push(Execution::from(&spent));
        }
        let artifact = fs::read(&to)?;
        measured.sizes.artifact = Some(artifact.len() as u64);
        measured.sizes.code = code_bytes(&artifact);
        Ok(to)
    }

    /// The command that runs `program`, without output.
    fn command(&self, program: &Path) -> Result<Command> {
        let guest = Guest {
            command: &self.found.command,
            program,
            directory: self.prepared.directory.as_deref(),
            env: &self.prepared.env,
            args: &self.prepared.args,
        };
        let mut command = (self.engine.run)(&guest);
        self.streams(&mut command)?;
        Ok(command)
    }

    /// Sets where a command starts and what it reads; its output is thrown away.
    fn streams(&self, command: &mut Command) -> Result<()> {
        let stdin = match &self.prepared.stdin {
            None => Stdio::null(),
            Some(path) => {
                let file = File::open(path);
                Stdio::from(file.with_context(|| format!("cannot read {}", path.display()))?)
            }
        };
        command.current_dir(self.scratch.path().join("run"));
        command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(())
    }

    /// Whether the program does what it should.
    fn check(&self, program: &Path) -> Result<(), Stopped> {
        let [out, err] = ["out", "err"].map(|name| self.scratch.path().join(name));
        let mut command = self.command(program)?;
        command.stdout(File::create(&out)?).stderr(File::create(&err)?);
        let status = match self.run(&mut command, self.left())?.end {
            End::Late => return Err(self.late("the program")),
            End::Status(status) => status,
        };
        let (stdout, mut stderr) = (fs::read(&out)?, fs::read(&err)?);
        let failed = |reason: String| Stopped::With(Outcome::Failed { reason });
        let Some(code) = status.code() else {
            let signal = status.signal().unwrap_or_default();
            return Err(failed(format!("it ended by signal {signal}: {}", beginning(&err)?)));
        };
        if self.engine.said_ns.is_some() {
            stderr = without_last_line(stderr);
        }
        if let Err(error) = self.run.check(&stdout, &stderr, code) {
            // Some engines say there what is wrong.
            let wrote = if stdout.is_empty() { String::new() } else { beginning(&out)? };
            return Err(failed(format!("{error:#}; it wrote: {wrote}")));
        }
        for file in [out, err] {
            fs::remove_file(file)?;
        }
        Ok(())
    }

    /// The peak memory that the kernel says of a command that has next to none.
    fn peak_floor(&self) -> Result<u64> {
        let mut command = Command::new("true");
        command.stdin(Stdio::null());
        Ok(self.run(&mut command, Duration::from_secs(60))?.peak_bytes)
    }

    /// Executes the program as often as the study wants, or as the time allows.
    fn time(&self, program: &Path, measured: &mut Measured) -> Result<(), Stopped> {
        let said = self.scratch.path().join("said");
        for _ in 0..self.study.executions {
            let mut command = self.command(program)?;
            if self.engine.said_ns.is_some() {
                command.stderr(File::create(&said)?);
            }
            let left = self.left();
            let spent = match left.is_zero() {
                false => Some(self.run(&mut command, left)?),
                true => None,
            };
            match spent {
                Some(spent) if spent.end != End::Late => {
                    measured.executions.push(Execution::from(&spent));
                    if let Some(said_ns) = self.engine.said_ns {
                        let text = fs::read(&said)?;
                        measured.program_ns.extend(said_ns(&String::from_utf8_lossy(&text)));
                    }
                }
                _ if measured.executions.len() >= LEAST => {
                    measured.is_cut = true;
                    break;
                }
                _ => return Err(self.late(&format!("{LEAST} executions"))),
            }
        }
        if measured.program_ns.len() != measured.executions.len() {
            measured.program_ns.clear();
        }
        Ok(())
    }

    /// Counts system calls, without threads and with them. They get the time of a cell once more.
    fn trace(&self, program: &Path) -> Result<Result<Traced, String>> {
        let Some(strace) = on_path("strace") else {
            return Ok(Err("there is no command strace on PATH; apt-get install strace".into()));
        };
        let mut counted = Vec::new();
        for follow in [&[][..], &["-f"]] {
            let to = self.scratch.path().join("calls");
            let said = self.scratch.path().join("strace");
            let inner = self.command(program)?;
            let mut command = Command::new(&strace);
            command.args(follow).args(["-c", "-o"]).arg(&to).arg("--").arg(inner.get_program());
            command.args(inner.get_args());
            command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
            self.streams(&mut command)?;
            command.stderr(File::create(&said)?);
            match self.run(&mut command, self.limit)?.end {
                End::Late => {
                    let limit = self.limit.as_secs_f64();
                    return Ok(Err(format!("strace did not end within {limit} s")));
                }
                End::Status(_) => {
                    let table = fs::read_to_string(&to).unwrap_or_default();
                    match syscalls::parse(&table) {
                        Ok(calls) => counted.push(calls),
                        Err(error) => return Ok(Err(format!("{error:#}: {}", beginning(&said)?))),
                    }
                }
            }
        }
        let [first_thread, all_threads] = <[_; 2]>::try_from(counted)
            .map_err(|counted| anyhow::anyhow!("{} tables of two", counted.len()))?;
        Ok(Ok(Traced { first_thread, all_threads }))
    }
}

/// What an engine says of times is its last line, and no program's.
fn without_last_line(mut text: Vec<u8>) -> Vec<u8> {
    let trimmed = text.strip_suffix(b"\n").unwrap_or(&text);
    let end = trimmed.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    text.truncate(end);
    text
}

/// The beginning of what a command said, in one line.
fn beginning(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(400).read_to_end(&mut bytes))?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// How long the file is when the command `gzip` has done its best.
fn gzip_bytes(file: &Path) -> Result<u64, String> {
    let gzip = on_path("gzip").ok_or("there is no command gzip on PATH; apt-get install gzip")?;
    let output = Command::new(gzip).args(["-9", "-n", "-c", "--"]).arg(file).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(output.stdout.len() as u64)
    } else {
        Err(output.status.to_string())
    }
}

/// Bytes of machine code in an ELF file.
fn code_bytes(file: &[u8]) -> Option<u64> {
    let elf = object::File::parse(file).ok()?;
    let text = elf.sections().filter(|section| section.kind() == SectionKind::Text);
    Some(text.map(|section| section.size()).sum())
}

/// Refuses to measure where times are none.
pub fn ensure_machine() -> Result<()> {
    if machine::is_emulated() {
        bail!(
            "this is an emulator, whose times are none of a machine's; studies are measured on machines"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_an_elf_file_says() {
        let this = fs::read(std::env::current_exe().expect("a program")).expect("readable");
        assert!(code_bytes(&this).is_some_and(|code| code > 10_000 && code < this.len() as u64));
        assert_eq!(code_bytes(b"\0asm"), None);
    }

    #[test]
    fn the_last_line_goes() {
        let left = |text: &str| String::from_utf8(without_last_line(text.into())).expect("text");
        assert_eq!(left("a\nb\n"), "a\n");
        assert_eq!(left("a\nb"), "a\n");
        assert_eq!((left("b\n"), left("")), (String::new(), String::new()));
    }
}
