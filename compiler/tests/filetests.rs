//! Is the code that we emit what we think it is?
//!
//! Each `filetests/*.wat` starts with `;; test: clif` or `;; test: asm`, perhaps with `inline=off` and
//! a target, and ends with what that shows of it, in `;;!` comments. `BLESS=1 cargo test` rewrites the
//! latter. A file tests the behaviour that its name says.

use lithify_compiler::{Dump, Options, dump};
use std::{fs, path::Path};

#[test]
fn filetests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 5, "the filetests are there");
    let failed: Vec<_> = files.iter().filter(|file| !check(file)).collect();
    assert!(failed.is_empty(), "{failed:#?} differ; BLESS=1 rewrites them");
}

/// Compares one file with its expectation, or rewrites that.
fn check(path: &Path) -> bool {
    let source = fs::read_to_string(path).unwrap();
    let (module, expected) = match source.find("\n;;!") {
        Some(at) => source.split_at(at + 1),
        None => (source.as_str(), ""),
    };
    let mut words = module.lines().next().unwrap().strip_prefix(";; test: ").unwrap().split(' ');
    let what = match words.next() {
        Some("clif") => Dump::Clif,
        Some("asm") => Dump::Asm,
        other => panic!("{}: test {other:?}", path.display()),
    };
    let mut options = Options::default();
    for word in words {
        match word.strip_prefix("inline=") {
            Some(inline) => options.inline = inline.parse().unwrap(),
            None => options.target = word.parse().unwrap(),
        }
    }
    let text = dump(&wat::parse_str(module).unwrap(), &options, what, None).unwrap();
    let text: String =
        text.trim_end().lines().map(|l| format!(";;! {l}").trim_end().to_owned() + "\n").collect();
    if text == expected {
        return true;
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, format!("{module}{text}")).unwrap();
        return true;
    }
    eprintln!("{}:\n{text}", path.display());
    false
}
