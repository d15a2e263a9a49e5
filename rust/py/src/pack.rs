//! Python objects to msgpack, in the order the caller gave them.
use hlfast_core::wire::Msgpack;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// Deeper than any action of the venue.
const DEPTH_MAX: usize = 32;

/// Where in the action a value is, for messages: built only when something is wrong.
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a Bound<'a, PyAny>),
    Index(&'a Path<'a>, usize),
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Path::Root => f.write_str("action"),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Appends the msgpack of an action.
pub fn action(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
    pack(value, &Path::Root, 0, out)
}

fn pack(value: &Bound<'_, PyAny>, path: &Path<'_>, depth: usize, out: &mut Vec<u8>) -> PyResult<()> {
    if let Ok(text) = value.cast::<PyString>() {
        return string(text, out);
    }
    // Before int: a Python bool is an int too.
    if let Ok(flag) = value.cast::<PyBool>() {
        Msgpack(out).bool(flag.is_true());
    } else if let Ok(number) = value.cast::<PyInt>() {
        integer(number, path, out)?;
    } else if let Ok(dict) = value.cast::<PyDict>() {
        map(dict, path, depth, out)?;
    } else if let Ok(list) = value.cast::<PyList>() {
        Msgpack(out).array(count(list.len(), path)?);
        for (index, item) in list.iter().enumerate() {
            pack(&item, &Path::Index(path, index), deeper(depth, path)?, out)?;
        }
    } else if value.is_none() {
        Msgpack(out).nil();
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        Msgpack(out).array(count(tuple.len(), path)?);
        for (index, item) in tuple.iter().enumerate() {
            pack(&item, &Path::Index(path, index), deeper(depth, path)?, out)?;
        }
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        Msgpack(out).bin(bytes.as_bytes());
    } else if value.is_instance_of::<PyFloat>() {
        let reason = "is a float; the venue hashes numbers as strings: use float_to_wire";
        return Err(PyTypeError::new_err(format!("{path} {reason}")));
    } else {
        let kind = value.get_type();
        return Err(PyTypeError::new_err(format!("{path} is of type {kind}, which an action cannot hold")));
    }
    Ok(())
}

fn map(dict: &Bound<'_, PyDict>, path: &Path<'_>, depth: usize, out: &mut Vec<u8>) -> PyResult<()> {
    Msgpack(out).map(count(dict.len(), path)?);
    for (key, item) in dict.iter() {
        let here = Path::Key(path, &key);
        let Ok(name) = key.cast::<PyString>() else {
            return Err(PyTypeError::new_err(format!("{here} is a key that is not a string")));
        };
        string(name, out)?;
        pack(&item, &here, deeper(depth, path)?, out)?;
    }
    Ok(())
}

fn string(text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> PyResult<()> {
    if Msgpack(out).str(text.to_str()?.as_bytes()) {
        Ok(())
    } else {
        Err(PyValueError::new_err("action holds a string of 4 GiB or more"))
    }
}

fn integer(number: &Bound<'_, PyInt>, path: &Path<'_>, out: &mut Vec<u8>) -> PyResult<()> {
    if let Ok(n) = number.extract::<u64>() {
        Msgpack(out).uint(n);
    } else if let Ok(n) = number.extract::<i64>() {
        Msgpack(out).int(n);
    } else {
        return Err(PyValueError::new_err(format!("{path} is an integer beyond 64 bits")));
    }
    Ok(())
}

fn count(n: usize, path: &Path<'_>) -> PyResult<u32> {
    u32::try_from(n).map_err(|_| PyValueError::new_err(format!("{path} has 2^32 items or more")))
}

fn deeper(depth: usize, path: &Path<'_>) -> PyResult<usize> {
    if depth >= DEPTH_MAX {
        return Err(PyValueError::new_err(format!("{path} is nested deeper than {DEPTH_MAX} levels")));
    }
    Ok(depth + 1)
}
