//! Compiles the guest to an object and hands it to the linker.

use lithify_compiler::{Options, compile_object};
use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let guest = "../guest.wasm";
    println!("cargo::rerun-if-changed={guest}");
    let object = compile_object(&fs::read(guest)?, &Options::default())?;
    let path = Path::new(&env::var("OUT_DIR")?).join("guest.o");
    fs::write(&path, object)?;
    println!("cargo::rustc-link-arg={}", path.display());
    Ok(())
}
