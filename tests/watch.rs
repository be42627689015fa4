//! `lithify cache watch`, beside a node that plays upgrades: code has to be there before the block that
//! runs it.

mod support;

use serde_json::{Value, json};
use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};
use support::{outcome::hex, scratch};
use tungstenite::{Message, WebSocket, accept};

const LITHIFY: &str = env!("CARGO_BIN_EXE_lithify");

type Storage = HashMap<Vec<u8>, Vec<u8>>;

/// A chain as its RPC shows it.
#[derive(Default)]
struct Chain {
    number: u64,
    storage: Storage,
    /// The storage after each block.
    past: Vec<Storage>,
    pool: Vec<Vec<u8>>,
    /// How often somebody looked into it.
    looks: usize,
    /// The connection of whoever listens.
    listener: Option<TcpStream>,
    connections: usize,
}

#[derive(Clone)]
struct Node {
    chain: Arc<Mutex<Chain>>,
    url: String,
}

impl Node {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let node = Self { chain: Arc::default(), url };
        thread::spawn({
            let node = node.clone();
            move || listener.incoming().for_each(|stream| node.clone().serve(stream.unwrap()))
        });
        node
    }

    /// Answers whoever connected, and tells of heads.
    fn serve(self, stream: TcpStream) {
        thread::spawn(move || {
            {
                let mut chain = self.chain.lock().unwrap();
                chain.listener = Some(stream.try_clone().unwrap());
                chain.connections += 1;
            }
            let Ok(mut socket) = accept(stream) else { return };
            socket.get_ref().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            let mut told = self.chain.lock().unwrap().number;
            loop {
                match socket.read() {
                    Ok(Message::Text(text)) => {
                        let call: Value = serde_json::from_str(&text).unwrap();
                        let result = self.answer(&call);
                        send(
                            &mut socket,
                            &json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
                        );
                    }
                    Ok(_) => {}
                    Err(tungstenite::Error::Io(error))
                        if error.kind() == std::io::ErrorKind::WouldBlock =>
                    {
                        let number = self.chain.lock().unwrap().number;
                        if number > told {
                            told = number;
                            let head = json!({ "number": format!("{number:#x}") });
                            let params = json!({ "subscription": "s", "result": head });
                            send(
                                &mut socket,
                                &json!({ "method": "chain_newHead", "params": params }),
                            );
                        }
                    }
                    Err(_) => return,
                }
            }
        });
    }

    fn answer(&self, call: &Value) -> Value {
        let mut chain = self.chain.lock().unwrap();
        chain.looks += usize::from(call["method"] == "author_pendingExtrinsics");
        let value = || {
            let key = call["params"][0].as_str().unwrap();
            let at = call["params"][1].as_str().unwrap().strip_prefix("0xb10c").unwrap();
            let storage = &chain.past[usize::from_str_radix(at, 16).unwrap() - 1];
            storage.iter().find(|(k, _)| hex(k) == key).map(|(_, value)| value.clone())
        };
        match call["method"].as_str().unwrap() {
            "chain_subscribeNewHeads" => json!("s"),
            "chain_getHeader" => json!({ "number": format!("{:#x}", chain.number) }),
            "chain_getBlockHash" => {
                json!(format!("0xb10c{:04x}", call["params"][0].as_u64().unwrap()))
            }
            "state_getStorage" => json!(value().map(|value| hex(&value))),
            "state_getStorageHash" => {
                json!(value().map(|value| hex(&sp_crypto_hashing::blake2_256(&value))))
            }
            "author_pendingExtrinsics" => {
                json!(chain.pool.iter().map(|e| hex(e)).collect::<Vec<_>>())
            }
            method => panic!("{method}"),
        }
    }

    /// Makes the next block.
    fn block(&self, change: impl FnOnce(&mut Chain)) {
        let mut chain = self.chain.lock().unwrap();
        change(&mut chain);
        chain.number += 1;
        let now = chain.storage.clone();
        chain.past.push(now);
    }
}

fn send(socket: &mut WebSocket<TcpStream>, message: &Value) {
    let _ = socket.send(Message::text(message.to_string()));
}

/// A module of its own for each number, of more than 16 KiB.
fn code(number: u32) -> Vec<u8> {
    let data = "\\01\\23\\45\\67\\89".repeat(5_000);
    let text = format!(
        r#"(module (memory 2) (data (i32.const 0) "{data}")
            (func (export "f") (result i32) (i32.const {number})))"#
    );
    wat::parse_str(text).unwrap()
}

fn encoded(code: &[u8]) -> Vec<u8> {
    [&(code.len() as u32 * 4 + 2).to_le_bytes()[..], code].concat()
}

fn key(pallet: &str, item: &str) -> Vec<u8> {
    let hash = |name: &str| sp_crypto_hashing::twox_128(name.as_bytes());
    [hash(pallet), hash(item)].concat()
}

