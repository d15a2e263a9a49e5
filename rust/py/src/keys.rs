//! `create_credential`: a new agent key that Python never sees.
use std::path::PathBuf;

use hlfast_host::keys;
use pyo3::prelude::*;

use crate::errors::KeyFileError;

/// Makes a key file and returns the new agent's address.
#[pyfunction]
#[pyo3(text_signature = "(directory)")]
fn create_credential(py: Python<'_>, directory: PathBuf) -> PyResult<String> {
    let address = py.detach(|| keys::create_credential(&directory));
    address.map(|address| address.to_string()).map_err(|error| KeyFileError::new_err(error.to_string()))
}

/// Adds the function.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(create_credential, module)?)
}
