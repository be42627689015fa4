//! `lithify cache watch`: follows a chain by a node's RPC, and has code compiled before the block that it
//! runs in.
//!
//! ```text
//! head -> hashes of some storage items -> code that is new -> `lithify cache fill` in a process of its own
//! ```
//!
//! Code in `:code` after a block runs from the next block on; code in `:pending_code`, and that which a
//! parachain announced to its relay chain, later. Of an upgrade that was authorised the chain knows the
//! hash alone: its code comes in an extrinsic, which waits in the node's pool before it is in a block.

mod rpc;

use crate::{
    Cli, output,
    source::hex,
    status::Usage,
    store::{Keep, Place},
};
use anyhow::{Context, Result, anyhow};
use clap::{Args, Parser};
use lithify_polkadot::{Hex, begins_code, parse_hex};
use rpc::{Head, Node};
use serde_json::{Value, json};
use sp_crypto_hashing::{blake2_256, twox_128};
use std::{
    collections::{HashMap, HashSet},
    env,
    io::Write,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// Compiles the code of a chain's upgrades before they happen.
#[derive(Args)]
#[command(after_help = "\
It looks at :code, :pending_code, the code that a parachain announced (ParachainSystem
PendingValidationCode), and at authorised upgrades, whose code it looks for in the node's pool of
extrinsics. It compiles in a process of its own, which a hostile runtime may bring down; the
options of that are those of `lithify cache fill`, behind a `--`. Where the connection ends it is
made again.

Examples:
  lithify cache watch --rpc ws://127.0.0.1:9944
  lithify cache watch --rpc ws://127.0.0.1:9944 --once
  lithify cache watch --rpc ws://127.0.0.1:9944 -- --all-targets --timeout 5min --max-memory 2G")]
pub struct Watch {
    /// The node: ws://HOST:PORT.
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// Look at the best block there is, and end.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object an image, or an authorised upgrade, instead of a line.
    #[arg(long)]
    json: bool,
    /// Options of `lithify cache fill`.
    #[arg(last = true, value_name = "OPTIONS")]
    fill: Vec<String>,
}

/// What a storage item holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Code.
    Code,
    /// Code, with its length before it.
    Encoded,
    /// The hash of code, and a byte.
    Authorized,
}

/// A storage item that tells of code to come.
struct Item {
    /// What it is called in what is printed.
    name: &'static str,
    key: Vec<u8>,
    holds: Holds,
}

/// What is known of a chain from one block to the next.
#[derive(Default)]
struct Seen {
    /// The hash of each item's value, by the item's place.
    values: HashMap<usize, String>,
    /// Authorised code that is not there yet.
    wanted: HashSet<[u8; 32]>,
}

