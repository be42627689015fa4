//! Turns what `strace -c` says into counts by name, and sets of names into coefficients.
//!
//! Names depend on the instruction set: x86-64 has `stat` where aarch64 has `newfstatat` alone. So sets are
//! compared as they are, and with every name in the form that both have (`at_form`).

use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// Calls by name.
pub type Calls = BTreeMap<String, u64>;
/// Names of system calls.
pub type Names = BTreeSet<String>;

/// The table that `strace -c` writes.
///
/// The columns are shares, seconds, microseconds a call, calls, errors where there are any, and the name;
/// rules are above and below the calls, and a sum is last.
pub fn parse(table: &str) -> Result<Calls> {
    let is_rule = |line: &&str| line.starts_with("------");
    let lines = table.lines().skip_while(|line| !is_rule(line)).skip(1);
    let mut calls = Calls::new();
    for line in lines.take_while(|line| !is_rule(line)) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        ensure!(matches!(fields.len(), 5 | 6), "strace's table has a line {line:?}");
        let count = fields[3].parse().with_context(|| format!("strace's table: {line:?}"))?;
        calls.insert(fields[fields.len() - 1].to_owned(), count);
    }
    ensure!(!calls.is_empty(), "strace counted nothing");
    Ok(calls)
}

/// The names of the calls.
pub fn names(calls: &Calls) -> Names {
    calls.keys().cloned().collect()
}

/// The names in the form that all instruction sets have; `arch_prctl` is one of x86-64 alone.
pub fn at_forms(names: &Names) -> Names {
    names.iter().filter_map(|name| at_form(name)).map(str::to_owned).collect()
}

/// What a call of x86-64 is called where there are only the newer forms.
fn at_form(name: &str) -> Option<&str> {
    Some(match name {
        "arch_prctl" => return None,
        "access" => "faccessat",
        "chmod" => "fchmodat",
        "chown" | "lchown" => "fchownat",
        "creat" | "open" => "openat",
        "dup2" => "dup3",
        "epoll_create" => "epoll_create1",
        "epoll_wait" => "epoll_pwait",
        "eventfd" => "eventfd2",
        "fork" | "vfork" => "clone",
        "getdents" => "getdents64",
        "getrlimit" | "setrlimit" => "prlimit64",
        "link" => "linkat",
        "lstat" | "stat" => "newfstatat",
        "mkdir" => "mkdirat",
        "pipe" => "pipe2",
        "poll" => "ppoll",
        "readlink" => "readlinkat",
        "rename" => "renameat",
        "rmdir" | "unlink" => "unlinkat",
        "select" => "pselect6",
        "symlink" => "symlinkat",
        name => name,
    })
}

/// |A ∩ B| / |A ∪ B|, from 0 to 1; of two empty sets 1.
pub fn jaccard(a: &Names, b: &Names) -> f64 {
    let common = a.intersection(b).count();
    quotient(common, a.len() + b.len() - common)
}

/// 2 |A ∩ B| / (|A| + |B|), Sørensen and Dice's coefficient, from 0 to 1; of two empty sets 1.
pub fn dice(a: &Names, b: &Names) -> f64 {
    quotient(2 * a.intersection(b).count(), a.len() + b.len())
}

