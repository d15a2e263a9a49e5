//! `read_journal`: what a projection reads while the engine writes.
use std::path::Path;

use hlfast_host::journal::read_objects;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::errors::JournalError;

#[pyfunction]
fn read_journal<'py>(py: Python<'py>, directory: &str, after: u64, limit: usize) -> PyResult<Bound<'py, PyList>> {
    let objects = py.detach(|| read_objects(Path::new(directory), after, limit));
    let objects = objects.map_err(|error| JournalError::new_err(error.to_string()))?;
    PyList::new(py, objects.iter().map(|object| PyBytes::new(py, object)))
}

/// Adds the function.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_journal, module)?)
}
