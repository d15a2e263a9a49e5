//! `Signer` and the functions of `hlfast.signing`: arguments in, the core's answer out.
use crate::convert::{self, quantity};
use crate::errors::{KeyFileError, SigningError};
use crate::pack;
use crate::pool::PresignPool;
use hlfast_core::num::float_to_wire as wire_text;
use hlfast_core::sign::{self, Chain, Field, Preimage, Secret, Signature, digest_of_hash, keccak256};
use hlfast_host::keystore;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// One private key. It stays in Rust: nothing reads it back, prints it or pickles it.
#[pyclass(frozen, module = "hlfast._core")]
pub struct Signer {
    pub(crate) inner: Arc<sign::Signer>,
}

#[pymethods]
impl Signer {
    /// A signer from 64 hex digits (0x optional) or 32 bytes.
    #[staticmethod]
    fn from_key(key: &Bound<'_, PyAny>) -> PyResult<Signer> {
        let secret = if let Ok(text) = key.cast::<PyString>() {
            Secret::parse_hex(text.to_str()?.as_bytes())
        } else if let Ok(bytes) = key.cast::<PyBytes>() {
            <[u8; 32]>::try_from(bytes.as_bytes()).ok().map(|mut bytes| Secret::take(&mut bytes))
        } else {
            return Err(PyTypeError::new_err("key must be a hex string or 32 bytes"));
        };
        let secret =
            secret.ok_or_else(|| PyValueError::new_err("key must be 64 hex digits (0x optional) or 32 bytes"))?;
        let inner = sign::Signer::new(&secret).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Signer { inner: Arc::new(inner) })
    }

    /// A signer from an Ethereum keystore, version 3, decrypted here without the interpreter's lock.
    #[staticmethod]
    fn from_keystore(py: Python<'_>, path: PathBuf, passphrase: &str) -> PyResult<Signer> {
        let passphrase = Zeroizing::new(passphrase.as_bytes().to_vec());
        let signer = py.detach(|| keystore::open_keystore(&path, &passphrase));
        let inner = signer.map_err(|error| KeyFileError::new_err(error.to_string()))?;
        Ok(Signer { inner })
    }

    /// Lower-case 0x address.
    #[getter]
    fn address(&self) -> String {
        self.inner.address().to_string()
    }

    fn __repr__(&self) -> String {
        format!("Signer({})", self.inner.address())
    }

    /// Signs any L1 action, deterministically.
    #[pyo3(signature = (action, nonce, vault_address=None, expires_after=None, mainnet=true))]
    fn sign_l1<'py>(
        &self,
        action: &Bound<'py, PyAny>,
        nonce: u64,
        vault_address: Option<&str>,
        expires_after: Option<u64>,
        mainnet: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let hash = hash(action, nonce, vault_address, expires_after)?;
        signature_dict(action.py(), &self.inner.sign_deterministic(&digest_of_hash(&hash, chain(mainnet))))
    }

    /// Signs a user-signed action as EIP-712 typed data.
    #[pyo3(signature = (action, primary_type, types, mainnet=true))]
    fn sign_user_signed<'py>(
        &self,
        action: &Bound<'py, PyDict>,
        primary_type: &str,
        types: Vec<Bound<'py, PyDict>>,
        mainnet: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let digest = user_digest(action, primary_type, &types, mainnet)?;
        signature_dict(action.py(), &self.inner.sign_deterministic(&digest))
    }

    /// Signs 32 bytes, deterministically.
    fn sign_digest<'py>(&self, py: Python<'py>, digest: &[u8]) -> PyResult<Bound<'py, PyDict>> {
        signature_dict(py, &self.inner.sign_deterministic(&word(digest, "digest")?))
    }

    /// One limit order as a signed /exchange body.
    #[pyo3(signature = (asset, is_buy, price, size, *, nonce, tif="Ioc", reduce_only=false, cloid=None,
        vault_address=None, expires_after=None, mainnet=true, pool=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python call")]
    fn order_request<'py>(
        &self,
        py: Python<'py>,
        asset: u32,
        is_buy: bool,
        price: &Bound<'py, PyAny>,
        size: &Bound<'py, PyAny>,
        nonce: u64,
        tif: &str,
        reduce_only: bool,
        cloid: Option<&str>,
        vault_address: Option<&str>,
        expires_after: Option<u64>,
        mainnet: bool,
        pool: Option<&PresignPool>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let order = convert::Terms { tif, reduce_only, cloid }.order(asset, is_buy, price, size)?;
        let vault = vault_address.map(convert::address).transpose()?;
        let mut request = convert::Request::encode(&order);
        let digest = request.digest(nonce, vault.as_ref(), expires_after, chain(mainnet));
        let signature = match pool {
            Some(pool) => pool.sign(&self.inner.address(), &digest)?,
            None => self.inner.sign_deterministic(&digest),
        };
        Ok(PyBytes::new(py, request.body(nonce, &signature, vault.as_ref(), expires_after)))
    }
}

