//! `--target`, `--cpu`, `--accept`, `--tier`, `--inline` and `--jobs`, for the commands whose code a user
//! chooses; and `--profile` for those that take one.

use crate::{source, status::Usage};
use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use lithify_compiler::{CompileError, Heat, Inline, Options, Profile, Target, Tier};
use lithify_polkadot::RuntimeInput;
use std::{path::PathBuf, sync::Arc};

/// Options that shape code.
#[derive(Args)]
pub struct CodeOptions {
    /// The machine: x86_64-unknown-linux-gnu (x86_64, amd64), aarch64-unknown-linux-gnu (aarch64,
    /// arm64) or native, which is this one. By default x86-64 on every machine for compile, native
    /// for run.
    #[arg(long, value_name = "TARGET", value_parser = target)]
    target: Option<Target>,
    /// Level of the CPU: x86-64-v3 (default), x86-64-v2 (without AVX2 and BMI) or native; for aarch64
    /// generic.
    #[arg(long, value_name = "LEVEL")]
    cpu: Option<String>,
    /// What the module may use: runtime (as Substrate; the default when it imports from env and not
    /// from WASI) or general (WebAssembly 2.0).
    #[arg(long, value_name = "PROFILE")]
    accept: Option<Profile>,
    /// How much is done for the code: full, or fast, which gives an image in less time whose code is
    /// slower. What it does is the same.
    #[arg(long, value_name = "TIER", default_value_t = Tier::Full, hide_default_value = true)]
    tier: Tier,
    /// Whether calls become the bodies that they reach, where that is worth it: on or off.
    #[arg(long, value_name = "ON|OFF", default_value_t = Inline::On, hide_default_value = true)]
    inline: Inline,
    /// Worker threads; 0 for one a CPU.
    #[arg(short, long, default_value_t = 0)]
    jobs: usize,
}

impl CodeOptions {
    /// Whether modules are asked for that no chain would take.
    pub fn general(&self) -> bool {
        self.accept == Some(Profile::General)
    }

    /// The compiler's options for `runtime`.
    pub fn options(&self, runtime: &RuntimeInput, default: Target) -> Result<Options> {
        let target = self.target(default)?;
        let (profile, tier, inline, jobs) = (self.accept, self.tier, self.inline, self.jobs);
        let code_hash = runtime.code_hash;
        Ok(Options { target, profile, tier, inline, jobs, code_hash, ..Options::default() })
    }

    /// Refuses a profile at a tier that has no use for it.
    pub fn check_profile(&self, heat: Option<&Arc<Heat>>) -> Result<()> {
        let word =
            "--profile says which functions are worth the full tier, and --tier fast says none";
        ensure!(heat.is_none() || self.tier == Tier::Full, Usage(word.into()));
        Ok(())
    }

    /// Whether the machine was chosen by name.
    pub fn names_target(&self) -> bool {
        self.target.is_some()
    }

    /// Whether machine or CPU were chosen.
    pub fn shapes(&self) -> bool {
        self.target.is_some() || self.cpu.is_some()
    }

    /// The machine to compile for.
    pub fn target(&self, default: Target) -> Result<Target> {
        let target = self.target.unwrap_or(default);
        let host = source::host_target();
        match self.cpu.as_deref() {
            None => Ok(target),
            Some("native") => {
                let other = "--cpu native is this machine's, but --target names another one";
                ensure!(target.machine == host.machine, Usage(other.into()));
                Ok(host)
            }
            Some(level) => Ok(target.with_cpu(level).map_err(|error| Usage(error.to_string()))?),
        }
    }

    /// Adds to a refusal the option that would have helped.
    pub fn advise(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast_ref() {
            Some(CompileError::Profile { profile: Profile::Runtime, .. }) => {
                anyhow!("{error:#}; `--accept general` accepts it, but no node does")
            }
            _ => error,
        }
    }
}

/// A profile that code is made with.
#[derive(Args)]
pub struct ProfileOption {
    /// What the functions of the runtime, or of an earlier version, did in calls, by `lithify profile`:
    /// those that ran are worth the time, the others are compiled as by --tier fast.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

impl ProfileOption {
    /// Reads it.
    pub fn read(&self) -> Result<Option<Arc<Heat>>> {
        let Some(path) = &self.profile else { return Ok(None) };
        let name = path.display();
        let text = String::from_utf8(source::beside(path)?);
        let text = text.map_err(|_| anyhow!("{name} is no profile: it is not text"))?;
        let heat: Heat = text.parse().with_context(|| format!("{name} is no whole profile"))?;
        Ok(Some(Arc::new(heat)))
    }
}

/// A target by any of its usual names.
pub fn target(text: &str) -> Result<Target, String> {
    match text {
        "native" => Ok(source::host_target()),
        text => text.parse().map_err(|error| format!("{error}, and native")),
    }
}
