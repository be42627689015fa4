//! `lithify cache fill`: images of runtimes, made before anybody asks for them.

use super::remote::{Fetched, Remote, RemoteOptions};
use crate::{
    bounds::BoundOptions,
    code_options, output,
    source::{self, Source},
    status::Usage,
    store::{self, Kept},
};
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use lithify_compiler::{Emit, Machine, Options, Target};
use lithify_measure::Bounds;
use lithify_polkadot::RuntimeInput;
use lithify_runtime::abi::COMPILER;
use lithify_store::{GetOrMakeError, Key, Store};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

/// Compiles what is not kept yet.
#[derive(Args)]
#[command(after_help = "\
One line an image, as soon as it is there. What is kept already is left alone, so the same command
goes on where another one was stopped. An input that is refused stops no other; the exit status is
1 then. Afterwards what is beyond --max-size or --max-age goes.

With --remote an image comes from there if it is signed by a key of --trust, or proves to be what
this compiler makes (--reproduce); with both, one that is signed is kept at once and made again
afterwards. What is refused, or not there, is compiled.

Examples:
  lithify cache fill westend.json people.json
  lithify cache fill westend.json --all-targets --jobs 8
  lithify cache fill block.json runtime.wasm --target x86_64 --cpu x86-64-v2
  lithify cache fill westend.json --dir images/ --json
  lithify cache fill westend.json --remote http://127.0.0.1/images --trust operator.pub --reproduce")]
pub struct Fill {
    /// Runtimes in any of their forms; `-` is standard input.
    #[arg(required = true, value_name = "SPEC|RUNTIME|BLOCK")]
    inputs: Vec<PathBuf>,
    /// For which machine, again for more: x86_64, aarch64 or native, which is the default.
    #[arg(long = "target", value_name = "TARGET", value_parser = code_options::target)]
    targets: Vec<Target>,
    /// For x86_64 (at x86-64-v3) and aarch64.
    #[arg(long, conflicts_with = "targets")]
    all_targets: bool,
    /// The level of x86-64: x86-64-v3 or x86-64-v2.
    #[arg(long, value_name = "LEVEL")]
    cpu: Option<String>,
    /// Threads in all; 0 for one a CPU. Inputs are compiled side by side.
    #[arg(short, long, default_value_t = 0)]
    jobs: usize,
    #[command(flatten)]
    remote: RemoteOptions,
    #[command(flatten)]
    bounds: BoundOptions,
    #[command(flatten)]
    kept: Kept,
    /// Print one JSON object an image instead of a line.
    #[arg(long)]
    json: bool,
}