/// keccak of the action's msgpack, nonce, vault and expiry: the venue's connection id.
#[pyfunction]
#[pyo3(signature = (action, nonce, vault_address=None, expires_after=None))]
fn action_hash<'py>(
    action: &Bound<'py, PyAny>,
    nonce: u64,
    vault_address: Option<&str>,
    expires_after: Option<u64>,
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(action.py(), &hash(action, nonce, vault_address, expires_after)?))
}

/// The EIP-712 digest that wraps an action hash.
#[pyfunction]
fn l1_digest<'py>(py: Python<'py>, action_hash: &[u8], mainnet: bool) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &digest_of_hash(&word(action_hash, "action_hash")?, chain(mainnet))))
}

/// A float as the venue's wire text.
#[pyfunction]
fn float_to_wire(value: f64) -> PyResult<String> {
    let mut text = Vec::with_capacity(24);
    wire_text(value, &mut text).map_err(|error| PyValueError::new_err(format!("{value}: {error}")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The address that a signature over a digest speaks for.
#[pyfunction]
fn recover(digest: &[u8], signature: &Bound<'_, PyDict>) -> PyResult<String> {
    let part = |name: &str| -> PyResult<Bound<'_, PyAny>> {
        signature.get_item(name)?.ok_or_else(|| PyValueError::new_err(format!("signature has no {name}")))
    };
    let signature =
        Signature { r: quantity(&part("r")?, "r")?, s: quantity(&part("s")?, "s")?, v: part("v")?.extract()? };
    let address = sign::recover(&word(digest, "digest")?, &signature);
    address.map(|address| address.to_string()).map_err(|error| SigningError::new_err(error.to_string()))
}

/// Ethereum's Keccak-256.
#[pyfunction]
#[pyo3(name = "keccak256")]
fn keccak<'py>(py: Python<'py>, message: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &keccak256(message))
}

/// Adds this file's classes and functions to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Signer>()?;
    module.add_function(wrap_pyfunction!(action_hash, module)?)?;
    module.add_function(wrap_pyfunction!(l1_digest, module)?)?;
    module.add_function(wrap_pyfunction!(float_to_wire, module)?)?;
    module.add_function(wrap_pyfunction!(recover, module)?)?;
    module.add_function(wrap_pyfunction!(keccak, module)?)
}

pub(crate) const fn chain(mainnet: bool) -> Chain {
    if mainnet { Chain::Mainnet } else { Chain::Testnet }
}

fn hash(
    action: &Bound<'_, PyAny>,
    nonce: u64,
    vault_address: Option<&str>,
    expires_after: Option<u64>,
) -> PyResult<[u8; 32]> {
    let vault = vault_address.map(convert::address).transpose()?;
    let mut bytes = Vec::with_capacity(256);
    pack::action(action, &mut bytes)?;
    // The packed action is itself the start of the preimage.
    Preimage { action: &[], nonce, vault: vault.as_ref(), expires_after }.write(&mut bytes);
    Ok(keccak256(&bytes))
}

fn word(bytes: &[u8], name: &str) -> PyResult<[u8; 32]> {
    bytes.try_into().map_err(|_| PyValueError::new_err(format!("{name} must be 32 bytes, not {}", bytes.len())))
}

pub(crate) fn signature_dict<'py>(py: Python<'py>, signature: &Signature) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let mut text = Vec::with_capacity(66);
    for (name, number) in [(intern!(py, "r"), &signature.r), (intern!(py, "s"), &signature.s)] {
        text.clear();
        sign::write_quantity(&mut text, number);
        dict.set_item(name, PyString::new(py, &String::from_utf8_lossy(&text)))?;
    }
    dict.set_item(intern!(py, "v"), signature.v)?;
    Ok(dict)
}

fn user_digest(
    action: &Bound<'_, PyDict>,
    primary_type: &str,
    types: &[Bound<'_, PyDict>],
    mainnet: bool,
) -> PyResult<sign::Digest> {
    let wanted = if mainnet { "Mainnet" } else { "Testnet" };
    convert::set_or_check(action, "hyperliquidChain", wanted)?;
    if !action.contains("signatureChainId")? {
        action.set_item("signatureChainId", "0x66eee")?;
    }
    let chain_text: String = convert::item(action, "signatureChainId")?.extract()?;
    let chain_id = u64::from_str_radix(chain_text.trim_start_matches("0x"), 16)
        .map_err(|_| PyValueError::new_err("action.signatureChainId must be a hex number, like 0x66eee"))?;
    let mut names = Vec::with_capacity(types.len());
    for declared in types {
        let name: String = convert::item(declared, "name")?.extract()?;
        let kind: String = convert::item(declared, "type")?.extract()?;
        let value = convert::typed(&convert::item(action, &name)?, &kind, &name)?;
        names.push((name, kind, value));
    }
    let fields: Vec<Field<'_>> =
        names.iter().map(|(name, kind, value)| Field { kind, name, value: value.borrow() }).collect();
    Ok(sign::user_digest(primary_type, &fields, chain_id))
}
