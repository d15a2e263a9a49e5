//! `Rehearsal`: the core without hands, for plans.
use std::path::Path;
use std::sync::Mutex;

use hlfast_host::rehearsal::Rehearsal as Inner;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::engine::raise;
use crate::errors::HlfastError;

/// The core as it would decide now; nothing is journalled, signed or sent.
#[pyclass(frozen, module = "hlfast._core")]
pub struct Rehearsal(Mutex<Inner>);

#[pymethods]
impl Rehearsal {
    #[new]
    #[pyo3(signature = (config, journal_dir, now_ms))]
    fn new(py: Python<'_>, config: &[u8], journal_dir: Option<&str>, now_ms: u64) -> PyResult<Rehearsal> {
        let made = py.detach(|| Inner::new(config, journal_dir.map(Path::new), now_ms)).map_err(raise)?;
        Ok(Rehearsal(Mutex::new(made)))
    }

    fn load_meta(&self, body: &[u8]) -> PyResult<()> {
        self.with(|inner| inner.load_meta(body))
    }

    fn start(&self) -> PyResult<()> {
        self.with(Inner::start)
    }

    fn on_info(&self, token: u64, status: u16, body: &[u8]) -> PyResult<()> {
        self.with(|inner| inner.info(token, status, body))
    }

    fn on_tick(&self, now_ms: u64) -> PyResult<()> {
        self.with(|inner| inner.tick(now_ms))
    }

    fn operate<'py>(&self, py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.with(|inner| inner.operate(request))?))
    }

    fn take_requests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let asks = self.with(Inner::take_asks)?;
        PyList::new(py, asks.iter().map(|ask| PyBytes::new(py, ask)))
    }

    fn take_orders<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let orders = self.with(Inner::take_orders)?;
        Ok(PyBytes::new(py, orders.to_string().as_bytes()))
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.with(|inner| inner.status())?))
    }

    fn changed(&self, config: &[u8]) -> PyResult<Option<String>> {
        self.with(|inner| inner.changed(config))
    }

    fn settings<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, u64)> {
        let (settings, revision) = self.with(|inner| inner.settings())?;
        Ok((PyBytes::new(py, settings.to_string().as_bytes()), revision))
    }
}

impl Rehearsal {
    fn with<T>(&self, call: impl FnOnce(&mut Inner) -> T) -> PyResult<T> {
        let mut inner = self.0.try_lock().map_err(|_| HlfastError::new_err("Rehearsal belongs to one thread"))?;
        Ok(call(&mut inner))
    }
}

/// Adds the class.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Rehearsal>()
}
