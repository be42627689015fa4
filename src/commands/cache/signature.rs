//! Who signed an image: signatures of minisign, by the keys that a user trusts.
//!
//! The code in an image's name is in the image, too; the rest of the name is in the comment that is
//! signed (minisign writes it by itself). So an image is refused under another's name.

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use minisign_verify::{Error, PublicKey, Signature};
use std::path::PathBuf;

/// The end of the name of a signature.
pub const END: &str = ".minisig";

/// Whose images are taken.
#[derive(Args)]
pub struct Trusted {
    /// Take images that are signed with this key, again for more: a public key of minisign, in a file
    /// that is called after whose it is.
    #[arg(long = "trust", value_name = "KEYFILE")]
    keys: Vec<PathBuf>,
}

/// Keys, each with the name of its file.
pub struct Keys(Vec<(String, PublicKey)>);

impl Trusted {
    /// Whether any key was named.
    pub fn any(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Reads the keys.
    pub fn keys(&self) -> Result<Keys> {
        let read = |path: &PathBuf| {
            let shown = path.display();
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
            let key = PublicKey::decode(&text)
                .map_err(|error| anyhow!("{shown} is no public key of minisign: {error}"))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok((name, key))
        };
        self.keys.iter().map(read).collect::<Result<_>>().map(Keys)
    }
}

impl Keys {
    /// Whose signature this is of the image with these bytes and this file name.
    pub fn signer(&self, file_name: &str, image: &[u8], signature: &str) -> Result<&str> {
        let signature = Signature::decode(signature)
            .map_err(|error| anyhow!("its signature is none of minisign's: {error}"))?;
        for (name, key) in &self.0 {
            match key.verify(image, &signature, false) {
                Ok(()) => {
                    names(&signature, file_name)?;
                    return Ok(name);
                }
                Err(Error::UnexpectedKeyId) => {}
                Err(error) => bail!("its signature is not that of {name}: {error}"),
            }
        }
        bail!("it is signed by none of the keys that are trusted (--trust)")
    }
}

/// Whether a signature is for the file of this name.
fn names(signature: &Signature, file_name: &str) -> Result<()> {
    let comment = signature.trusted_comment();
    match comment.split('\t').find_map(|field| field.strip_prefix("file:")) {
        Some(name) if name == file_name => Ok(()),
        Some(name) => bail!("it was signed as {name}"),
        None => bail!("its signature does not say of which file; leave minisign its own comment"),
    }
}
