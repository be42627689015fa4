//! `lithify compile --emit exe`: the object of a program, a start in C and the static library with the
//! functions of WASI, put together by the system's C compiler.
//!
//! Nothing of the module reaches the command line of the compiler or the text that it reads.

use crate::status::Usage;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use lithify_compiler::{Options, inspect};
use lithify_runtime::{ExternType, FuncType};
use lithify_wasi::{MODULE, START, functions::type_of};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the static library is called.
const LIBRARY: &str = "liblithify_program.a";

/// What Rust's standard library wants of the system, by `rustc --print native-static-libs`.
const SYSTEM: [&str; 6] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

/// How an executable is made.
#[derive(Args)]
#[command(next_help_heading = "Executables (--emit exe)")]
pub struct ExecutableOptions {
    /// A directory that the executable may use with all that is in it, and its name for the program. A
    /// relative one is found from where the executable is started.
    #[arg(long = "dir", value_name = "HOST[::GUEST]")]
    directories: Vec<String>,
    /// The static library with the functions of WASI; by default the one beside the command, or in
    /// ../lib/lithify/ from there.
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
}

impl ExecutableOptions {
    /// Whether any is given.
    pub fn are_given(&self) -> bool {
        !self.directories.is_empty() || self.library.is_some()
    }

    /// The static library, which has to be there.
    pub fn library(&self) -> Result<PathBuf> {
        if let Some(library) = &self.library {
            let shown = library.display();
            ensure!(library.is_file(), Usage(format!("--library: there is no file {shown}")));
            return Ok(library.clone());
        }
        let command = env::current_exe().context("cannot find this command's own file")?;
        let folder = command.parent().unwrap_or(Path::new("/"));
        let places = [folder.join(LIBRARY), folder.join("../lib/lithify").join(LIBRARY)];
        let found = places.into_iter().find(|place| place.is_file());
        found.with_context(|| {
            format!(
                "there is no {LIBRARY} in {} nor in ../lib/lithify/ from there; `cargo build \
                 --release -p lithify-program` makes it, and --library says where it is",
                folder.display()
            )
        })
    }

    /// Links the object of a program. With `debug_info`, symbols and what is for debuggers stay.
    pub fn link(&self, object: &[u8], library: &Path, debug_info: bool) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().context("cannot make a folder for the linker")?;
        let at = |name: &str| folder.path().join(name);
        let put = |name: &str, bytes: &[u8]| {
            fs::write(at(name), bytes)
                .with_context(|| format!("cannot write {}", at(name).display()))
        };
        put("program.o", object)?;
        put("main.c", start(&self.directories).as_bytes())?;
        let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
        let shown = compiler.display().to_string();
        let linked = Command::new(&compiler)
            .args(["-O1", "-Wl,--gc-sections"])
            .args((!debug_info).then_some("-Wl,-s"))
            .arg("-o")
            .args([at("program"), at("main.c"), at("program.o")])
            .arg(library)
            .args(SYSTEM)
            .output()
            .with_context(|| format!("cannot start the C compiler {shown}; CC names another"))?;
        if !linked.status.success() {
            let said = String::from_utf8_lossy(&linked.stderr);
            let first =
                said.lines().find(|line| line.contains("error") || line.contains("undefined"));
            bail!("{shown} links no executable: {}", first.unwrap_or("it does not say why").trim());
        }
        fs::read(at("program")).context("the C compiler left no executable")
    }
}

/// Says why a module makes no executable: it is no program, or wants more than WASI.
pub fn check(name: &str, wasm: &[u8], options: &Options) -> Result<()> {
    let module = inspect(wasm, options).with_context(|| name.to_owned())?;
    let is_start = |ty: &ExternType| *ty == ExternType::Func(FuncType::new(&[], &[]));
    let starts = module.exports.iter().any(|export| export.name == START && is_start(&export.ty));
    ensure!(
        starts,
        "{name} is no program, as it exports no function {START} of type () -> (); --emit obj makes an \
         object, whose functions your own program calls"
    );
    for import in &module.imports {
        let known = (import.module == MODULE).then(|| type_of(&import.name)).flatten();
        ensure!(
            known.is_some_and(|known| import.ty == ExternType::Func(known)),
            "{name} imports {}.{} as a {}, which WASI preview 1 does not have; --emit obj makes an \
             object that your own program has the functions for",
            import.module,
            import.name,
            import.ty
        );
    }
    Ok(())
}

/// The source of `main`.
fn start(directories: &[String]) -> String {
    let directories: String =
        directories.iter().map(|directory| format!("    {},\n", literal(directory))).collect();
    format!(
        "extern int lithify_program(const unsigned char *module, int count, char **arguments,\n\
         \x20                          const char *const *directories);\n\
         extern const unsigned char lithify_module[];\n\
         \n\
         static const char *const directories[] = {{\n{directories}    0,\n}};\n\
         \n\
         int main(int count, char **arguments) {{\n\
         \x20   return lithify_program(lithify_module, count, arguments, directories);\n\
         }}\n"
    )
}

/// A text as a literal of C.
fn literal(text: &str) -> String {
    let bytes: String = text.bytes().map(|byte| format!("\\{byte:03o}")).collect();
    format!("\"{bytes}\"")
}