fn quotient(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sets of the 2023 study for Quicksort (its table 16), with `write` in place of `writev` for wasmer
    /// and wazero, without which four of the pairs differ from its tables 17 and 18.
    const SETS: [(&str, &str); 7] = [
        (
            "Go",
            "clone close execve futex gettid mmap openat read rt_sigaction rt_sigprocmask \
             rt_sigreturn sched_getaffinity sigaltstack write",
        ),
        (
            "wasmtime",
            "brk clock_getres clone close execve faccessat fcntl futex getpid getrandom ioctl \
             membarrier memfd_create mkdirat mmap mprotect mremap munmap newfstatat openat ppoll \
             prlimit64 read readlinkat rseq rt_sigaction rt_sigprocmask sched_getaffinity \
             set_robust_list set_tid_address sigaltstack statx write writev",
        ),
        (
            "wasmedge",
            "brk clone close execve faccessat fstat futex getcwd getdents64 getrandom ioctl mmap \
             mprotect munmap newfstatat openat prlimit64 read readlinkat rseq rt_sigaction \
             rt_sigprocmask set_robust_list set_tid_address",
        ),
        (
            "wasmer",
            "brk clone close epoll_create1 epoll_ctl eventfd2 execve faccessat fcntl futex getrandom \
             ioctl lseek mkdirat mmap mprotect munmap newfstatat openat ppoll prlimit64 read rseq \
             rt_sigaction rt_sigprocmask sched_getaffinity set_robust_list set_tid_address \
             sigaltstack statx write",
        ),
        (
            "iwasm",
            "brk close execve faccessat fcntl getrandom ioctl madvise mmap mprotect munmap newfstatat \
             openat prlimit64 read rseq rt_sigaction sched_getaffinity set_robust_list \
             set_tid_address sigaltstack writev",
        ),
        (
            "wasmi",
            "brk close execve faccessat getrandom ioctl lseek mmap mprotect munmap newfstatat openat \
             ppoll prlimit64 read rseq rt_sigaction sched_getaffinity set_robust_list \
             set_tid_address sigaltstack statx write writev",
        ),
        (
            "wazero",
            "clone close epoll_create1 epoll_ctl execve fcntl fstat futex getdents64 gettid mmap \
             mprotect munmap openat pipe2 prlimit64 read rt_sigaction rt_sigprocmask rt_sigreturn \
             sched_getaffinity sigaltstack write",
        ),
    ];

    /// Its table 18 for Quicksort: the upper triangle, row by row.
    const DICE: [[f64; 6]; 6] = [
        [0.5000, 0.4737, 0.5333, 0.4444, 0.4737, 0.7568],
        [0.7241, 0.8308, 0.7500, 0.7931, 0.5614, 0.0],
        [0.7273, 0.7391, 0.7083, 0.5957, 0.0, 0.0],
        [0.7547, 0.8364, 0.6667, 0.0, 0.0, 0.0],
        [0.8696, 0.5333, 0.0, 0.0, 0.0, 0.0],
        [0.5106, 0.0, 0.0, 0.0, 0.0, 0.0],
    ];

    fn set(names: &str) -> Names {
        names.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn coefficients_are_those_of_the_study_to_four_digits() {
        let sets = SETS.map(|(_, names)| set(names));
        assert_eq!(sets.each_ref().map(BTreeSet::len), [14, 34, 24, 31, 22, 24, 23]);
        for (i, a) in sets.iter().enumerate() {
            for (j, b) in sets.iter().enumerate().skip(i + 1) {
                let pair = format!("{}-{}", SETS[i].0, SETS[j].0);
                let printed = DICE[i][j - i - 1];
                assert_eq!(format!("{:.4}", dice(a, b)), format!("{printed:.4}"), "{pair}");
                assert_eq!(dice(a, b).to_bits(), dice(b, a).to_bits(), "{pair}");
                // Table 17 is D / (2 - D), and D itself has four digits only there.
                let exact = dice(a, b);
                assert!((jaccard(a, b) - exact / (2.0 - exact)).abs() < 1e-12, "{pair}");
                assert!((jaccard(a, b) - printed / (2.0 - printed)).abs() < 1e-4, "{pair}");
            }
            assert_eq!((jaccard(a, a), dice(a, a)), (1.0, 1.0));
        }
    }

    #[test]
    fn names_as_printed_disagree_in_four_pairs() {
        let mut sets = SETS.map(|(_, names)| set(names));
        for printed in [3, 6] {
            assert!(sets[printed].remove("write") && sets[printed].insert("writev".into()));
        }
        let wrong = (0..7).flat_map(|i| (i + 1..7).map(move |j| (i, j))).filter(|(i, j)| {
            format!("{:.4}", dice(&sets[*i], &sets[*j])) != format!("{:.4}", DICE[*i][j - i - 1])
        });
        let wrong: Vec<_> = wrong.map(|(i, j)| (SETS[i].0, SETS[j].0)).collect();
        let known = [("Go", "wasmer"), ("Go", "wazero"), ("wasmer", "iwasm"), ("iwasm", "wazero")];
        assert_eq!(wrong, known);
    }

    #[test]
    fn sets_that_share_nothing_and_empty_ones() {
        let (a, b, none) = (set("read write"), set("close"), Names::new());
        assert_eq!((jaccard(&a, &b), dice(&a, &b)), (0.0, 0.0));
        assert_eq!(
            (jaccard(&a, &none), dice(&none, &none), jaccard(&none, &none)),
            (0.0, 1.0, 1.0)
        );
    }

    #[test]
    fn names_of_x86_get_the_form_of_aarch64() {
        let x86 = set("access arch_prctl newfstatat open openat poll read stat");
        assert_eq!(at_forms(&x86), set("faccessat newfstatat openat ppoll read"));
    }

    #[test]
    fn a_table_of_strace_is_read() {
        let table = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 48.39    0.000195          12        16           mmap
  8.44    0.000034          34         1         1 access
  0.00    0.000000           0         3           close
------ ----------- ----------- --------- --------- ----------------
100.00    0.000403           8        20         1 total
";
        let calls = parse(table).expect("a table");
        let expected = [("access", 1), ("close", 3), ("mmap", 16)];
        assert_eq!(calls, expected.map(|(name, count)| (name.to_owned(), count)).into());
        for wrong in ["", "strace: cannot run", "------\n only three fields\n------\n"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
