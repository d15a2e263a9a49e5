//! Keys at rest: a credentials directory, Ethereum keystores, an environment variable. Read here, never in Python.
use crate::memory;
use hlfast_core::sign::{Secret, SignError, Signer};
use hlfast_core::wire::Address;
use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// 64 digits, `0x`, and a line end.
const KEY_TEXT_MAX: usize = 68;
/// A raw key may be read by its owner and nothing else: 0400 or stricter.
const CREDENTIAL_FORBIDDEN: u32 = 0o377;

/// Why a key file is refused. Names files and variables, never their content.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Reading failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("{path}: mode {mode:04o} is too open for a key; run: chmod 0400 {path}")]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a plain file.
    #[error("{path}: not a regular file")]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// The name must say which agent the key is of.
    #[error("{path}: the file name must be the agent's address, 0x and 40 lower-case hex digits")]
    BadName {
        /// The file.
        path: PathBuf,
    },
    /// Content is no key.
    #[error("{place}: a key is 64 hex digits, 0x optional, and nothing else")]
    BadText {
        /// File or variable.
        place: String,
    },
    /// Key and name disagree.
    #[error("{place}: holds the key of {found}, not of {wanted}")]
    WrongAddress {
        /// File or variable.
        place: String,
        /// What the name promises.
        wanted: Address,
        /// What the key says.
        found: Address,
    },
    /// The variable is absent.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    /// The number is no key.
    #[error("{place}: {source}")]
    Refused {
        /// File or variable.
        place: String,
        /// Why.
        source: SignError,
    },
    /// The keystore's JSON or parameters.
    #[error("{path}: {reason}")]
    Keystore {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// One loaded key.
struct Entry {
    signer: Arc<Signer>,
    stopped: AtomicBool,
}

/// The signers of this process, by number and by address. Stopped signers stay stopped until the process ends.
#[derive(Default)]
pub struct Keyring {
    entries: Vec<Arc<Entry>>,
    by_address: HashMap<Address, usize>,
    unlocked: usize,
}

impl Keyring {
    /// Nothing loaded.
    #[must_use]
    pub fn new() -> Keyring {
        Keyring::default()
    }

    /// Takes a signer; a second key of one address replaces nothing and gets the first one's number.
    pub fn add(&mut self, signer: Arc<Signer>) -> usize {
        let address = signer.address();
        if let Some(&index) = self.by_address.get(&address) {
            return index;
        }
        let entry = Arc::new(Entry { signer, stopped: AtomicBool::new(false) });
        self.unlocked += usize::from(!memory::protect(&*entry.signer));
        self.entries.push(entry);
        let index = self.entries.len() - 1;
        self.by_address.insert(address, index);
        index
    }

    /// Number of signers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing is loaded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys that the system would not lock in memory (raise RLIMIT_MEMLOCK).
    #[must_use]
    pub fn unlocked(&self) -> usize {
        self.unlocked
    }

    /// The signer's number.
    #[must_use]
    pub fn index_of(&self, address: &Address) -> Option<usize> {
        self.by_address.get(address).copied()
    }

    /// The signer of a number.
    #[must_use]
    pub fn signer(&self, index: usize) -> Option<&Arc<Signer>> {
        self.entries.get(index).map(|entry| &entry.signer)
    }

    /// All signers, in order of their numbers.
    pub fn signers(&self) -> impl Iterator<Item = &Arc<Signer>> {
        self.entries.iter().map(|entry| &entry.signer)
    }

    /// True when the signer may not sign any more (or does not exist).
    #[must_use]
    pub fn is_stopped(&self, index: usize) -> bool {
        self.entries.get(index).is_none_or(|entry| entry.stopped.load(Ordering::Acquire))
    }

    /// Stops a signer for the life of the process.
    pub fn stop(&self, index: usize) {
        if let Some(entry) = self.entries.get(index) {
            entry.stopped.store(true, Ordering::Release);
        }
    }

    /// A second handle to the same signers and the same stops, for the pool and the verifier.
    #[must_use]
    pub fn share(&self) -> Keyring {
        Keyring { entries: self.entries.clone(), by_address: self.by_address.clone(), unlocked: self.unlocked }
    }
}

/// Loads every file of a directory whose name starts with `0x`: one key a file, named by its agent's address.
/// Files with other names belong to something else and are left alone.
///
/// # Errors
/// Names the first file that is readable by others, misnamed, malformed or of another address.
pub fn load_credentials(directory: &Path) -> Result<Vec<Arc<Signer>>, KeyError> {
    let io = |source| KeyError::Io { path: directory.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"0x")) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| load_credential(path)).collect()
}

