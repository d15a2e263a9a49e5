//! Agent keys in files: made and read here, never seen by Python.
use std::path::PathBuf;
use std::sync::Arc;

use hlfast_core::sign;
use hlfast_host::keys::{self, KeyError};
use hlfast_host::keystore;
use pyo3::prelude::*;

use crate::errors::KeyFileError;
use crate::signing::Signer;

/// Makes a key file and returns the new agent's address.
#[pyfunction]
#[pyo3(text_signature = "(directory)")]
fn create_credential(py: Python<'_>, directory: PathBuf) -> PyResult<String> {
    let address = py.detach(|| keys::create_credential(&directory)).map_err(refusal)?;
    Ok(address.to_string())
}

/// Reads the keys of a credentials directory, in order of their addresses.
#[pyfunction]
#[pyo3(text_signature = "(directory)")]
fn open_credentials(py: Python<'_>, directory: PathBuf) -> PyResult<Vec<Signer>> {
    let signers = py.detach(|| keys::load_credentials(&directory)).map_err(refusal)?;
    Ok(signers.into_iter().map(shared).collect())
}

/// Decrypts an Ethereum keystore with the passphrase of a file.
#[pyfunction]
#[pyo3(text_signature = "(path, passphrase_path)")]
fn open_keystore(py: Python<'_>, path: PathBuf, passphrase_path: PathBuf) -> PyResult<Signer> {
    py.detach(|| keystore::load_keystore(&path, &passphrase_path)).map(shared).map_err(refusal)
}

const fn shared(inner: Arc<sign::Signer>) -> Signer {
    Signer { inner }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn refusal(error: KeyError) -> PyErr {
    KeyFileError::new_err(error.to_string())
}

/// Adds the functions.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(open_credentials, module)?)?;
    module.add_function(wrap_pyfunction!(open_keystore, module)?)?;
    module.add_function(wrap_pyfunction!(create_credential, module)?)
}
