//! `--target`, `--cpu`, `--accept`, `--inline` and `--jobs`, for the commands whose code a user chooses.

use crate::{source, status::Usage};
use anyhow::{Result, anyhow, ensure};
use clap::Args;
use lithify_compiler::{CompileError, Inline, Options, Profile, Target};
use lithify_polkadot::RuntimeInput;

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
        let (profile, inline, jobs) = (self.accept, self.inline, self.jobs);
        let code_hash = runtime.code_hash;
        Ok(Options { target, profile, inline, jobs, code_hash, ..Options::default() })
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

/// A target by any of its usual names.
pub fn target(text: &str) -> Result<Target, String> {
    match text {
        "native" => Ok(source::host_target()),
        text => text.parse().map_err(|error| format!("{error}, and native")),
    }
}
