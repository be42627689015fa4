//! Says of a panic what it is: that of a host function is the trap of its guest, which the command
//! reports; any other is a fault of ours, reported without a path of the machine that compiled us.

use crate::output::{self, Plain};
use std::panic::{self, PanicHookInfo};

/// Takes the place of Rust's own report.
pub fn say_what_they_are() {
    panic::set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    if lithify_runtime::is_calling_guest() {
        return;
    }
    let message = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map_or_else(String::new, |location| {
        format!(" at {}:{}", below_sources(location.file()), location.line())
    });
    output::report(format_args!(
        "internal error: {}{}; this is a fault of Lithify: please report it, with the command and \
         its input",
        Plain(message),
        place
    ));
}

/// The part of a source's path that is the same on every machine: within our own sources, those of
/// a dependency, or Rust's.
fn below_sources(path: &str) -> &str {
    match path.split_once("/registry/src/").and_then(|(_, path)| path.split_once('/')) {
        Some((_, path)) => path,
        None if !path.starts_with('/') => path,
        None => match path.find("/library/") {
            Some(at) => &path[at + 1..],
            None => path.rsplit('/').next().unwrap_or_default(),
        },
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_path_of_the_machine_that_compiled() {
        for (path, shown) in [
            ("src/main.rs", "src/main.rs"),
            (
                "/home/me/.cargo/registry/src/index-1f/trie-db-0.31.0/src/lib.rs",
                "trie-db-0.31.0/src/lib.rs",
            ),
            ("/somewhere/else.rs", "else.rs"),
            ("/rustc/c0ffee/library/core/src/option.rs", "library/core/src/option.rs"),
        ] {
            assert_eq!(super::below_sources(path), shown);
        }
    }
}
