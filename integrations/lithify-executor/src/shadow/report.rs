//! What is said and kept of a call that differed.

use super::{Call, recorder::Record};
use lithify_node::LOG;
use serde_json::{Map, Value, json};
use sp_core::{hexdisplay::HexDisplay, traits::FetchRuntimeCode};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// Files that one process writes, at most: an engine that is wrong is wrong often.
const FILES: u64 = 16;

/// Logs the difference, with the file that repeats the call.
pub fn report(call: &Call<'_>, what: &str, records: [&Record; 2], folder: &Path) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let Call { code, method, data, context } = call;
    let code_hash = HexDisplay::from(&code.hash);
    let repeat = if number < FILES {
        match write(call, records, folder, number) {
            Ok(path) => {
                format!(
                    "repeat it by `lithify run {} {method} --input {}`",
                    path.display(),
                    text(data)
                )
            }
            Err(error) => format!("what repeats it cannot be kept: {error}"),
        }
    } else {
        format!("{FILES} files that repeat such calls are kept, and no more")
    };
    log::error!(
        target: LOG,
        "image and fallback differ, and the fallback's answer is used: {method} of the runtime \
         {code_hash} ({context:?}, heap pages {:?}, argument of {} bytes): {what}; {repeat}",
        code.heap_pages,
        data.len(),
    );
}

/// A raw chain spec: the code, and all that the call read.
fn write(
    call: &Call<'_>,
    records: [&Record; 2],
    folder: &Path,
    number: u64,
) -> io::Result<PathBuf> {
    let mut top = Map::new();
    let mut children = Map::new();
    for (child, held) in records.into_iter().flat_map(|record| &record.held) {
        let trie = match child {
            None => &mut top,
            Some(child) => {
                let trie = children.entry(text(child)).or_insert_with(|| json!({}));
                let Value::Object(trie) = trie else { continue };
                trie
            }
        };
        let values = held.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        for (key, value) in values {
            // What the fallback found after the image had looked there is the same.
            trie.entry(text(key)).or_insert_with(|| text(value).into());
        }
    }
    if let Some(code) = call.code.fetch_runtime_code() {
        top.insert(text(b":code"), text(&code).into());
    }
    let id = format!("{}-{}", HexDisplay::from(&call.code.hash), call.method);
    let spec = json!({
        "name": id,
        "id": id,
        "call": { "method": call.method, "argument": text(call.data) },
        "genesis": { "raw": { "top": top, "childrenDefault": children } },
    });
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{id}-{}-{number}.json", process::id()));
    fs::write(&path, spec.to_string())?;
    Ok(path)
}

fn text(bytes: &[u8]) -> String {
    format!("0x{}", HexDisplay::from(&bytes))
}
