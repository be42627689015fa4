//! `lithify genesis`: makes the first state of a chain by its runtime and writes it as a raw chain spec.

use super::build_block::load;
use crate::{
    bounds::BoundOptions,
    output::{self, Content, Destination},
    source::{self, Source, beside},
    status::Usage,
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use lithify_polkadot::{
    CallContext, State,
    author::{GenesisBuilder, genesis_header},
    chain_spec, native,
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Makes the first state of a chain, as its runtime builds it, and writes it as a raw chain spec.
#[derive(Args)]
#[command(after_help = "\
The configuration is the runtime's default, or one of its presets or a patch merged into that (RFC 7396,
as nodes do), or a whole one. The same runtime and configuration give the same bytes.

Examples:
  lithify genesis node.wasm -o spec.json
  lithify genesis node.wasm --preset development -o spec.json
  lithify genesis node.wasm --patch accounts.json -o spec.json
  lithify genesis node.wasm --list
  lithify genesis node.wasm --show")]
pub struct Genesis {
    /// The runtime, in any of its forms but an image.
    runtime: PathBuf,
    /// A preset of the runtime.
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    preset: Option<String>,
    /// A JSON file with what differs from the default or the preset.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    patch: Option<PathBuf>,
    /// A JSON file with the whole configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the names of the runtime's presets, and make nothing.
    #[arg(long, conflicts_with_all = ["preset", "patch", "config", "show", "output"])]
    list: bool,
    /// Print the configuration, and make nothing.
    #[arg(long, conflicts_with = "output")]
    show: bool,
    /// Where the chain spec goes; `-` is standard output.
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["list", "show"])]
    output: Option<PathBuf>,
    /// Say what became of it as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bounds: BoundOptions,
}

impl Genesis {
    /// Runs the command.
    pub fn execute(self) -> Result<()> {
        crate::logger::start(log::LevelFilter::Warn);
        let files = [Some(&self.runtime), self.patch.as_ref(), self.config.as_ref()];
        let inputs: Vec<&Path> = files.into_iter().flatten().map(PathBuf::as_path).collect();
        let to = self.output.as_deref();
        let to = to.map(|path| Destination::open(path, Content::Text, &inputs)).transpose()?;
        let (name, input) = Source::read(&self.runtime)?.runtime()?;
        let runtime = load(&name, &input, self.bounds)?;
        let entries = native::entry_points(runtime.image().exports());
        let builder = GenesisBuilder::of(entries.iter().map(String::as_str));
        let builder = builder.with_context(|| {
            format!(
                "{name} has no GenesisBuilder, so it makes no state; take a chain spec of its node"
            )
        })?;
        let version = runtime.version().with_context(|| name.clone())?;
        let mut state = State::empty();
        state.set_version(version.state_version());
        let mut context = CallContext::new();
        let mut call = |entry: &str, input: &[u8]| runtime.call(entry, input, &mut context);
        if self.list {
            let presets = state.session().execute(|| builder.presets(&mut call))?;
            if self.json {
                return output::json(json!({ "presets": presets }));
            }
            return presets.iter().try_for_each(output::asked);
        }
        let config = match &self.config {
            Some(path) => serde_json::to_vec(&read(path)?)?,
            None => {
                let ask = |preset: Option<&str>| Ok(builder.config(preset, &mut call)?);
                state.session().execute(|| self.configuration(&name, ask))?
            }
        };
        let Some(to) = to else {
            let config: Value = serde_json::from_slice(&config)?;
            return format!("{config:#}").lines().try_for_each(output::asked);
        };
        let mut session = state.session();
        session.execute(|| builder.build(&config, &mut call)).with_context(|| name.clone())?;
        let genesis = GenesisBuilder::state(session, &input.code);
        let spec = chain_spec(&version.spec_name, &genesis);
        to.write(spec.as_bytes())?;
        if to.is_stdout() { Ok(()) } else { self.report(&genesis) }
    }

    /// The default configuration with the preset and the patch merged into it.
    fn configuration(
        &self,
        name: &str,
        mut ask: impl FnMut(Option<&str>) -> Result<Option<Vec<u8>>>,
    ) -> Result<Vec<u8>> {
        let default = ask(None)?.with_context(|| format!("{name} has no default configuration"))?;
        if self.preset.is_none() && self.patch.is_none() {
            return Ok(default);
        }
        let json = |bytes: &[u8]| -> Result<Value> {
            serde_json::from_slice(bytes).context("the runtime's configuration is no JSON")
        };
        let mut config = json(&default)?;
        if let Some(preset) = &self.preset {
            let found = ask(Some(preset))?;
            let Some(found) = found else {
                bail!(Usage(format!("{name} has no preset {preset}; --list prints them")));
            };
            merge(&mut config, json(&found)?);
        }
        if let Some(path) = &self.patch {
            merge(&mut config, read(path)?);
        }
        Ok(serde_json::to_vec(&config)?)
    }

    fn report(&self, genesis: &State) -> Result<()> {
        let (header, keys) = (genesis_header(genesis), genesis.len());
        let (root, hash) = (source::hex(&header.state_root), source::hex(&header.hash()));
        if self.json {
            return output::json(json!({ "hash": hash, "state_root": root, "state_keys": keys }));
        }
        output::line(format_args!("genesis {hash}: {keys} keys, state root {root}"))
    }
}

/// A JSON object in a file.
fn read(path: &Path) -> Result<Value> {
    let shown = path.display();
    let value: Value =
        serde_json::from_slice(&beside(path)?).context(format!("{shown}: no JSON"))?;
    ensure!(value.is_object(), "{shown} is no JSON object");
    Ok(value)
}

/// Merges `patch` into `value`, as RFC 7396 says.
fn merge(value: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *value = patch;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Some(object) = value.as_object_mut() else { return };
    for (name, part) in patch {
        match part {
            Value::Null => _ = object.remove(&name),
            part => merge(object.entry(name).or_insert(Value::Null), part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn merging_is_that_of_the_rfc() {
        for (value, patch, expected) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":"foo"}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
            (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ] {
            let [mut value, patch, expected] =
                [value, patch, expected].map(|text| serde_json::from_str(text).expect("JSON"));
            merge(&mut value, patch);
            assert_eq!(value, expected);
        }
    }
}
