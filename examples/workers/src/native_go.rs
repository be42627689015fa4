//! The floor of what is built from Go: the ledger's source as a library of this machine, which calls the
//! host's functions through C.
//!
//! ```text
//! workloads/ledger/native --go build--> a shared library --dlopen--> calls
//! ```
//!
//! It has no module, and takes those of the ledger alone. Nor has it instances: what Go's heap keeps
//! stays for the next call, and its collector runs when it likes.

use crate::shared_library::SharedLibrary;
use crate::{Engine, Loaded};
use anyhow::{Context, Result, ensure};
use lithify_ledger::host;
use lithify_polkadot::CallContext;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::slice::from_raw_parts;

/// Where the ledger's Go is.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workloads/ledger");

/// What every module of the ledger has in its data.
const SPEC_NAME: &[u8] = b"lithify-ledger";

type HostFunction =
    unsafe extern "C" fn(u32, *const u8, usize, *const u8, usize, *mut c_void) -> i64;

/// The Go compiler that is installed.
pub struct NativeGo;

impl NativeGo {
    /// It has to be there.
    pub fn open() -> Result<Self> {
        for (program, ask, package) in
            [("go", "version", "golang, 1.26"), ("cc", "--version", "gcc")]
        {
            let answer = Command::new(program).arg(ask).output();
            let is_there = answer.is_ok_and(|answer| answer.status.success());
            ensure!(is_there, "there is no {program} that works (apt-get install {package})");
        }
        Ok(Self)
    }
}

impl Engine for NativeGo {
    type Loaded = Library;
    // Go keeps what it compiled, so it would be told of nothing.
    const COMPILES: bool = false;
    const REPLAYS: bool = false;

    /// Of another module than the ledger's nothing comes, and so no call of it.
    fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        if !wasm.windows(SPEC_NAME.len()).any(|text| text == SPEC_NAME) {
            return Ok(Vec::new());
        }
        let folder = tempfile::tempdir().context("cannot make a folder for Go")?;
        let library = folder.path().join("ledger.so");
        let mut go = Command::new("go");
        go.args(["build", "-tags", "native", "-buildmode=c-shared", "-o"]);
        go.arg(&library).arg("./native").current_dir(SOURCE).env("CGO_ENABLED", "1");
        let output = go.output().with_context(|| format!("cannot start go in {SOURCE}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "go build: {}", said.trim());
        Ok(fs::read(library)?)
    }

    fn load(&self, artifact: &Path, _probe: &str) -> Result<Library> {
        let len = fs::metadata(artifact).map_or(0, |metadata| metadata.len());
        ensure!(len > 0, "it has no code but the ledger's, and the module is another");
        let library = SharedLibrary::open(artifact)?;
        // SAFETY: both have the types that workloads/ledger/native/main.go gives them.
        unsafe {
            let connect: unsafe extern "C" fn(HostFunction) =
                library.function(c"ledger_connect")?;
            connect(host_function);
            Ok(Library { call: library.function(c"ledger_call")? })
        }
    }
}

type Call =
    unsafe extern "C" fn(*const c_char, *const u8, usize, *mut *mut c_void, *mut usize) -> c_int;

/// The library, which stays open.
pub struct Library {
    call: Call,
}

impl Loaded for Library {
    fn call(&self, entry: &str, input: &[u8], _context: &mut CallContext) -> Result<Vec<u8>> {
        let entry = CString::new(entry)?;
        let (mut output, mut len) = (null_mut(), 0);
        // SAFETY: it reads name and input, and gives a block that is ours.
        let (status, bytes) = unsafe {
            let (start, length) = (pointer(input), input.len());
            let status = (self.call)(entry.as_ptr(), start, length, &mut output, &mut len);
            let bytes = match len {
                0 => Vec::new(),
                len => from_raw_parts(output.cast::<u8>(), len).to_vec(),
            };
            libc::free(output);
            (status, bytes)
        };
        ensure!(status == 0, "{}", String::from_utf8_lossy(&bytes));
        Ok(bytes)
    }
}

thread_local! {
    /// The value that was asked for last.
    static VALUE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The host's functions, in the order of workloads/ledger/golang/host/host_native.go.
///
/// # Safety
///
/// The spans are of bytes, and `result` has the room that its function's result takes. What panics ends the
/// process, with its message.
unsafe extern "C" fn host_function(
    function: u32,
    a: *const u8,
    a_len: usize,
    b: *const u8,
    b_len: usize,
    result: *mut c_void,
) -> i64 {
    let span = |start: *const u8, len: usize| match len {
        0 => &[],
        // SAFETY: the caller vouches for the span.
        len => unsafe { from_raw_parts(start, len) },
    };
    let (a, b) = (span(a, a_len), span(b, b_len));
    let give = |bytes: &[u8]| {
        // SAFETY: the caller vouches for the room.
        unsafe { result.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        0
    };
    match function {
        0 => {
            let Some(value) = host::get(a) else { return -1 };
            // SAFETY: the caller vouches for the room of a pointer.
            unsafe { result.cast::<*const u8>().write_unaligned(pointer(&value)) };
            let len = value.len() as i64;
            VALUE.set(value);
            len
        }
        1 => done(host::set(a, b)),
        2 => done(host::clear(a)),
        3 => host::exists(a).into(),
        4 => done(host::append(a, b)),
        5 => give(&host::storage_root()),
        6 => done(host::begin()),
        7 => done(host::commit()),
        8 => done(host::rollback()),
        9 => {
            let list = parity_scale_codec::Decode::decode(&mut &*a).expect("the ledger's own list");
            give(&host::ordered_root(list))
        }
        10 => give(&host::blake2_128(a)),
        11 => give(&host::blake2_256(a)),
        12 => give(&host::twox_64(a)),
        13 => {
            let (signature, signer) = a.split_first_chunk().expect("a signature of 64 bytes");
            let signer = signer.try_into().expect("a key of 32 bytes");
            host::sr25519_verify(signature, b, &signer).into()
        }
        other => unreachable!("host function {other}"),
    }
}

/// Where bytes are; null for none, as Go takes other numbers for damage.
fn pointer(bytes: &[u8]) -> *const u8 {
    if bytes.is_empty() { null() } else { bytes.as_ptr() }
}

fn done((): ()) -> i64 {
    0
}
