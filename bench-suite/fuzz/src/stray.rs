//! Decodes what Lithify makes of a module: no branch goes astray, on any machine.

use anyhow::{Context, Result};
use lithify_compiler::{Options, Target, branches, compile_image};

/// Compiles `wasm` with these options and follows all control flow in it, for the machine at hand and,
/// where that is x86-64, for the others.
pub fn decode(wasm: &[u8], options: &Options) -> Result<()> {
    let mut targets = vec![Target::host()];
    if cfg!(target_arch = "x86_64") {
        let v2 = Target::host().with_cpu("x86-64-v2")?;
        targets.extend([v2, Target::aarch64()]);
    }
    for target in targets {
        let options = Options { target, jobs: 1, ..options.clone() };
        let image = compile_image(wasm, &options)?;
        branches(&image).with_context(|| format!("{target:?}"))?;
    }
    Ok(())
}
