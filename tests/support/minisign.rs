//! Signs as minisign does: an Ed25519 signature of the file's BLAKE2b-512, and one of that signature and
//! the comment. (`scripts/remote` has minisign itself do it.)

use data_encoding::BASE64;
use sp_core::{Pair, ed25519};

pub struct Signer {
    pair: ed25519::Pair,
    id: [u8; 8],
}

impl Signer {
    pub fn new(seed: u8) -> Self {
        Self { pair: Pair::from_seed(&[seed; 32]), id: [seed; 8] }
    }

    /// The file of the public key.
    pub fn public_key(&self) -> String {
        let key = [&b"Ed"[..], &self.id, &self.pair.public().0].concat();
        format!("untrusted comment: minisign public key\n{}\n", BASE64.encode(&key))
    }

    /// The file of the signature of `bytes`, with this comment.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> String {
        let signature = self.pair.sign(&sp_crypto_hashing::blake2_512(bytes)).0;
        let first = [&b"ED"[..], &self.id, &signature].concat();
        let second = self.pair.sign(&[&signature, comment.as_bytes()].concat()).0;
        format!(
            "untrusted comment: signature\n{}\ntrusted comment: {comment}\n{}\n",
            BASE64.encode(&first),
            BASE64.encode(&second)
        )
    }
}
