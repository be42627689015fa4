//! A node's JSON-RPC by a WebSocket: calls, and the heads of its best chain.

use crate::status::Usage;
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    io::ErrorKind,
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};
use tungstenite::{
    Error, Message, WebSocket,
    client::{IntoClientRequest, client_with_config},
    http::Uri,
    protocol::WebSocketConfig,
};

/// How long a node may take to answer, and how long a connection may be silent before it is asked for
/// a sign of life.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest message: code as hex text, and then some.
const LONGEST: usize = 256 << 20;

/// A connection to a node.
pub struct Node {
    socket: WebSocket<TcpStream>,
    calls: u64,
    heads: VecDeque<u64>,
    heard: Instant,
}

/// A block at the end of the best chain.
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its hash, `0x` text.
    pub hash: String,
}

impl Node {
    /// Connects to a node and subscribes to its heads.
    pub fn connect(url: &str) -> Result<Self> {
        let wrong = || Usage(format!("{url} is no address of a node; give ws://HOST:PORT"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let word =
            "the RPC of a node is asked without encryption: ws://, by a tunnel where it is far";
        ensure!(uri.scheme_str() != Some("wss"), Usage(word.into()));
        ensure!(uri.scheme_str() == Some("ws"), wrong());
        let host = uri.host().ok_or_else(wrong)?;
        let stream = connect(&format!("{host}:{}", uri.port_u16().unwrap_or(80)))?;
        stream.set_read_timeout(Some(PATIENCE)).context("cannot set a timeout")?;
        stream.set_write_timeout(Some(PATIENCE)).context("cannot set a timeout")?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST));
        let request = url.into_client_request().map_err(|_| wrong())?;
        let (socket, _) = client_with_config(request, stream, Some(config))
            .map_err(|error| anyhow!("no WebSocket: {error}"))?;
        let (heads, heard) = (VecDeque::new(), Instant::now());
        let mut node = Self { socket, calls: 0, heads, heard };
        node.call("chain_subscribeNewHeads", &json!([]))?;
        Ok(node)
    }

    /// The best block.
    pub fn best(&mut self) -> Result<Head> {
        let header = self.call("chain_getHeader", &json!([]))?;
        let number = number(&header)?;
        self.head(number)?.context("the node does not know its best block")
    }

    /// Waits for the next best block; skips those that are outdated.
    pub fn next_head(&mut self) -> Result<Head> {
        loop {
            let newest = self.heads.drain(..).next_back();
            match newest {
                Some(number) => {
                    if let Some(head) = self.head(number)? {
                        return Ok(head);
                    }
                }
                None => drop(self.receive(None)?),
            }
        }
    }

    fn head(&mut self, number: u64) -> Result<Option<Head>> {
        let hash = self.call("chain_getBlockHash", &json!([number]))?;
        Ok(hash.as_str().map(|hash| Head { number, hash: hash.to_owned() }))
    }

    /// Calls a method, and returns its result.
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.calls += 1;
        let id = self.calls;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.socket.send(Message::text(request.to_string())).context("cannot ask it")?;
        let mut answer = self.receive(Some(id)).with_context(|| method.to_owned())?;
        match answer.get_mut("error") {
            Some(error) => bail!("{method}: {}", error["message"].as_str().unwrap_or("refused")),
            None => Ok(answer["result"].take()),
        }
    }

    /// Reads until the answer with this number, or until a head came; notes heads on the way.
    fn receive(&mut self, id: Option<u64>) -> Result<Value> {
        let started = Instant::now();
        loop {
            ensure!(id.is_none() || started.elapsed() < PATIENCE, "no answer in {PATIENCE:?}");
            let message = match self.socket.read() {
                Ok(message) => message,
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    ensure!(self.heard.elapsed() < 3 * PATIENCE, "it is silent");
                    self.socket.send(Message::Ping(Vec::new().into())).context("cannot ask it")?;
                    continue;
                }
                Err(error) => bail!("the connection ended: {error}"),
            };
            self.heard = Instant::now();
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).context("it speaks no JSON")?;
            match message["method"].as_str() {
                Some("chain_newHead") => {
                    self.heads.push_back(number(&message["params"]["result"])?);
                    if id.is_none() {
                        return Ok(Value::Null);
                    }
                }
                Some(_) => {}
                None if id.is_some() && message["id"].as_u64() == id => return Ok(message),
                None => {}
            }
        }
    }
}

/// The number in a header, hex text.
fn number(header: &Value) -> Result<u64> {
    let digits = header["number"].as_str().and_then(|text| text.strip_prefix("0x"));
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.context("it speaks of a block without a number")
}

fn connect(address: &str) -> Result<TcpStream> {
    let cannot = || format!("cannot connect to {address}");
    let mut last = None;
    for address in address.to_socket_addrs().with_context(cannot)? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(10)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error).with_context(cannot),
        None => bail!("{address} has no address"),
    }
}
