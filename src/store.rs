//! Which directory images are kept in, and what a compilation's image is called there.
//!
//! The directory that is named is trusted, as its images are code: by `--dir` or `--cache`, else by
//! `LITHIFY_CACHE`. The one below the home of a user is nobody's choice, so it has to be this user's.

use crate::{
    bounds::{duration, size},
    output,
    status::Usage,
};
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use lithify_compiler::{Heat, Inline, Options, Profile, Target, Tier};
use lithify_runtime::{
    Metadata,
    abi::{RELEASE, cpu::CpuFeature},
};
use lithify_store::{Bounds, GetOrMakeError, Key, Store};
use rustix::{
    fs::{Access, access},
    process::geteuid,
};
use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Names the directory where no option does.
const VARIABLE: &str = "LITHIFY_CACHE";

/// Where images are.
#[derive(Args)]
pub struct Place {
    /// The folder of images; by default what LITHIFY_CACHE names, else lithify in the user's folder for
    /// caches (XDG_CACHE_HOME, ~/.cache).
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Where images are that a command adds to or removes from, and how much stays.
#[derive(Args)]
pub struct Kept {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    keep: Keep,
}

impl Kept {
    /// Opens the store.
    pub fn open(&self) -> Result<Store> {
        self.place.open_to_write(self.keep)
    }
}

/// How much is kept.
#[derive(Args, Clone, Copy, Default)]
pub struct Keep {
    /// The most that is kept: bytes, or with K, M or G; 4 GiB by default. What was used least recently
    /// goes first.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// How long an image is kept that nobody uses: with h or d; 182 days by default.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_age: Option<Duration>,
}

impl Keep {
    fn bounds(self) -> Bounds {
        let usual = Bounds::default();
        Bounds {
            max_bytes: self.max_size.unwrap_or(usual.max_bytes),
            max_age: self.max_age.unwrap_or(usual.max_age),
        }
    }
}

impl Place {
    /// Opens the store with the usual bounds.
    pub fn open(&self) -> Result<Store> {
        open(self.dir.as_deref(), Bounds::default())
    }

    /// Opens the store to add to it or to remove from it.
    pub fn open_to_write(&self, keep: Keep) -> Result<Store> {
        let store = open(self.dir.as_deref(), keep.bounds())?;
        writable(store.dir())?;
        Ok(store)
    }
}

/// Says at once that nothing could be kept in `folder`.
pub fn writable(folder: &Path) -> Result<()> {
    access(folder, Access::WRITE_OK | Access::EXEC_OK).with_context(|| {
        let folder = folder.display();
        format!("cannot write to {folder}; it has to belong to who runs this, or name another one")
    })
}

/// The store that a command uses on the way: that of `--cache`, with a folder or without, else the one
/// that the environment names; none without either.
pub fn on_the_way(asked: Option<&Option<PathBuf>>) -> Result<Option<Store>> {
    match asked {
        Some(folder) => open(folder.as_deref(), Bounds::default()).map(Some),
        None if env::var_os(VARIABLE).is_some_and(|folder| !folder.is_empty()) => {
            open(None, Bounds::default()).map(Some)
        }
        None => Ok(None),
    }
}

fn open(named: Option<&Path>, bounds: Bounds) -> Result<Store> {
    let variable = |name| env::var_os(name).map(PathBuf::from);
    let chosen = named.map(Path::to_owned);
    let chosen = chosen.or_else(|| variable(VARIABLE).filter(|path| path != Path::new("")));
    if let Some(folder) = chosen {
        return Ok(Store::open(folder, bounds)?);
    }
    let caches = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let home = || Some(variable("HOME")?.join(".cache")).filter(|path| path.is_absolute());
    let folder = caches.or_else(home).map(|caches| caches.join("lithify"));
    let folder = folder.ok_or_else(|| {
        Usage(format!("where are images kept? there is no HOME; give --dir, or set {VARIABLE}"))
    })?;
    let store = Store::open(&folder, bounds)?;
    let owner =
        fs::metadata(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let (owner, me) = (owner.uid(), geteuid().as_raw());
    ensure!(
        owner == me,
        "{} belongs to user {owner}, and what is in it runs as code; name it (--dir, {VARIABLE}) if \
         that user is to be trusted",
        folder.display()
    );
    Ok(store)
}

/// What the image of a module is called that is compiled with these options.
pub fn key(options: &Options, wasm: &[u8]) -> Key {
    let profile = options.profile.unwrap_or_else(|| Profile::of(wasm));
    let Target { machine, features } = options.target;
    let heat = options.used_heat().map(Heat::hash);
    let shape = shape(profile, options.tier, options.inlines(), heat.as_deref());
    Key::new(options.code_hash, machine, features, &shape)
}

/// What an image has to be called, by what it says of itself. Only those of this release can be read.
pub fn key_of(metadata: &Metadata) -> Result<Key> {
    let Options { target, profile, tier, inline, code_hash, .. } = plain_options(metadata)?;
    let profile = profile.context("the image does not say what it was made with")?;
    let shape = shape(profile, tier, inline, option(metadata, "heat="));
    Ok(Key::new(code_hash, target.machine, target.features, &shape))
}

/// What shapes an image besides the machine, as far as it is not the default.
fn shape(profile: Profile, tier: Tier, inline: Inline, heat: Option<&str>) -> String {
    let mut shape = format!("profile={profile}");
    match (tier, inline) {
        (Tier::Full, Inline::On) => {}
        (Tier::Full, Inline::Off) => shape += " inline=off",
        (Tier::Fast, _) => shape += " tier=fast",
    }
    heat.into_iter().for_each(|heat| shape += &format!(" heat={heat}"));
    shape
}

/// The options that `image` was made with, by what it says and has, with the profile among them, which
/// has to be at hand.
pub fn options(metadata: &Metadata, image: &[u8], heat: Option<Arc<Heat>>) -> Result<Options> {
    let given = heat.as_ref().map(|heat| heat.hash());
    let debug_info = Metadata::debug_info_len(image) > 0;
    match (option(metadata, "heat="), given.as_deref()) {
        (said, given) if said == given => {
            Ok(Options { heat, debug_info, ..plain_options(metadata)? })
        }
        (Some(said), None) => {
            bail!("it was made with a profile, {said}: `lithify verify --profile` takes that")
        }
        (None, _) => bail!("it was made without a profile: leave --profile out"),
        (Some(said), Some(given)) => {
            bail!("it was made with the profile {said}, and the one of --profile is {given}")
        }
    }
}

/// What an image says behind `name` among its options.
fn option<'m>(metadata: &'m Metadata, name: &str) -> Option<&'m str> {
    metadata.options.split(' ').find_map(|option| option.strip_prefix(name))
}

