//! `WhatIf`: a record of fills that runs through the core as often as wanted.
use hlfast_core::config::Config;
use hlfast_whatif::{Model, Record, replay};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{ConfigError, HlfastError};

/// One leader's record, checked.
#[pyclass(frozen, module = "hlfast._core")]
pub struct WhatIf(Record);

#[pymethods]
impl WhatIf {
    #[new]
    fn new(py: Python<'_>, record: &[u8]) -> PyResult<WhatIf> {
        py.detach(|| Record::from_json(record)).map(WhatIf).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    #[pyo3(signature = (config, model, keep=false))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        config: &[u8],
        model: &[u8],
        keep: bool,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let config = Config::from_json(config).map_err(|error| ConfigError::new_err(error.to_string()))?;
        let model = Model::from_json(model).map_err(PyValueError::new_err)?;
        let outcome = py.detach(|| replay(&self.0, config, &model, keep));
        let outcome = outcome.map_err(|error| HlfastError::new_err(error.to_string()))?;
        Ok((PyBytes::new(py, &outcome.to_json()), PyBytes::new(py, &outcome.receipts)))
    }
}

/// Adds the class.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<WhatIf>()
}
