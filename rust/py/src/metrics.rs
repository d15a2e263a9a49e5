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
    fn render<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let text = py.detach(|| {
            let mut text = String::with_capacity(64 << 10);
            self.0.render(monotonic_ns(), &mut text);
            text
        });
        PyBytes::new(py, text.as_bytes())
    }

    fn latency<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let text = py.detach(|| self.0.latency_json());
        PyBytes::new(py, text.as_bytes())
    }
}

/// Adds the class.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Metrics>()
}
