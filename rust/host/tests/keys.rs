//! Key files: what is accepted, and what each refusal says.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
use hlfast_core::sign::{Secret, Signer};
use hlfast_host::keys::{KeyError, create_credential, load_credentials, load_variable};
use hlfast_host::keystore::{decrypt_keystore, load_keystore};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const KEY: &str = "0123456789012345678901234567890123456789012345678901234567890123";
const ADDRESS: &str = "0x14791697260e4c9a71f18484c9f997b308e59325";

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("hlfast-keys-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn refusal(name: &str, text: &str, mode: u32, directory: &str) -> KeyError {
    let place = Directory::new(directory);
    place.write(name, text, mode);
    let error = load_credentials(&place.0).unwrap_err();
    assert!(!error.to_string().contains("0123456789012345"), "{error}");
    error
}

#[test]
fn a_credentials_directory_loads_by_address_and_ignores_what_is_not_ours() {
    let place = Directory::new("good");
    place.write(ADDRESS, &format!("0x{KEY}\n"), 0o400);
    place.write("admin-token", "not a key", 0o400);
    let signers = load_credentials(&place.0).unwrap();
    assert_eq!(signers.len(), 1);
    assert_eq!(signers[0].address().to_string(), ADDRESS);
}

#[test]
fn credentials_are_refused_by_name() {
    assert!(matches!(refusal(ADDRESS, KEY, 0o440, "open"), KeyError::TooOpen { mode: 0o440, .. }));
    assert!(matches!(refusal(ADDRESS, KEY, 0o600, "writable"), KeyError::TooOpen { .. }));
    assert!(matches!(
        refusal(&ADDRESS.to_uppercase().replace("0X", "0x"), KEY, 0o400, "case"),
        KeyError::BadName { .. }
    ));
    assert!(matches!(refusal("0x1234", KEY, 0o400, "short"), KeyError::BadName { .. }));
    assert!(matches!(refusal(ADDRESS, &KEY[..63], 0o400, "cut"), KeyError::BadText { .. }));
    assert!(matches!(refusal(ADDRESS, &KEY.repeat(2), 0o400, "long"), KeyError::BadText { .. }));
    assert!(matches!(refusal(ADDRESS, &"0".repeat(64), 0o400, "zero"), KeyError::Refused { .. }));
    assert!(matches!(refusal(ADDRESS, &"1".repeat(64), 0o400, "other"), KeyError::WrongAddress { .. }));
}

#[test]
fn a_thousand_keys_load() {
    let place = Directory::new("thousand");
    for n in 1..=1000u32 {
        let key = format!("{n:064x}");
        let address = Signer::new(&Secret::parse_hex(key.as_bytes()).unwrap()).unwrap().address();
        place.write(&address.to_string(), &key, 0o400);
    }
    assert_eq!(load_credentials(&place.0).unwrap().len(), 1000);
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let error = load_variable("HLFAST_TEST_NO_SUCH_VARIABLE").unwrap_err();
    assert!(error.to_string().contains("HLFAST_TEST_NO_SUCH_VARIABLE"));
}

/// The published example of the keystore format (its weak parameters and all).
const PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":{"c":262144,
"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;

#[test]
fn the_published_keystore_opens() {
    let signer = decrypt_keystore(PBKDF2.as_bytes(), b"testpassword", Path::new("example.json")).unwrap();
    let wanted = Secret::parse_hex(b"7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d").unwrap();
    assert_eq!(signer.address(), Signer::new(&wanted).unwrap().address());
}

/// As eth-keyfile writes one whose initial value begins with two zero bytes.
const SHORT_IV: &str = r#"{"address":"008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b","crypto":{"cipher":"aes-128-ctr",
"cipherparams":{"iv":"a8dcad9aa9a02766ba0f804a0380"},"ciphertext":"6615a3e27c44b79b109015e2f02ac6275c391dcad60da0606d6637d9d77b1c2e",
"kdf":"pbkdf2","kdfparams":{"c":1000,"dklen":32,"prf":"hmac-sha256","salt":"0000bcd2f89342432a90057fc3f8231d"},
"mac":"701b154886ab5b123ec77c2b858d0adcb698c0377d4ec98291d9ebd13e10b25e"},"version":3}"#;

