//! The exceptions that Rust raises. `hlfast.errors` re-exports them and adds the rest of the tree.
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(hlfast._core, HlfastError, PyException, "The root of everything that hlfast raises on purpose.");
create_exception!(
    hlfast._core,
    ConfigError,
    HlfastError,
    "A setting is wrong; the message names it and says what to do."
);
create_exception!(
    hlfast._core,
    JournalError,
    HlfastError,
    "The journal cannot be trusted or written; nothing was sent."
);
create_exception!(
    hlfast._core,
    KeyFileError,
    HlfastError,
    "A key file is refused; the message never holds key material."
);
create_exception!(hlfast._core, SigningError, HlfastError, "Nothing was signed; the signer may be stopped.");

/// Adds the exceptions to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("HlfastError", py.get_type::<HlfastError>())?;
    module.add("ConfigError", py.get_type::<ConfigError>())?;
    module.add("JournalError", py.get_type::<JournalError>())?;
    module.add("KeyFileError", py.get_type::<KeyFileError>())?;
    module.add("SigningError", py.get_type::<SigningError>())
}
