//! `lithify run BLOCK`: executes a block, compares roots, and under another runtime says which keys differ.

use super::{Form, Run, differs};
use crate::{output, source};
use anyhow::{Context, Result, bail};
use lithify_compiler::Emit;
use lithify_polkadot::{
    Block, CallContext, CallError, Input, Session, SignatureThreads,
    native::{Runtime, RuntimeError, RuntimeOptions},
};
use serde_json::json;

impl Run {
    /// Executes the block, and says whether it comes to the root in its header.
    pub(super) fn block(
        &self,
        runtime: &Runtime,
        session: &mut Session<'_>,
        context: &mut CallContext,
        block: &Block,
    ) -> Result<()> {
        let threads = match self.signature_threads {
            0 => None,
            threads => Some(SignatureThreads::new(threads.into()).context("cannot start threads")?),
        };
        let report = match runtime.execute_block(session, context, block, threads.as_ref()) {
            Ok(report) => report,
            // The runtime says of a wrong root no more than that it is one.
            Err(error @ RuntimeError::Call(CallError::Trap { .. })) => {
                let report = differs::but_for_its_root(runtime, session, context, block);
                report.ok_or(error)?
            }
            Err(error) => return Err(error.into()),
        };
        let found = match report.matches() {
            true => None,
            false => self.differences(runtime, session, block)?,
        };
        let (number, extrinsics) = (block.header.number, block.extrinsics.len());
        let (expected, computed) =
            (source::hex(&report.expected_root), source::hex(&report.computed_root));
        if self.form() == Form::Json {
            output::json(json!({
                "block": number,
                "extrinsics": extrinsics,
                "state_root": expected,
                "computed_root": computed,
                "matches": report.matches(),
                "differences": found.as_ref().map(|found| {
                    found.iter().map(differs::Difference::json).collect::<Vec<_>>()
                }),
            }))?;
        } else {
            let verdict = if report.matches() { "matches" } else { "differs" };
            output::line(format_args!(
                "block {number}: {extrinsics} extrinsics executed, state root {computed} {verdict}"
            ))?;
            differs::print(found.as_deref().unwrap_or_default())?;
        }
        let why = match &found {
            _ if report.matches() => return Ok(()),
            Some(found) => format!("{} keys differ from what its own runtime writes", found.len()),
            None => "there is no other runtime that reaches that root, to compare with".into(),
        };
        bail!(
            "the header of block {number} says {expected}, the state after it is {computed}; {why}"
        );
    }

    /// What differs from what the block's own runtime, the one in its state, writes; `None` where that
    /// is this one, or none, or differs as well.
    fn differences(
        &self,
        runtime: &Runtime,
        session: &mut Session<'_>,
        block: &Block,
    ) -> Result<Option<Vec<differs::Difference>>> {
        let name = "the runtime in the block's state";
        let Some(code) = session.state().code() else { return Ok(None) };
        let Input::Runtime(own) = Input::read(code, name)? else { return Ok(None) };
        if own.code_hash == *runtime.image().code_hash() {
            return Ok(None);
        }
        let options = source::host_options(&own);
        let image = self.bounds.compile(name, own.wasm(), Emit::Image, &options, &())?;
        let options = RuntimeOptions {
            trap_missing: true,
            call_timeout: self.bounds.call_timeout(),
            ..RuntimeOptions::default()
        };
        let own = Runtime::from_bytes(&image, &options)?;
        Ok(differs::differences(session, block, &own)?)
    }
}