fn load_credential(path: &Path) -> Result<Arc<Signer>, KeyError> {
    let bad_name = || KeyError::BadName { path: path.to_owned() };
    let name = path.file_name().ok_or_else(bad_name)?.as_encoded_bytes();
    let wanted = Address::parse(name).ok_or_else(bad_name)?;
    if name.iter().any(u8::is_ascii_uppercase) {
        return Err(bad_name());
    }
    let text = read_private(path, KEY_TEXT_MAX, CREDENTIAL_FORBIDDEN)?;
    signer_from_text(&text, &path.display().to_string(), Some(wanted))
}

/// Makes a new agent key and writes it as a file of `directory` (made, mode 0700, if absent): its address is the file's
/// name and what is returned. The key itself leaves this function as that file only.
///
/// # Errors
/// The system's reason; nothing is left behind then.
pub fn create_credential(directory: &Path) -> Result<Address, KeyError> {
    let io = |source| KeyError::Io { path: directory.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io)?;
    let bytes = Zeroizing::new(memory::entropy().map_err(io)?);
    let text = hex_line(&bytes);
    let signer = signer_from_text(text.trim_ascii(), "new key", None)?;
    let path = directory.join(signer.address().to_string());
    let io = |source| KeyError::Io { path: path.clone(), source };
    let written = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        // The name is part of what must survive: without it the account would approve an agent nobody has.
        File::open(directory)?.sync_all()
    });
    if let Err(source) = written {
        // Best effort: half a file would be refused by name at the next start anyway.
        let _ = std::fs::remove_file(&path);
        return Err(io(source));
    }
    Ok(signer.address())
}

/// 64 hex digits and a line end, in one allocation that is wiped.
fn hex_line(bytes: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) };
    let mut line = Zeroizing::new(Vec::with_capacity(65));
    for byte in bytes {
        line.push(digit(byte >> 4));
        line.push(digit(byte & 15));
    }
    line.push(b'\n');
    line
}

/// Reads one key from an environment variable.
///
/// # Errors
/// Names the variable when it is absent or holds no key.
pub fn load_variable(variable: &str) -> Result<Arc<Signer>, KeyError> {
    let text = std::env::var_os(variable).ok_or_else(|| KeyError::NoVariable(variable.to_owned()))?;
    let text = Zeroizing::new(text.into_encoded_bytes());
    signer_from_text(&text, &format!("environment variable {variable}"), None)
}

fn signer_from_text(text: &[u8], place: &str, wanted: Option<Address>) -> Result<Arc<Signer>, KeyError> {
    let secret = Secret::parse_hex(text.trim_ascii()).ok_or_else(|| KeyError::BadText { place: place.to_owned() })?;
    signer_from_secret(&secret, place, wanted)
}

pub(crate) fn signer_from_secret(
    secret: &Secret,
    place: &str,
    wanted: Option<Address>,
) -> Result<Arc<Signer>, KeyError> {
    let signer = Signer::new(secret).map_err(|source| KeyError::Refused { place: place.to_owned(), source })?;
    match wanted {
        Some(wanted) if wanted != signer.address() => {
            Err(KeyError::WrongAddress { place: place.to_owned(), wanted, found: signer.address() })
        }
        // At its last place at once: each move of a signer, and each vector of them that is freed, would leave a copy.
        _ => Ok(Arc::new(signer)),
    }
}

/// Reads a whole file that only its owner can read. Longer content than `limit` is cut, and so never parses.
pub(crate) fn read_private(path: &Path, limit: usize, forbidden: u32) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    // Asked of the open file, not of the path: what was checked is what is read.
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(KeyError::NotAFile { path: path.to_owned() });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(KeyError::TooOpen { path: path.to_owned(), mode });
    }
    // Capacity for all that is read: a vector that grows leaves unwiped copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(limit + 1));
    file.take(limit as u64 + 1).read_to_end(&mut text).map_err(io)?;
    Ok(text)
}
