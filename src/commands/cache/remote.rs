//! Fetches images from a store that somebody serves: plain HTTP GET of the files that there are.
//!
//! What comes is a stranger's until it is signed by a trusted key, or made again here to the same
//! bytes. That is why it needs no protection on the way.

use super::signature::{END, Keys, Trusted};
use crate::{status::Usage, store};
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use lithify_runtime::{Metadata, Trust};
use lithify_store::Key;
use std::time::Duration;
use ureq::Agent;

/// The longest image that is fetched, in bytes.
const MOST: u64 = 1 << 30;

/// From where images are fetched, and which of them are taken.
#[derive(Args)]
pub struct RemoteOptions {
    /// Fetch images from here before compiling: a folder of images that a web server has, by http://.
    /// It goes with --trust, --reproduce or both.
    #[arg(long, value_name = "URL")]
    remote: Option<String>,
    #[command(flatten)]
    trusted: Trusted,
    /// Recompile what was fetched, and take it if it is the same: after it was kept when it is signed by
    /// a trusted key, else before.
    #[arg(long, requires = "remote")]
    reproduce: bool,
}

/// Where images are fetched from.
pub struct Remote {
    url: String,
    agent: Agent,
    /// None: what is fetched has to be reproduced.
    keys: Option<Keys>,
    /// Whether what is fetched is made again.
    pub reproduce: bool,
}

/// An image that was fetched.
pub struct Fetched {
    /// Its bytes.
    pub image: Vec<u8>,
    /// Who signed it, if that was asked for.
    pub signer: Option<String>,
}

impl RemoteOptions {
    /// The place, if there is one.
    pub fn open(&self) -> Result<Option<Remote>> {
        let Some(url) = &self.remote else {
            ensure!(!self.trusted.any(), Usage("--trust goes with --remote".into()));
            return Ok(None);
        };
        let words = "--remote takes http://; what comes is signed, and secret from nobody";
        ensure!(url.starts_with("http://"), Usage(words.into()));
        let words = "--remote: by whom are images to be signed (--trust KEYFILE), or are they to be \
                     made again and compared (--reproduce)?";
        ensure!(self.trusted.any() || self.reproduce, Usage(words.into()));
        let keys = self.trusted.any().then(|| self.trusted.keys()).transpose()?;
        let agent = Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(Duration::from_secs(300)))
            .http_status_as_error(false)
            .user_agent(concat!("lithify/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let url = url.trim_end_matches('/').to_owned();
        Ok(Some(Remote { url, agent, keys, reproduce: self.reproduce }))
    }
}

impl Remote {
    /// Fetches an image, and says whose it is; `None` where there is none. It is one of this key by its
    /// own account.
    pub fn fetch(&self, key: &Key) -> Result<Option<Fetched>> {
        let url = format!("{}/{key}", self.url);
        let Some(image) = self.get(&url)? else { return Ok(None) };
        let signer = match &self.keys {
            None => None,
            Some(keys) => {
                let signature = self.get(&format!("{url}{END}"))?;
                let signature = signature.with_context(|| format!("{url}: it has no signature"))?;
                let signature = String::from_utf8_lossy(&signature);
                let signer = keys.signer(&key.file_name(), &image, &signature);
                Some(signer.with_context(|| url.clone())?.to_owned())
            }
        };
        let metadata = Metadata::parse(&image, Trust::Verify).with_context(|| url.clone())?;
        let is = store::key_of(&metadata).with_context(|| url.clone())?;
        ensure!(is == *key, "{url}: it is an image {is}");
        Ok(Some(Fetched { image, signer }))
    }

    /// What there is at `url`.
    fn get(&self, url: &str) -> Result<Option<Vec<u8>>> {
        let failed = |error: ureq::Error| anyhow!("cannot fetch {url}: {error}");
        let mut response = self.agent.get(url).call().map_err(failed)?;
        match response.status().as_u16() {
            200 => {}
            404 | 410 => return Ok(None),
            _ => bail!("cannot fetch {url}: {}", response.status()),
        }
        let body = response.body_mut().with_config().limit(MOST);
        body.read_to_vec().map(Some).map_err(failed)
    }
}
