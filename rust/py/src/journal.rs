//! What projections read while the engine writes, and what an operator asks of a journal.
use std::path::Path;

use hlfast_host::journal::{Repair, archive, plan_repair, read_objects, repair};
use hlfast_host::runtime::verify;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::errors::JournalError;

#[pyfunction]
fn read_journal<'py>(py: Python<'py>, directory: &str, after: u64, limit: usize) -> PyResult<Bound<'py, PyList>> {
    let objects = py.detach(|| read_objects(Path::new(directory), after, limit));
    let objects = objects.map_err(|error| JournalError::new_err(error.to_string()))?;
    PyList::new(py, objects.iter().map(|object| PyBytes::new(py, object)))
}

fn raise(error: impl ToString) -> PyErr {
    JournalError::new_err(error.to_string())
}

#[pyfunction]
fn verify_journal<'py>(py: Python<'py>, directory: &str) -> PyResult<Bound<'py, PyDict>> {
    let found = py.detach(|| verify(Path::new(directory))).map_err(raise)?;
    let survey = &found.survey;
    let link = survey.link.map(|link| link.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let torn = survey.torn.as_ref().map(|(path, offset, what)| format!("{}: at byte {offset}: {what}", path.display()));
    let object = PyDict::new(py);
    object.set_item("segments", survey.segments)?;
    object.set_item("records", survey.records)?;
    object.set_item("first", survey.first)?;
    object.set_item("last", survey.last)?;
    object.set_item("link", link)?;
    object.set_item("replayed", found.replayed)?;
    object.set_item("torn", torn)?;
    Ok(object)
}

#[pyfunction]
fn repair_journal<'py>(py: Python<'py>, directory: &str, really: bool) -> PyResult<Option<Bound<'py, PyDict>>> {
    let path = Path::new(directory);
    let found = py.detach(|| if really { repair(path) } else { plan_repair(path) }).map_err(raise)?;
    let Some(Repair { path, offset, sequence, what, readable, kept, wait }) = found else { return Ok(None) };
    let object = PyDict::new(py);
    object.set_item("file", path.display().to_string())?;
    object.set_item("offset", offset)?;
    object.set_item("sequence", sequence)?;
    object.set_item("what", what)?;
    object.set_item("readable_dropped", readable)?;
    object.set_item("kept_in", kept.display().to_string())?;
    object.set_item("wait_s", wait.as_secs())?;
    Ok(Some(object))
}

#[pyfunction]
fn archive_journal(py: Python<'_>, directory: &str, to: &str, read: u64) -> PyResult<Vec<String>> {
    let moved = py.detach(|| archive(Path::new(directory), Path::new(to), read)).map_err(raise)?;
    Ok(moved.iter().map(|path| path.display().to_string()).collect())
}

/// Adds the functions.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_journal, module)?)?;
    module.add_function(wrap_pyfunction!(verify_journal, module)?)?;
    module.add_function(wrap_pyfunction!(repair_journal, module)?)?;
    module.add_function(wrap_pyfunction!(archive_journal, module)?)
}