impl Watch {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        let dir = self.place.open_to_write(Keep::default())?.dir().to_owned();
        let dir = dir.to_str().context("the name of the folder is no UTF-8")?.to_owned();
        let fill = self.command_line(&dir)?;
        let (items, mut seen, mut pause) = (items(), Seen::default(), 1);
        loop {
            let mut follow = || -> Result<()> {
                let mut node = Node::connect(&self.rpc)?;
                pause = 1;
                let mut head = node.best()?;
                loop {
                    self.look(&mut node, &items, &mut seen, &head, &fill)?;
                    if self.once {
                        return Ok(());
                    }
                    head = node.next_head()?;
                }
            };
            match follow() {
                Ok(()) => return Ok(()),
                Err(error) if self.once || error.is::<output::ReaderLeft>() => return Err(error),
                Err(error) if error.is::<Usage>() => return Err(error),
                Err(error) => {
                    let rpc = &self.rpc;
                    output::report(format!("{rpc}: {error:#}; tried again in {pause} s"));
                    thread::sleep(Duration::from_secs(pause));
                    pause = (2 * pause).min(60);
                }
            }
        }
    }

    /// The command that compiles code from its standard input.
    fn command_line(&self, dir: &str) -> Result<Vec<String>> {
        let ours = ["cache", "fill", "-", "--json", "--dir", dir];
        let line: Vec<String> =
            ours.into_iter().map(str::to_owned).chain(self.fill.iter().cloned()).collect();
        let parsed = Cli::try_parse_from(["lithify".to_owned()].iter().chain(&line));
        match parsed {
            Ok(_) => Ok(line),
            Err(error) => {
                let error = error.to_string();
                let first = error.lines().next().unwrap_or_default();
                let first = first.trim_start_matches("error: ").to_owned();
                Err(Usage(format!("the options of fill, behind --: {first}")).into())
            }
        }
    }

    /// Looks at what is new after a block.
    fn look(
        &self,
        node: &mut Node,
        items: &[Item],
        seen: &mut Seen,
        head: &Head,
        fill: &[String],
    ) -> Result<()> {
        for (index, item) in items.iter().enumerate() {
            let key = Hex(&item.key).to_string();
            let hash = node.call("state_getStorageHash", &json!([key, head.hash]))?;
            let Some(hash) = hash.as_str() else {
                seen.values.remove(&index);
                continue;
            };
            if seen.values.get(&index).is_some_and(|seen| seen == hash) {
                continue;
            }
            let value = node.call("state_getStorage", &json!([key, head.hash]))?;
            let Some(value) = value.as_str() else { continue };
            let value = parse_hex(value).map_err(|why| anyhow!("state_getStorage: it {why}"))?;
            seen.values.insert(index, hash.to_owned());
            match item.holds {
                Holds::Code => self.have(head, item.name, &value, fill)?,
                Holds::Encoded => match lengthwise(&value, 0) {
                    Some(code) => self.have(head, item.name, code, fill)?,
                    None => output::report(format!("{} holds no code", item.name)),
                },
                Holds::Authorized => {
                    let Some(code_hash) = value.first_chunk() else { continue };
                    seen.wanted.insert(*code_hash);
                    self.authorized(head, code_hash)?;
                }
            }
        }
        if !seen.wanted.is_empty() {
            self.search(node, seen, head, fill)?;
        }
        Ok(())
    }

    /// Looks for authorised code among the extrinsics that wait.
    fn search(&self, node: &mut Node, seen: &mut Seen, head: &Head, fill: &[String]) -> Result<()> {
        let waiting = node.call("author_pendingExtrinsics", &json!([]))?;
        for extrinsic in waiting.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let Ok(extrinsic) = parse_hex(extrinsic) else { continue };
            for code in codes(&extrinsic) {
                if seen.wanted.remove(&blake2_256(code)) {
                    self.have(head, "authorized upgrade", code, fill)?;
                }
            }
        }
        Ok(())
    }

    fn authorized(&self, head: &Head, code_hash: &[u8; 32]) -> Result<()> {
        let (block, code_hash) = (head.number, hex(code_hash));
        if self.json {
            return output::json(json!({
                "block": block,
                "where": "authorized upgrade",
                "code_hash": code_hash,
                "outcome": "announced",
            }));
        }
        output::line(format_args!(
            "block {block}: an upgrade to {code_hash} is authorized; its code is not on the chain yet"
        ))
    }

    /// Has code compiled, if it is not kept yet.
    fn have(&self, head: &Head, place: &str, code: &[u8], fill: &[String]) -> Result<()> {
        let code_hash = hex(&blake2_256(code));
        let images = compile(code, fill)?;
        let block = head.number;
        for mut image in images.iter().flat_map(|image| image.as_object().cloned()) {
            if self.json {
                image.insert("block".into(), json!(block));
                image.insert("where".into(), json!(place));
                image.remove("input");
                output::json(Value::Object(image))?;
                continue;
            }
            let text = |field: &str| image[field].as_str().unwrap_or_default();
            let version = match (image["spec_name"].as_str(), image["spec_version"].as_u64()) {
                (Some(name), Some(version)) => format!(" ({name} {version})"),
                _ => String::new(),
            };
            let what = match text("outcome") {
                "present" => "there already".into(),
                outcome => {
                    let seconds = image["total_ns"].as_u64().unwrap_or_default() as f64 / 1e9;
                    format!("{outcome} in {seconds:.2} s")
                }
            };
            let machine = format!("{} {}", text("target"), text("cpu"));
            output::line(format_args!(
                "block {block}: {place} {code_hash}{version}: {machine}: {what}"
            ))?;
        }
        if images.is_empty() {
            output::report(format!("block {block}: {place} {code_hash}: there is no image"));
        }
        Ok(())
    }
}

