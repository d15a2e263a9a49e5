//! `Metrics`: the cells without the engine's lock.
use std::sync::Arc;

use hlfast_host::clock::monotonic_ns;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A handle that renders without taking the engine's lock; usable from any thread.
#[pyclass(frozen, module = "hlfast._core")]
pub struct Metrics(pub Arc<hlfast_core::metrics::Metrics>);

#[pymethods]
impl Metrics {
    /// In 0.07 ms: giving the interpreter's lock back for so long could cost a wait of 5 ms.
    fn render<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut text = String::with_capacity(128 << 10);
        self.0.render(monotonic_ns(), &mut text);
        PyBytes::new(py, text.as_bytes())
    }

    fn latency<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.latency_json().as_bytes())
    }
}

/// Adds the class.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Metrics>()
}
