//! The command as tests run it: what it printed, and how it ended.

use super::{scratch, text};
use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
};

/// What a command printed and how it ended.
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// -1 for a signal.
    pub status: i32,
}

impl Outcome {
    /// Both texts.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            status: output.status.code().unwrap_or(-1),
        }
    }
}

/// Runs the command with `input` on its standard input.
pub fn lithify_with_input(args: &[&str], input: &[u8]) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lithify"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The command may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.into()
}

/// Runs the command.
pub fn lithify(args: &[&str]) -> Outcome {
    lithify_with_input(args, &[])
}

/// The command succeeds, and prints all of `parts`.
#[track_caller]
pub fn succeeds(args: &[&str], parts: &[&str]) -> Outcome {
    let outcome = lithify(args);
    assert_eq!(outcome.status, 0, "{args:?}: {}", outcome.stderr);
    for part in parts {
        assert!(outcome.stdout.contains(part), "{args:?}: no {part:?} in\n{}", outcome.stdout);
    }
    outcome
}

/// The command fails with `status` and one message that has all of `parts`.
#[track_caller]
pub fn fails(args: &[&str], status: i32, parts: &[&str]) -> Outcome {
    let outcome = lithify(args);
    assert_eq!(outcome.status, status, "{args:?}: {}{}", outcome.stdout, outcome.stderr);
    assert!(!outcome.stderr.contains("thread '"), "{args:?}: {}", outcome.stderr);
    for part in parts {
        assert!(outcome.stderr.contains(part), "{args:?}: no {part:?} in\n{}", outcome.stderr);
    }
    outcome
}

/// Makes a file of this name, and returns its path.
pub fn file(name: &str, bytes: &[u8]) -> String {
    let path = scratch(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Makes a file with the module of a text, and returns its path.
pub fn wat(name: &str, source: &str) -> String {
    file(name, &wat::parse_str(source).unwrap())
}

/// `0x` and the digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
