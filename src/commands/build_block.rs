//! `lithify build-block`: makes a block on a state and writes it with that state.

use crate::{
    bounds::BoundOptions,
    output::{self, Content, Destination},
    source::{self, Source},
    status::Usage,
    store,
};
use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
#[cfg(feature = "bench")]
use lithify_bench::transfers;
use lithify_compiler::Emit;
use lithify_polkadot::{
    Block, BlockRequest, BuiltBlock, CallContext, RuntimeInput, State,
    author::{self, InherentId, Sealer},
    block_file, build_block,
    native::{Runtime, RuntimeOptions},
    parse_hex,
};
use serde_json::json;
use std::path::PathBuf;

/// Makes a block on a state, from extrinsics, and writes it with the state for `run`.
#[derive(Args)]
#[command(after_help = "\
The state is that of a chain spec, on which the first block is made, or of a block file, on which
a block is made in place of the one in the file. The runtime in the state makes the inherents; the
block has no seal. It is executed once before it is written. The same request gives the same block.

A parachain's first block gets a relay chain that is made up, without messages. Inherent data of
other kinds, or for later blocks of a parachain (sysi1337, since 2025 sysi1338), comes by --inherent.

Examples:
  lithify build-block --state westend.json -o block.json
  lithify build-block --state westend.json --timestamp 1750000002000 -o block.json
  lithify build-block --state westend.json --extrinsic $(cat transfer.hex) -o block.json
  lithify build-block --state workloads/ledger/genesis.json --transfers 100 -o block.json
  lithify build-block --state parachain.json -o block.json --candidate candidate.scale
  lithify run block.json")]
pub struct BuildBlock {
    /// A chain spec in raw form, or a block file.
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// An extrinsic with its length before it, in hex; they are applied in order.
    #[arg(long = "extrinsic", value_name = "0x…")]
    extrinsics: Vec<String>,
    /// So many signed transfers, for a state of the ledger (workloads/ledger).
    #[cfg(feature = "bench")]
    #[arg(long, value_name = "N", conflicts_with = "extrinsics")]
    transfers: Option<u32>,
    /// Decides who pays whom, how much.
    #[cfg(feature = "bench")]
    #[arg(long, value_name = "N", default_value_t = transfers::SEED, requires = "transfers")]
    seed: u64,
    /// The time of the block, in ms since 1970; by default that of the next slot.
    #[arg(long, value_name = "MS")]
    timestamp: Option<u64>,
    /// More inherent data: an identifier of eight characters, and SCALE bytes.
    #[arg(long = "inherent", value_name = "ID=0x…")]
    inherents: Vec<String>,
    /// Hash of the parent's header, for a state that is not the chain's first.
    #[arg(long, value_name = "0x…", requires = "parent_number")]
    parent_hash: Option<String>,
    /// Number of the parent.
    #[arg(long, value_name = "N", requires = "parent_hash")]
    parent_number: Option<u64>,
    /// Write the argument of validate_block there as well, for `run --pvf`: the first block of a
    /// parachain, with a proof of the state that it reads. A runtime with AURA takes it sealed only, by
    /// --seal-by.
    #[arg(long, value_name = "FILE")]
    candidate: Option<PathBuf>,
    /// The secret of the AURA key that seals the candidate: a phrase, or //Alice and such. Its slot is
    /// the author's, by --timestamp, where there are several.
    #[arg(long, value_name = "SECRET", requires = "candidate")]
    seal_by: Option<String>,
    /// Where the block goes; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Say what became of it as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bounds: BoundOptions,
}

