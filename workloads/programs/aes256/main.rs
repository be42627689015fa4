//! Encrypts standard input by AES-256 in CBC mode, with the key and the initialisation vector of its
//! arguments, shows it in base64, and decrypts it again.

use aes::Aes256;
use base64::{Engine, prelude::BASE64_STANDARD};
use cbc::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit, block_padding::Pkcs7};
use std::{env, io, io::Read, process::ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let usage = || "give a key of 32 bytes and an initialisation vector of 16".to_owned();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [key, vector] = &arguments[..] else { return Err(usage()) };
    let encryptor = cbc::Encryptor::<Aes256>::new_from_slices(key.as_bytes(), vector.as_bytes());
    let decryptor = cbc::Decryptor::<Aes256>::new_from_slices(key.as_bytes(), vector.as_bytes());
    let (Ok(encryptor), Ok(decryptor)) = (encryptor, decryptor) else { return Err(usage()) };

    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text).map_err(|error| error.to_string())?;
    let secret = encryptor.encrypt_padded_vec_mut::<Pkcs7>(&text);
    println!("{}", BASE64_STANDARD.encode(&secret));
    let again = decryptor.decrypt_padded_vec_mut::<Pkcs7>(&secret).ok();
    let again = again.filter(|again| *again == text).ok_or("the text has changed")?;
    println!("{}", String::from_utf8_lossy(&again));
    Ok(())
}
