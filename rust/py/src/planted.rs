//! Builds for the test of the tests only: defects that can be switched on.
use hlfast_core::planted::{ALL, Bug};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Switches a defect on by its name; `None` switches all off.
#[pyfunction]
fn plant(name: Option<&str>) -> PyResult<()> {
    let find = |name: &str| -> PyResult<Bug> {
        let found = ALL.iter().find(|(known, _)| *known == name).map(|(_, bug)| *bug);
        found.ok_or_else(|| PyValueError::new_err(format!("no defect is called {name}")))
    };
    hlfast_core::planted::plant(name.map(find).transpose()?);
    Ok(())
}

/// Adds `plant` and the list of names.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("PLANTED", ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>())?;
    module.add_function(wrap_pyfunction!(plant, module)?)
}
