//! Names the guest's functions at a place of an image's code, by the debug information in its file:
//! those that were inlined there, and the one whose code it is.
//!
//! It is asked afterwards, never where a place is noted.

use crate::engine::called;
use addr2line::Context;
use anyhow::{Context as _, Result};
use gimli::{Dwarf, EndianArcSlice, LittleEndian, SectionId};
use lithify_runtime::{Image, Metadata, Trust};
use object::{Object, ObjectSection};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The guest's functions in the text of an image.
pub struct Frames {
    context: Context<EndianArcSlice<LittleEndian>>,
    /// The address of the text in the file.
    text: u64,
    /// Where the first function with code is in the text.
    first: u64,
}

impl Frames {
    /// Those of the image with these bytes; `None` where it has no debug information.
    ///
    /// # Errors
    ///
    /// Where it is no image, or its debug information cannot be read.
    pub fn new(image: &[u8]) -> Result<Option<Self>> {
        let elf = object::File::parse(image).context("the image's sections")?;
        if elf.section_by_name(SectionId::DebugInfo.name()).is_none() {
            return Ok(None);
        }
        let section = |id: SectionId| -> Result<_> {
            let section = elf.section_by_name(id.name());
            let bytes = section.map(|section| section.data()).transpose()?.unwrap_or_default();
            Ok(EndianArcSlice::new(Arc::from(bytes), LittleEndian))
        };
        let text = elf.section_by_name(".text").context("there is no code")?.address();
        let context = Context::from_dwarf(Dwarf::load(section)?);
        let context = context.context("the image's debug information")?;
        let functions = Metadata::parse(image, Trust::SkipHash)?.functions;
        let first = functions.iter().find(|function| function.code_len > 0);
        let first = first.map_or(0, |function| function.code.into());
        Ok(Some(Self { context, text, first }))
    }

    /// Those of an artifact that is an image, by the one with debug information [`beside`] it where that
    /// has the same code.
    pub fn of_artifact(artifact: &Path) -> Result<Option<Self>> {
        let own = fs::read(artifact).context("cannot read an artifact")?;
        let beside = fs::read(beside(artifact)).unwrap_or_default();
        let explains = text(&beside).is_some_and(|code| text(&own) == Some(code));
        Self::new(if explains { &beside } else { &own })
    }

    /// The functions at so many bytes from the start of the text, the innermost first; none where that
    /// is no guest's code.
    pub fn at(&self, offset: u64) -> Vec<String> {
        self.names(self.text + offset).unwrap_or_default()
    }

    /// The same, by the bytes from the start of the first function with code.
    pub fn after_first(&self, offset: u64) -> Vec<String> {
        self.at(self.first + offset)
    }

    fn names(&self, address: u64) -> Option<Vec<String>> {
        let mut frames = self.context.find_frames(address).skip_all_loads().ok()?;
        let mut names = Vec::new();
        while let Some(frame) = frames.next().ok()? {
            names.push(renamed(&frame.function?.raw_name().ok()?));
        }
        Some(names)
    }
}

/// The guest's functions at the address `pc` in the code of `image`, the innermost first; without
/// `frames` the one whose code it is, and none where that is no guest's.
pub fn functions_at(image: &Image, frames: Option<&Frames>, pc: usize) -> Vec<String> {
    let Some((index, name)) = image.function_at(pc) else { return Vec::new() };
    let offset = (pc - image.text().start) as u64;
    let names = frames.map(|frames| frames.at(offset)).filter(|names| !names.is_empty());
    names.unwrap_or_else(|| vec![called(index, name)])
}

/// Where the image with debug information is that explains an artifact.
pub fn beside(artifact: &Path) -> PathBuf {
    artifact.with_added_extension("debug")
}

/// The code of an image.
fn text(image: &[u8]) -> Option<&[u8]> {
    object::File::parse(image).ok()?.section_by_name(".text")?.data().ok()
}

/// What reports call a function that debug information calls by its index, as `wasm[INDEX]`.
fn renamed(name: &str) -> String {
    let index = name.strip_prefix("wasm[").and_then(|name| name.strip_suffix(']'));
    match index.and_then(|index| index.parse().ok()) {
        Some(index) => called(index, ""),
        None => name.to_owned(),
    }
}
