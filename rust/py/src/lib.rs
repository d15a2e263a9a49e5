//! `hlfast._core`: the list of what Python sees. Argument conversion and nothing else.
use pyo3::prelude::*;

mod convert;
mod engine;
mod errors;
mod journal;
mod keys;
mod metrics;
mod pack;
#[cfg(feature = "planted")]
mod planted;
mod pool;
mod rehearsal;
mod signing;
mod whatif;

/// The native half of hlfast.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    errors::register(module)?;
    signing::register(module)?;
    pool::register(module)?;
    engine::register(module)?;
    metrics::register(module)?;
    journal::register(module)?;
    rehearsal::register(module)?;
    whatif::register(module)?;
    #[cfg(feature = "planted")]
    planted::register(module)?;
    keys::register(module)
}