/// Those but for the profile.
fn plain_options(metadata: &Metadata) -> Result<Options> {
    let mut target: Target = metadata.machine.parse()?;
    target.features = (CpuFeature::ALL.iter())
        .filter(|feature| metadata.cpu_features.iter().any(|name| name == feature.name()))
        .fold(0, |bits, feature| bits | feature.bit());
    let option = |name| option(metadata, name);
    let profile: Option<Profile> = option("profile=").map(str::parse).transpose()?;
    let tier = option("tier=").map_or(Ok(Tier::default()), str::parse)?;
    let inline = option("inline=").map_or(Ok(Inline::default()), str::parse)?;
    let code_hash = metadata.code_hash;
    Ok(Options { target, profile, tier, inline, code_hash, ..Options::default() })
}

/// Where an image is.
pub enum ImageSource {
    /// In a file, which is mapped.
    File(PathBuf),
    /// In no file.
    Bytes(Vec<u8>),
}

/// The image that is kept, else the one that `make` makes, which is kept from then on. That it cannot
/// be is said, and no obstacle.
pub fn image(
    store: Option<&Store>,
    key: impl FnOnce() -> Key,
    make: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<ImageSource> {
    let Some(store) = store else { return Ok(ImageSource::Bytes(make()?)) };
    match store.get_or_make(&key(), make) {
        Ok(path) => Ok(ImageSource::File(path)),
        Err(GetOrMakeError::Make(error)) => Err(error),
        Err(GetOrMakeError::NotKept { image, error }) => {
            output::note(format_args!("{:#}", anyhow!(error)));
            Ok(ImageSource::Bytes(image))
        }
    }
}

/// The first byte in which two images differ; `None` if they are the same.
pub fn difference(a: &[u8], b: &[u8]) -> Option<usize> {
    (a != b).then(|| a.iter().zip(b).take_while(|(a, b)| a == b).count())
}

/// Refuses what another release made: its images are of no use here.
pub fn of_this_release(key: &Key) -> Result<()> {
    if key.release != RELEASE {
        bail!("made by lithify {}, but this is {RELEASE}; compile the code again", key.release);
    }
    Ok(())
}
