//! Finds the entry point that is asked for among a module's exports, or says which there are.

use crate::{output::Plain, status::Usage};
use anyhow::{Result, bail};
use lithify_polkadot::{
    CallError,
    native::{entry_points, entry_type},
};
use lithify_runtime::{ExportType, Trap};

/// Looks for an entry point among exports with their types.
pub fn find_entry(entry: &str, exports: Vec<ExportType>) -> Result<()> {
    let exports: Vec<_> = exports.into_iter().map(|e| (e.name, e.ty.to_string())).collect();
    let found = exports.iter().find(|(name, _)| name == entry).map(|(_, ty)| ty.clone());
    let wanted = format!("func {}", entry_type());
    if found.as_ref() == Some(&wanted) {
        return Ok(());
    }
    let of_type = exports.into_iter().filter(|(_, ty)| *ty == wanted).map(|(name, _)| name);
    let available: Vec<String> = of_type.collect();
    let likeness =
        |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &entry.to_lowercase());
    let like = available.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let like = like.filter(|name| found.is_none() && likeness(name) > 0.85);
    let advice = match like {
        Some(name) => format!("; did you mean {}?", Plain(name)),
        None if found.is_some() => "; --invoke calls any function".into(),
        None => String::new(),
    };
    let error = CallError::<Trap>::NoEntry { name: entry.to_owned(), found, available };
    bail!("{error}{advice}")
}

/// Asks for an entry point, and offers the usual ones of those that there are.
pub fn which_entry(exports: Vec<ExportType>) -> Usage {
    let (mut names, usual) = (entry_points(exports), ["Core_version", "Metadata_metadata"]);
    names.sort_by_key(|name| !usual.contains(&name.as_str()));
    let (count, shown) = (names.len(), names.iter().take(4).map(|name| Plain(name).to_string()));
    let shown = shown.collect::<Vec<_>>().join(", ");
    Usage(match count {
        0 => format!(
            "which entry point? the module has none, that is, no func {}; --invoke NAME -- ARGS calls \
             any function",
            entry_type()
        ),
        _ => format!(
            "which entry point? there are {count}, such as {shown} (`inspect` lists all); only a \
             block file can be run without one"
        ),
    })
}