/// Runs `fill` on code in a process of its own, and returns what it says of images. Why there are none it
/// says itself, on standard error.
fn compile(code: &[u8], fill: &[String]) -> Result<Vec<Value>> {
    let program = env::current_exe().context("cannot tell which program this is")?;
    let mut command = Command::new(program);
    command.args(fill).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start a process to compile in")?;
    let stdin = child.stdin.take();
    // Where the other end is gone, its exit says why.
    thread::scope(|scope| {
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(code)));
        let output =
            child.wait_with_output().context("cannot wait for the process that compiles")?;
        let lines = String::from_utf8_lossy(&output.stdout);
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    })
}

/// What is looked at.
fn items() -> Vec<Item> {
    let item = |name, key: &[u8], holds| Item { name, key: key.to_vec(), holds };
    let of = |pallet: &str, name: &str| {
        [twox_128(pallet.as_bytes()), twox_128(name.as_bytes())].concat()
    };
    let announced = of("ParachainSystem", "PendingValidationCode");
    vec![
        item(":code", b":code", Holds::Code),
        item(":pending_code", b":pending_code", Holds::Code),
        item("PendingValidationCode", &announced, Holds::Encoded),
        item("AuthorizedUpgrade", &of("System", "AuthorizedUpgrade"), Holds::Authorized),
        // Before 2024.
        item("AuthorizedUpgrade", &of("ParachainSystem", "AuthorizedUpgrade"), Holds::Authorized),
    ]
}

/// The bytes at `from`, whose length is before them as SCALE has it for more than 16 KiB.
fn lengthwise(bytes: &[u8], from: usize) -> Option<&[u8]> {
    let (length, rest) = bytes.get(from..)?.split_first_chunk()?;
    let length = u32::from_le_bytes(*length);
    (length % 4 == 2).then(|| rest.get(..length as usize / 4))?
}

/// Everything in an extrinsic that begins as code does, with its length before it.
fn codes(extrinsic: &[u8]) -> impl Iterator<Item = &[u8]> {
    let begins = move |at: &usize| extrinsic.get(at + 4..).is_some_and(begins_code);
    (0..extrinsic.len()).filter(begins).filter_map(|at| lengthwise(extrinsic, at))
}

#[cfg(test)]
mod tests {
    use super::{codes, items, lengthwise};
    use lithify_polkadot::Hex;

    #[test]
    fn code_is_found_in_extrinsics() {
        let code = [&b"\0asm\x01\0\0\0"[..], &[7; 20_000]].concat();
        let length = (code.len() as u32 * 4 + 2).to_le_bytes();
        let extrinsic = [&b"\x04\0\x0b"[..], &length, &code, b"\0asm and more"].concat();
        assert_eq!(codes(&extrinsic).collect::<Vec<_>>(), [&code[..]]);
        assert_eq!(codes(&extrinsic[..9_000]).count(), 0);
        assert_eq!(codes(b"\0as").count() + codes(b"").count(), 0);
        assert_eq!(lengthwise(&length, 0), None);
        assert_eq!(lengthwise(&[], 1), None);
    }

    #[test]
    fn keys_are_those_of_substrate() {
        let keys: Vec<String> = items().iter().map(|item| Hex(&item.key).to_string()).collect();
        assert_eq!(keys[0], "0x3a636f6465");
        assert!(keys[3].starts_with("0x26aa394eea5630e07c48ae0c9558cef7"), "System: {}", keys[3]);
    }
}
