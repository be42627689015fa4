//! The places of a compiled function where it can trap, and where its calls return.

use crate::isa;
use cranelift_codegen::CompiledCode;
use lithify_abi::site::{self, Site};

/// Trap sites and call sites in order of their address, of a function whose body starts at `body` in
/// the Wasm file.
pub fn sites(compiled: &CompiledCode, body: u32) -> Vec<Site> {
    let traps = (compiled.buffer.traps().iter())
        .map(|trap| (trap.offset, trap.offset, isa::from_trap_code(trap.code) as u8));
    // A call's return address is the byte after it: the call itself is one byte before.
    let calls = compiled.buffer.call_sites().map(|s| (s.ret_addr, s.ret_addr - 1, site::CALL));
    let mut sites: Vec<(u32, u32, u8)> = traps.chain(calls).collect();
    sites.sort_unstable();
    let mut locations = compiled.buffer.get_srclocs_sorted().iter().peekable();
    let mut wasm = body;
    (sites.into_iter())
        .map(|(code, inside, kind)| {
            while let Some(location) = locations.next_if(|l| l.start <= inside) {
                if !location.loc.is_default() {
                    wasm = location.loc.bits();
                }
            }
            Site { code, wasm, kind }
        })
        .collect()
}
