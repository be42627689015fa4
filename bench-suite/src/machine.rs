//! The machine under the measurement, from `/proc` and `/sys`, and what makes it noisy.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Read;
use std::path::Path;

/// What a number depends on besides the program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor as it names itself.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cpus: u32,
    /// Instruction set.
    pub arch: String,
    /// Version of the kernel.
    pub kernel: String,
    /// Frequency governor, where it can be read.
    pub governor: Option<String>,
    /// Clock source, where it can be read.
    pub clock_source: Option<String>,
    /// Processes that wanted to run, in hundredths, averaged over the minute before.
    pub load_percent: u32,
    /// Whether it is a virtual machine.
    pub virtual_machine: bool,
}

impl Eq for Machine {}

impl Machine {
    /// This machine, now.
    pub fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let load = text("/proc/loadavg").unwrap_or_default();
        let load: f64 = load.split(' ').next().and_then(|x| x.parse().ok()).unwrap_or(0.0);
        Self {
            cpu: field(&cpuinfo, "model name").unwrap_or("unknown").to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            arch: std::env::consts::ARCH.to_owned(),
            kernel: text("/proc/sys/kernel/osrelease").unwrap_or_default(),
            governor: text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            clock_source: text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            load_percent: (load * 100.0).round() as u32,
            virtual_machine: field(&cpuinfo, "flags")
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
        }
    }

    /// Why numbers from it are to be taken with care. Lower case, no full stop.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        // One process of ours runs at a time; the load of the minute before is other people's.
        if self.load_percent > 30 {
            let load = f64::from(self.load_percent) / 100.0;
            warnings.push(format!("other work runs on {} CPUs: load {load:.2}", self.cpus));
        }
        if self.virtual_machine {
            warnings.push("a virtual machine: its neighbours are not visible".into());
        }
        if let Some(governor) = &self.governor
            && governor != "performance"
        {
            warnings.push(format!("the frequency governor is {governor}, not performance"));
        }
        if self.cpus < 2 {
            warnings.push("one CPU: whatever else runs interrupts the measurement".into());
        }
        warnings
    }
}

/// Whether this process runs under an emulator of another instruction set: what the kernel started is no
/// program of ours. An emulator answers for `/proc/self`, and not for this name of the same file.
pub fn is_emulated() -> bool {
    /// Where an ELF file has its instruction set, in 2 bytes of little endian.
    const MACHINE: usize = 18;
    let head = |path: &str| -> Option<[u8; 20]> {
        let mut head = [0; 20];
        fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).ok()?;
        Some(head)
    };
    let machine = |head: [u8; 20]| u16::from_le_bytes([head[MACHINE], head[MACHINE + 1]]);
    /// Numbers of the instruction sets in the format's own list.
    const NUMBERS: &[(&str, u16)] = &[("x86_64", 62), ("aarch64", 183)];
    let ours = NUMBERS.iter().find(|(arch, _)| *arch == std::env::consts::ARCH);
    let started = head("/proc/thread-self/exe").map(machine);
    matches!((ours, started), (Some((_, ours)), Some(started)) if *ours != started)
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_warned_about() {
        let quiet = Machine { cpus: 8, ..Machine::default() };
        assert_eq!(quiet.warnings(), [] as [&str; 0]);
        let busy = Machine {
            load_percent: 150,
            governor: Some("powersave".into()),
            cpus: 1,
            virtual_machine: true,
            ..quiet
        };
        assert_eq!(busy.warnings().len(), 4);
        assert!(Machine::here().cpus > 0);
    }
}