#[test]
fn an_initial_value_without_its_zeros_is_taken_where_the_address_proves_the_key() {
    let open = |text: &str| decrypt_keystore(text.as_bytes(), b"testpassword", Path::new("k.json"));
    let wanted = Secret::parse_hex(b"7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d").unwrap();
    assert_eq!(open(SHORT_IV).unwrap().address(), Signer::new(&wanted).unwrap().address());
    let nameless = SHORT_IV.replace("\"address\":\"008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b\",", "");
    assert!(open(&nameless).unwrap_err().to_string().contains("iv"));
    assert!(open(&SHORT_IV.replace("a8dcad9a", "a8dc")).is_err(), "another value, another key");
    assert!(open(&SHORT_IV.replace("a8dcad9a", "0000a8dcad9a0000")).is_err(), "too long");
}

#[test]
fn keystores_are_refused_by_what_is_wrong() {
    let reason =
        |text: &str, passphrase: &[u8]| match decrypt_keystore(text.as_bytes(), passphrase, Path::new("k.json")) {
            Err(error) => error.to_string(),
            Ok(_) => "accepted".to_owned(),
        };
    assert!(reason(PBKDF2, b"wrong").contains("wrong passphrase"));
    assert!(reason(&PBKDF2.replace("\"version\":3", "\"version\":4"), b"").contains("version"));
    assert!(reason(&PBKDF2.replace("aes-128-ctr", "aes-256-gcm"), b"").contains("cipher"));
    assert!(reason(&PBKDF2.replace("262144", "4000000000"), b"").contains("pbkdf2 c"));
    assert!(reason(&PBKDF2.replace("\"dklen\":32", "\"dklen\":64"), b"").contains("dklen"));
    assert!(reason(&PBKDF2.replace("6087dab2", "6087"), b"").contains("iv"));
    assert!(reason("{}", b"").contains("not an Ethereum keystore"));
    let scrypt = PBKDF2.replace("\"pbkdf2\"", "\"scrypt\"").replace("\"c\":262144", "\"n\":1073741824,\"r\":8,\"p\":1");
    assert!(reason(&scrypt, b"").contains("scrypt parameters"));
}

#[test]
fn a_keystore_needs_private_files() {
    let place = Directory::new("store");
    let store = place.write("k.json", PBKDF2, 0o400);
    let passphrase = place.write("pass", "testpassword\n", 0o400);
    assert!(load_keystore(&store, &passphrase).is_ok());
    let open = place.write("open", "testpassword\n", 0o444);
    assert!(matches!(load_keystore(&store, &open), Err(KeyError::TooOpen { .. })));
}

#[test]
fn a_new_key_is_private_and_loads_under_its_name() {
    let place = Directory::new("made");
    let directory = place.0.join("made");
    let made = [create_credential(&directory).unwrap(), create_credential(&directory).unwrap()];
    assert_ne!(made[0], made[1]);
    assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    for address in made {
        let path = directory.join(address.to_string());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        assert_eq!(std::fs::read(&path).unwrap().len(), 65);
    }
    let mut loaded: Vec<_> = load_credentials(&directory).unwrap().iter().map(|signer| signer.address()).collect();
    let mut wanted = made.to_vec();
    loaded.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(loaded, wanted);
}

#[test]
fn a_new_key_needs_a_directory_it_can_write() {
    let place = Directory::new("blocked");
    let blocked = place.0.join("file");
    std::fs::write(&blocked, b"").unwrap();
    assert!(matches!(create_credential(&blocked), Err(KeyError::Io { .. })));
}