impl Fill {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let targets = self.targets()?;
        let store = self.kept.open()?;
        // The bound on memory is that of the process, so of all that is compiled at once.
        let memory = Bounds { time: None, ..self.bounds.bounds() };
        let remote = self.remote.open()?;
        let all = || self.all(&store, remote.as_ref(), &targets);
        let failed = memory.within("compiling", all)??;
        let collected = store.collect()?;
        if !collected.removed.is_empty() {
            let bytes = collected.removed.iter().map(|entry| entry.bytes).sum();
            let gone = super::count(collected.removed.len(), bytes);
            output::note(format_args!("{gone}, are beyond what is kept, and gone"));
        }
        match failed {
            0 => Ok(()),
            failed => bail!("{failed} of {} inputs gave no image", self.inputs.len()),
        }
    }

    /// What to compile for.
    fn targets(&self) -> Result<Vec<Target>> {
        let mut targets = match self.all_targets {
            true => vec![Target::default(), Target::aarch64()],
            false if self.targets.is_empty() => vec![source::host_target()],
            false => self.targets.clone(),
        };
        if let Some(level) = &self.cpu {
            let of_x86 = targets.iter_mut().filter(|target| target.machine == Machine::X86_64);
            let mut any = false;
            for target in of_x86 {
                *target = target.with_cpu(level).map_err(|error| Usage(error.to_string()))?;
                any = true;
            }
            ensure!(any, Usage("--cpu is a level of x86-64, which no --target is".into()));
        }
        Ok(targets)
    }

    /// Does all inputs, and says how many gave no image. An error ends it: that of the store, or of
    /// standard output.
    fn all(&self, store: &Store, remote: Option<&Remote>, targets: &[Target]) -> Result<usize> {
        let threads = match self.jobs {
            0 => thread::available_parallelism().map_or(1, usize::from),
            jobs => jobs,
        };
        let workers = threads.clamp(1, self.inputs.len());
        let work = Work {
            store,
            remote,
            targets,
            jobs: (threads / workers).max(1),
            next: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        };
        thread::scope(|scope| -> Result<()> {
            let start = || {
                // As much stack as the first thread has.
                let builder = thread::Builder::new().stack_size(8 << 20);
                builder.spawn_scoped(scope, || self.work(&work)).context("cannot start a thread")
            };
            let workers = (0..workers).map(|_| start()).collect::<Result<Vec<_>>>()?;
            workers.into_iter().try_for_each(|worker| {
                worker.join().map_err(|_| anyhow!("a thread that compiled panicked"))?
            })
        })?;
        Ok(work.failed.into_inner())
    }

    /// Does inputs until there are none.
    fn work(&self, work: &Work<'_>) -> Result<()> {
        while let Some(input) = self.inputs.get(work.next.fetch_add(1, Ordering::Relaxed)) {
            if work.ended.load(Ordering::Relaxed) {
                break;
            }
            match self.input(work, input) {
                Ok(()) => {}
                Err(Failure::Input(error)) => {
                    output::error(&error);
                    work.failed.fetch_add(1, Ordering::Relaxed);
                }
                Err(Failure::All(error)) => {
                    work.ended.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn input(&self, work: &Work<'_>, input: &Path) -> Result<(), Failure> {
        let (name, mut runtime) = Source::read(input)?.runtime()?;
        // It may be most of the memory, and nobody asks for it.
        runtime.state = None;
        for target in work.targets {
            let jobs = work.jobs;
            let code_hash = runtime.code_hash;
            let options = Options { target: *target, code_hash, jobs, ..Options::default() };
            self.image(work, &name, &runtime, &options)?;
        }
        Ok(())
    }

    fn image(
        &self,
        work: &Work<'_>,
        name: &str,
        runtime: &RuntimeInput,
        options: &Options,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let key = store::key(options, runtime.wasm());
        let mut origin = Origin::Present;
        let compile = || self.compile(name, runtime, options);
        let path = work.store.get_or_make(&key, || {
            let (image, from) = make(work.remote, &key, &compile)?;
            origin = from;
            Ok(image)
        });
        let path = path.map_err(|error| match error {
            GetOrMakeError::Make(error) => Failure::Input(error),
            GetOrMakeError::NotKept { error, .. } => Failure::All(error.into()),
        })?;
        if let Origin::Fetched { signer: Some(signer), reproduced: reproduced @ false } =
            &mut origin
            && work.remote.is_some_and(|remote| remote.reproduce)
        {
            let made = compile()?;
            let kept =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if let Some(difference) = difference(&made, &kept) {
                work.store.put(&key, &made).map_err(|error| Failure::All(error.into()))?;
                let machine = super::machine(&key);
                let error = anyhow!(
                    "{name}: {machine}: signed by {signer}, but not what {COMPILER} makes: \
                     {difference}; it is replaced by that"
                );
                return Err(Failure::Input(error));
            }
            *reproduced = true;
        }
        let image = Image { name, runtime, key: &key, path: &path, origin, started };
        self.report(&image).map_err(Failure::All)
    }

    fn compile(&self, name: &str, runtime: &RuntimeInput, options: &Options) -> Result<Vec<u8>> {
        let time = Bounds { memory: None, ..self.bounds.bounds() };
        let compile = || lithify_compiler::compile(runtime.wasm(), Emit::Image, options, &());
        time.within("compiling", compile)?.with_context(|| name.to_owned())
    }

    fn report(&self, image: &Image<'_>) -> Result<()> {
        let Image { name, runtime, key, path, origin, started } = image;
        let (version, spent) = (runtime.version.as_ref(), started.elapsed());
        let (signer, reproduced) = match origin {
            Origin::Fetched { signer, reproduced } => (signer.as_deref(), *reproduced),
            _ => (None, false),
        };
        if self.json {
            let outcome = match origin {
                Origin::Present => "present",
                Origin::Compiled => "compiled",
                Origin::Fetched { .. } => "fetched",
            };
            return output::json(super::object(
                key,
                json!({
                    "input": name,
                    "spec_name": version.map(|v| v.spec_name.to_string()),
                    "spec_version": version.map(|v| v.spec_version),
                    "path": path.display().to_string(),
                    "outcome": outcome,
                    "signed_by": signer,
                    "reproduced_by": reproduced.then_some(COMPILER),
                    "total_ns": spent.as_nanos() as u64,
                }),
            ));
        }
        let seconds = spent.as_secs_f64();
        let what = match origin {
            Origin::Present => "there already".into(),
            Origin::Compiled => format!("compiled in {seconds:.2} s"),
            Origin::Fetched { .. } => {
                let signed = signer.map(|signer| format!("signed by {signer}"));
                let reproduced = reproduced.then(|| format!("reproduced by {COMPILER}"));
                let proofs: Vec<String> = signed.into_iter().chain(reproduced).collect();
                format!("fetched in {seconds:.2} s, {}", proofs.join(", "))
            }
        };
        let version = version.map(|version| format!("{}: ", source::describe(Some(version))));
        let version = version.unwrap_or_default();
        output::line(format_args!("{name}: {version}{}: {what}", super::machine(key)))
    }
}

/// Makes an image that is not kept yet: fetches it, else compiles it.
fn make(
    remote: Option<&Remote>,
    key: &Key,
    compile: &dyn Fn() -> Result<Vec<u8>>,
) -> Result<(Vec<u8>, Origin)> {
    let Some(remote) = remote else { return Ok((compile()?, Origin::Compiled)) };
    let fetched = remote.fetch(key).unwrap_or_else(|error| {
        output::note(format!("compiled here: {error:#}"));
        None
    });
    match fetched {
        None => Ok((compile()?, Origin::Compiled)),
        Some(Fetched { image, signer: signer @ Some(_) }) => {
            Ok((image, Origin::Fetched { signer, reproduced: false }))
        }
        Some(Fetched { image, signer: None }) => {
            let made = compile()?;
            match difference(&made, &image) {
                None => Ok((image, Origin::Fetched { signer: None, reproduced: true })),
                Some(difference) => {
                    let words = format!("what was fetched is not what {COMPILER} makes");
                    output::note(format!("compiled here: {key}: {words}: {difference}"));
                    Ok((made, Origin::Compiled))
                }
            }
        }
    }
}

/// Where two images differ, in words; `None` if they are the same.
fn difference(a: &[u8], b: &[u8]) -> Option<String> {
    store::difference(a, b).map(|at| format!("they differ from byte {at:#x} on"))
}

/// What threads share.
struct Work<'w> {
    store: &'w Store,
    remote: Option<&'w Remote>,
    targets: &'w [Target],
    /// Threads for each of those that compile.
    jobs: usize,
    next: AtomicUsize,
    failed: AtomicUsize,
    ended: AtomicBool,
}

/// An image that is there now.
struct Image<'i> {
    name: &'i str,
    runtime: &'i RuntimeInput,
    key: &'i Key,
    path: &'i Path,
    origin: Origin,
    started: Instant,
}

/// Where an image comes from.
enum Origin {
    /// It was kept.
    Present,
    Compiled,
    /// Signed by a trusted key, or made again to the same bytes, or both.
    Fetched {
        signer: Option<String>,
        reproduced: bool,
    },
}

/// Why there is no image.
enum Failure {
    /// The input is to blame.
    Input(anyhow::Error),
    /// So would be the others.
    All(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Input(error)
    }
}