impl BuildBlock {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        crate::logger::start(log::LevelFilter::Warn);
        let place = Destination::open(&self.output, Content::Text, &[&self.state])?;
        let candidate = self.candidate.as_ref();
        let candidate =
            candidate.map(|path| Destination::open(path, Content::Binary, &[&self.state]));
        let candidate = candidate.transpose()?;
        let sealer = self.seal_by.as_deref().map(Sealer::by_secret).transpose();
        let sealer = sealer.map_err(|error| Usage(format!("--seal-by: {error}")))?;
        let (name, input) = Source::read(&self.state)?.runtime()?;
        let state = input.state.clone();
        let mut state = state.with_context(|| format!("{name} {}", input.form.no_state()))?;
        let request = self.request(&input)?;
        let runtime = load(&name, &input, self.bounds)?;
        let version = runtime.version().with_context(|| name.clone())?;
        state.set_version(version.state_version());
        #[cfg(feature = "bench")]
        let request = self.with_transfers(request, &name, &version, &state)?;
        let mut context = CallContext::new();
        let built = state.session().execute(|| {
            build_block(&state, &version, &request, |entry, input| {
                runtime.call(entry, input, &mut context)
            })
        })?;
        check(&runtime, &state, &built.block)?;
        if let Some(candidate) = &candidate {
            let call = |entry: &str, input: &[u8]| runtime.call(entry, input, &mut context);
            let argument = author::candidate(&mut state.session(), &built, sealer.as_ref(), call)?;
            candidate.write(&argument)?;
        }
        let text = block_file(&built.block, &state);
        place.write(text.as_bytes())?;
        // Standard output then holds the block itself.
        if place.is_stdout() { Ok(()) } else { self.report(&built) }
    }

    fn request(&self, input: &RuntimeInput) -> Result<BlockRequest> {
        let of_file = input.block.as_ref().map(|block| &block.header);
        let of_file = of_file.map(|header| (header.number.saturating_sub(1), header.parent_hash));
        let parent = match (&self.parent_hash, self.parent_number) {
            (Some(hash), Some(number)) => {
                let bytes = parse_hex(hash)
                    .map_err(|why| anyhow!(Usage(format!("--parent-hash: it {why}"))))?;
                let hash = bytes
                    .try_into()
                    .map_err(|_| anyhow!(Usage("--parent-hash: not 32 bytes".into())))?;
                Some((number, hash))
            }
            _ => of_file,
        };
        let extrinsic = |(index, text): (usize, &String)| {
            parse_hex(text)
                .map_err(|why| anyhow!(Usage(format!("extrinsic {index}: the text {why}"))))
        };
        Ok(BlockRequest {
            parent,
            timestamp: self.timestamp,
            inherents: self.inherents.iter().map(|text| inherent(text)).collect::<Result<_>>()?,
            extrinsics: self.extrinsics.iter().enumerate().map(extrinsic).collect::<Result<_>>()?,
        })
    }

    /// The request with the transfers that were asked for.
    #[cfg(feature = "bench")]
    fn with_transfers(
        &self,
        request: BlockRequest,
        name: &str,
        version: &lithify_polkadot::RuntimeVersion,
        state: &State,
    ) -> Result<BlockRequest> {
        let Some(count) = self.transfers else { return Ok(request) };
        ensure!(
            *version.spec_name == *transfers::SPEC_NAME,
            "--transfers makes extrinsics for {}, but {name} has {}; give --extrinsic",
            transfers::SPEC_NAME,
            version.spec_name
        );
        let made = transfers::request(state, count, self.seed);
        let timestamp = request.timestamp.or(made.timestamp);
        Ok(BlockRequest { extrinsics: made.extrinsics, timestamp, ..request })
    }

    fn report(&self, built: &BuiltBlock) -> Result<()> {
        let BuiltBlock { block, inherents, failed, .. } = built;
        let (number, root) = (block.header.number, source::hex(&block.header.state_root));
        if self.json {
            return output::json(json!({
                "block": number,
                "hash": source::hex(&block.header.hash()),
                "state_root": root,
                "inherents": inherents,
                "extrinsics": block.extrinsics.len() - inherents,
                "failed": failed.iter().map(|(index, error)| json!({
                    "extrinsic": index,
                    "error": format!("{error:?}"),
                })).collect::<Vec<_>>(),
            }));
        }
        output::line(format_args!(
            "block {number}: {inherents} inherents, {} extrinsics, state root {root}",
            block.extrinsics.len() - inherents
        ))?;
        failed.iter().try_for_each(|(index, error)| {
            output::line(format_args!("  extrinsic {index} is in the block, but failed: {error:?}"))
        })
    }
}

fn inherent(text: &str) -> Result<(InherentId, Vec<u8>)> {
    let (id, data) = text
        .split_once('=')
        .ok_or_else(|| Usage(format!("--inherent {text}: give ID=0x…, such as sysi1337=0x00")))?;
    let id: InherentId = id.as_bytes().try_into().map_err(|_| {
        anyhow!(Usage(format!("--inherent {id}: an identifier has eight characters")))
    })?;
    let data =
        parse_hex(data).map_err(|why| anyhow!(Usage(format!("--inherent: the data {why}"))))?;
    Ok((id, data))
}

/// The runtime of a state, compiled for this machine. What an author never calls may be missing.
pub fn load(name: &str, input: &RuntimeInput, bounds: BoundOptions) -> Result<Runtime> {
    let options = source::host_options(input);
    let compile = || bounds.compile(name, input.wasm(), Emit::Image, &options, &());
    let store = store::on_the_way(None)?;
    let image = store::image(store.as_ref(), || store::key(&options, input.wasm()), compile)?;
    let call_timeout = bounds.call_timeout();
    let options = RuntimeOptions { trap_missing: true, call_timeout, ..RuntimeOptions::default() };
    image.load(&options).with_context(|| name.to_owned())
}

/// The block as any other node would take it.
fn check(runtime: &Runtime, state: &State, block: &Block) -> Result<()> {
    let (mut session, mut context) = (state.session(), CallContext::new());
    let executed = runtime.execute_block(&mut session, &mut context, block, None);
    let report = executed.context("the block was made, but cannot be executed")?;
    ensure!(
        report.matches(),
        "the block says that the state root is {}, but after it the root is {}",
        source::hex(&report.expected_root),
        source::hex(&report.computed_root)
    );
    Ok(())
}
