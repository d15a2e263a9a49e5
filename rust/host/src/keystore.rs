//! Ethereum keystores, version 3: scrypt or PBKDF2, AES-128-CTR, and a Keccak check of the derived key.
use crate::keys::{KeyError, read_private, signer_from_secret};
use aes::Aes128;
use ctr::cipher::{KeyIvInit, StreamCipher};
use hlfast_core::sign::{Secret, Signer, keccak256};
use hlfast_core::wire::Address;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// A keystore is about 500 bytes.
const FILE_MAX: usize = 16 * 1024;
const PASSPHRASE_MAX: usize = 4096;
/// The usual 2^18 with r 8 takes 256 MiB; a hostile file must not take the machine.
const SCRYPT_MEMORY_MAX: u64 = 1 << 30;
const PBKDF2_ROUNDS_MAX: u32 = 10_000_000;

#[derive(Deserialize)]
struct Keystore {
    version: u32,
    address: Option<String>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize)]
struct KdfParams {
    dklen: usize,
    salt: String,
    n: Option<u64>,
    r: Option<u32>,
    p: Option<u32>,
    c: Option<u32>,
    prf: Option<String>,
}

/// An encrypted file and its passphrase may be writable by their owner, as wallets leave them (0600).
const OTHERS_FORBIDDEN: u32 = 0o077;

/// Decrypts a keystore file. Both files must be readable by their owner alone; one line end after the passphrase is dropped.
///
/// # Errors
/// Names the file and the field that is wrong; a wrong passphrase is told from a damaged file as far as version 3 can.
pub fn load_keystore(path: &Path, passphrase_path: &Path) -> Result<Arc<Signer>, KeyError> {
    let mut passphrase = read_private(passphrase_path, PASSPHRASE_MAX, OTHERS_FORBIDDEN)?;
    for end in *b"\n\r" {
        if passphrase.last() == Some(&end) {
            passphrase.pop();
        }
    }
    open_keystore(path, &passphrase)
}

/// Decrypts a keystore file with a passphrase that the caller has.
///
/// # Errors
/// As `load_keystore`.
pub fn open_keystore(path: &Path, passphrase: &[u8]) -> Result<Arc<Signer>, KeyError> {
    let text = read_private(path, FILE_MAX, OTHERS_FORBIDDEN)?;
    decrypt_keystore(&text, passphrase, path)
}

/// Decrypts a keystore's text. `path` is only for messages.
///
/// # Errors
/// As `load_keystore`.
pub fn decrypt_keystore(text: &[u8], passphrase: &[u8], path: &Path) -> Result<Arc<Signer>, KeyError> {
    let wrong = |reason| KeyError::Keystore { path: path.to_owned(), reason };
    let store: Keystore = serde_json::from_slice(text)
        .map_err(|_| wrong("not an Ethereum keystore: JSON with version and crypto is expected"))?;
    if store.version != 3 {
        return Err(wrong("keystore version is not 3"));
    }
    let crypto = store.crypto;
    if crypto.cipher != "aes-128-ctr" {
        return Err(wrong("cipher is not aes-128-ctr"));
    }
    let names_address = store.address.as_deref().is_some_and(|address| !address.is_empty());
    let iv = initial_value(&crypto.cipherparams.iv, names_address).ok_or_else(|| wrong("iv is not 16 hex bytes"))?;
    let mut key: [u8; 32] = bytes(&crypto.ciphertext)
        .and_then(|text| text.try_into().ok())
        .ok_or_else(|| wrong("ciphertext is not 32 hex bytes"))?;
    let mac = bytes(&crypto.mac).ok_or_else(|| wrong("mac is not hex"))?;
    let derived = derive(&crypto.kdf, &crypto.kdfparams, passphrase).map_err(wrong)?;
    let (cipher_key, mac_key) = derived.split_at(16);
    let mut checked = Zeroizing::new(Vec::with_capacity(48));
    checked.extend_from_slice(mac_key);
    checked.extend_from_slice(&key);
    if keccak256(&checked).as_slice() != mac.as_slice() {
        return Err(wrong("wrong passphrase (or a damaged file)"));
    }
    let cipher_key: [u8; 16] = cipher_key.try_into().map_err(|_| wrong("derived key is too short"))?;
    ctr::Ctr128BE::<Aes128>::new(&cipher_key.into(), &iv.into()).apply_keystream(&mut key);
    let secret = Secret::take(&mut key);
    key.zeroize();
    let wanted = match store.address.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let plain = text.strip_prefix("0x").unwrap_or(text);
            Some(Address::parse(format!("0x{plain}").as_bytes()).ok_or_else(|| wrong("address is not 20 hex bytes"))?)
        }
    };
    signer_from_secret(&secret, &path.display().to_string(), wanted)
}

fn derive(kdf: &str, params: &KdfParams, passphrase: &[u8]) -> Result<Zeroizing<[u8; 32]>, &'static str> {
    let salt = bytes(&params.salt).ok_or("salt is not hex")?;
    if params.dklen != 32 {
        return Err("dklen is not 32");
    }
    let mut derived = Zeroizing::new([0u8; 32]);
    match kdf {
        "scrypt" => {
            let (Some(n), Some(r), Some(p)) = (params.n, params.r, params.p) else {
                return Err("scrypt needs n, r and p");
            };
            let memory = n.checked_mul(u64::from(r)).and_then(|product| product.checked_mul(128));
            if !n.is_power_of_two()
                || n < 2
                || memory.is_none_or(|bytes| bytes > SCRYPT_MEMORY_MAX)
                || !(1..=16).contains(&p)
            {
                return Err("scrypt parameters are out of range (at most 1 GiB of memory, p at most 16)");
            }
            let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| "scrypt n is out of range")?;
            let params = scrypt::Params::new(log_n, r, p).map_err(|_| "scrypt parameters are out of range")?;
            scrypt::scrypt(passphrase, &salt, &params, derived.as_mut_slice()).map_err(|_| "scrypt failed")?;
        }
        "pbkdf2" => {
            if params.prf.as_deref() != Some("hmac-sha256") {
                return Err("pbkdf2 prf is not hmac-sha256");
            }
            let rounds = params.c.filter(|c| (1..=PBKDF2_ROUNDS_MAX).contains(c)).ok_or("pbkdf2 c is out of range")?;
            pbkdf2::pbkdf2_hmac::<sha2::Sha256>(passphrase, &salt, rounds, derived.as_mut_slice());
        }
        _ => return Err("kdf is neither scrypt nor pbkdf2"),
    }
    Ok(derived)
}

/// eth-keyfile writes the initial value as a number, without zero bytes in front. No check sum covers it, so what is missing is
/// filled up only where an address in the file proves the key.
fn initial_value(hex: &str, names_address: bool) -> Option<[u8; 16]> {
    let said = bytes(hex)?;
    let missing = 16usize.checked_sub(said.len()).filter(|missing| *missing == 0 || names_address)?;
    let mut iv = [0; 16];
    iv.get_mut(missing..)?.copy_from_slice(&said);
    Some(iv)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.strip_prefix("0x").unwrap_or(hex).as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits
        .chunks_exact(2)
        .map(|pair| pair.iter().try_fold(0u8, |byte, &digit| Some((byte << 4) | value(digit)?)))
        .collect()
}
