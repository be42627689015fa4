//! Runs scripts of the WebAssembly specification with images that were compiled on another
//! machine: `spec FOLDER SCRIPT...` prints for each script how its assertions went.

use lithify_spec::{images, run};
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("usage: spec FOLDER SCRIPT...")?;
    for path in arguments {
        let tally = run(&fs::read_to_string(&path)?, &mut |wasm| images::read(&folder, wasm))?;
        println!("{}: {tally}", path.file_stem().unwrap_or_default().display());
    }
    Ok(())
}
