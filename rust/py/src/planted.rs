//! Builds for the test of the tests only: defects that can be switched on.
use hlfast_core::planted::{ALL, plant_by_name};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Switches a defect on by its name; `None` switches all off.
#[pyfunction]
fn plant(name: Option<&str>) -> PyResult<()> {
    plant_by_name(name).map_err(PyValueError::new_err)
}

/// Adds `plant` and the list of names.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("PLANTED", ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>())?;
    module.add_function(wrap_pyfunction!(plant, module)?)
}