fn watch(folder: &Path, args: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(LITHIFY);
    command.args(["cache", "watch", "--dir", "c", "--json", "--rpc"]).args(args);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

fn folder(name: &str) -> PathBuf {
    let folder = scratch("watch").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Ends a process with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn code_is_compiled_before_it_runs() {
    let (folder, node) = (folder("upgrade"), Node::start());
    node.block(|chain| drop(chain.storage.insert(b":code".to_vec(), code(1))));
    let (child, mut lines) = watch(&folder, &[&node.url]);
    let _child = Ended(child);
    let mut next = |block: u64, place: &str, code: &[u8], outcome: &str| {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let code_hash = hex(&sp_crypto_hashing::blake2_256(code));
        let expected = json!([block, place, code_hash, outcome]);
        assert_eq!(
            json!([said["block"], said["where"], said["code_hash"], said["outcome"]]),
            expected
        );
        if outcome != "announced" {
            assert!(folder.join(said["path"].as_str().unwrap()).is_file(), "{line}");
        }
    };
    next(1, ":code", &code(1), "compiled");
    // Nothing new, then code that waits a block.
    node.block(|_| ());
    node.block(|chain| drop(chain.storage.insert(b":pending_code".to_vec(), code(2))));
    next(3, ":pending_code", &code(2), "compiled");
    node.block(|chain| {
        let pending = chain.storage.remove(&b":pending_code"[..]).unwrap();
        chain.storage.insert(b":code".to_vec(), pending);
    });
    next(4, ":code", &code(2), "present");
    // A parachain's, which its relay chain has to let go ahead.
    let announced = key("ParachainSystem", "PendingValidationCode");
    node.block(|chain| drop(chain.storage.insert(announced, encoded(&code(3)))));
    next(5, "PendingValidationCode", &code(3), "compiled");
    // Authorised, then sent by anybody, then in a block.
    let hash = sp_crypto_hashing::blake2_256(&code(4));
    let authorized = [&hash[..], &[1]].concat();
    node.block(|chain| {
        chain.storage.insert(key("System", "AuthorizedUpgrade"), authorized);
        chain.pool.push(b"\x04 a transfer, perhaps".to_vec());
    });
    next(6, "authorized upgrade", &code(4), "announced");
    while node.chain.lock().unwrap().looks == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    let extrinsic = [&b"\x04\0\x0b"[..], &encoded(&code(4))].concat();
    node.block(|chain| chain.pool.push([&encoded(&extrinsic)[..4], &extrinsic].concat()));
    next(7, "authorized upgrade", &code(4), "compiled");
    // The connection ends, and code came meanwhile.
    node.block(|chain| {
        chain.listener.take().unwrap().shutdown(Shutdown::Both).unwrap();
        chain.storage.insert(b":code".to_vec(), code(4));
    });
    next(8, ":code", &code(4), "present");
    assert_eq!(node.chain.lock().unwrap().connections, 2);
    // Code that is none stops nothing.
    node.block(|chain| drop(chain.storage.insert(b":pending_code".to_vec(), b"no code".to_vec())));
    node.block(|chain| drop(chain.storage.insert(b":pending_code".to_vec(), code(5))));
    next(10, ":pending_code", &code(5), "compiled");
}

#[test]
fn one_look_and_wrong_usage() {
    let (folder, node) = (folder("once"), Node::start());
    node.block(|chain| drop(chain.storage.insert(b":code".to_vec(), code(1))));
    let run = |args: &[&str]| {
        let mut command = Command::new(LITHIFY);
        command.current_dir(&folder).args(["cache", "watch", "--dir", "c"]).args(args);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = support::text(&[output.stdout, output.stderr].concat());
        (output.status.code(), said)
    };
    let rpc = ["--rpc", &node.url, "--once"];
    let (status, said) = run(&[&rpc[..], &["--", "--all-targets"]].concat());
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(said.matches("block 1: :code 0x").count(), 2, "{said}");
    assert_eq!(said.matches(": compiled in ").count(), 2, "{said}");
    let (status, said) = run(&rpc);
    assert!(status == Some(0) && said.ends_with(": there already\n"), "{said}");
    for (args, status, part) in [
        (&["--rpc", "ws://127.0.0.1:1", "--once"][..], 1, "cannot connect to 127.0.0.1:1"),
        (&["--rpc", "wss://example.org"], 2, "without encryption: ws://"),
        (&["--rpc", "127.0.0.1:9944"], 2, "give ws://HOST:PORT"),
        (&[&rpc[..], &["--", "--target", "z80"]].concat(), 2, "the options of fill, behind --: "),
        (&["--once"], 2, "--rpc <URL>"),
    ] {
        let (is, said) = run(args);
        assert!(is == Some(status) && said.contains(part), "{args:?}: {is:?} {said}");
        assert!(!said.contains("thread '"), "{said}");
    }
}
