//! Presignatures for bot writers: a pool over several signers, and many orders signed in one call.
use crate::convert::Terms;
use crate::errors::SigningError;
use crate::signing::{Signer, chain};
use hlfast_core::sign::{Digest, Preimage, Signature, l1_digests};
use hlfast_core::wire::{Action, Address, Grouping, Order, encode_action, write_body};
use hlfast_host::calm::Calm;
use hlfast_host::keys::Keyring;
use hlfast_host::pool::Pools;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use std::collections::HashMap;

/// More would only hold memory: a signer sends a few actions a second.
const DEPTH_MAX: usize = 4096;

/// Presignatures of several signers, kept ready by a thread of its own.
#[pyclass(frozen, module = "hlfast._core")]
pub struct PresignPool {
    pools: Pools,
    indexes: HashMap<Address, usize>,
}

impl PresignPool {
    /// Signs for one of the pool's signers.
    pub fn sign(&self, address: &Address, digest: &Digest) -> PyResult<Signature> {
        let index = self.indexes.get(address).copied();
        let index =
            index.ok_or_else(|| PyValueError::new_err(format!("the pool was not made with the signer {address}")))?;
        self.sign_index(index, digest)
    }

    fn sign_index(&self, index: usize, digest: &Digest) -> PyResult<Signature> {
        let signed = self.pools.sign(index, digest);
        signed.map(|(signature, _)| signature).map_err(|error| SigningError::new_err(error.to_string()))
    }
}

#[pymethods]
impl PresignPool {
    #[new]
    #[pyo3(signature = (signers, depth=16))]
    fn new(signers: Vec<PyRef<'_, Signer>>, depth: usize) -> PyResult<PresignPool> {
        if depth > DEPTH_MAX {
            return Err(PyValueError::new_err(format!("depth {depth} is above {DEPTH_MAX}")));
        }
        let mut keyring = Keyring::new();
        let mut indexes = HashMap::new();
        for (position, signer) in signers.iter().enumerate() {
            let address = signer.inner.address();
            if keyring.add(signer.inner.clone()) != position {
                return Err(PyValueError::new_err(format!("signer {address} is given twice")));
            }
            indexes.insert(address, position);
        }
        let pools =
            Pools::start(&keyring, depth, Calm::default()).map_err(|error| SigningError::new_err(error.to_string()))?;
        Ok(PresignPool { pools, indexes })
    }

    /// Presignatures ready now, over all signers.
    #[getter]
    fn ready(&self) -> u64 {
        self.pools.counts().ready
    }

    /// Counters since the pool was made: ready, made, taken, empty, failed.
    fn counts(&self) -> HashMap<&'static str, u64> {
        let counts = self.pools.counts();
        HashMap::from([
            ("ready", counts.ready),
            ("made", counts.made),
            ("taken", counts.taken),
            ("empty", counts.empty),
            ("failed", counts.failed),
        ])
    }

    /// Signed /exchange bodies, one per (signer number, asset, is_buy, price, size, nonce).
    #[pyo3(signature = (orders, *, tif="Ioc", reduce_only=false, expires_after=None, mainnet=true))]
    fn order_requests<'py>(
        &self,
        py: Python<'py>,
        orders: &Bound<'py, PyList>,
        tif: &str,
        reduce_only: bool,
        expires_after: Option<u64>,
        mainnet: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        let terms = Terms { tif, reduce_only, cloid: None };
        let mut batch = Batch::with_capacity(orders.len());
        for row in orders.iter() {
            batch.push(row.cast::<PyTuple>()?, &terms)?;
        }
        let digests = batch.digests(expires_after, mainnet);
        let bodies = PyList::empty(py);
        let mut body = Vec::with_capacity(512);
        for (row, digest) in batch.rows.iter().zip(&digests) {
            if row.signer >= self.indexes.len() {
                return Err(PyIndexError::new_err(format!("the pool has no signer number {}", row.signer)));
            }
            let signature = self.sign_index(row.signer, digest)?;
            body.clear();
            write_body(batch.json(row), row.nonce, &signature, None, expires_after, &mut body);
            bodies.append(PyBytes::new(py, &body))?;
        }
        self.pools.refill();
        Ok(bodies)
    }
}

/// Orders of many signers; equal actions under equal nonces are encoded and hashed once.
struct Batch {
    rows: Vec<Row>,
    unique: Vec<Unique>,
    last: Option<(Order, u64)>,
    msgpack: Vec<u8>,
    json: Vec<u8>,
}

struct Row {
    signer: usize,
    nonce: u64,
    unique: usize,
}

struct Unique {
    nonce: u64,
    msgpack: std::ops::Range<usize>,
    json: std::ops::Range<usize>,
}

impl Batch {
    fn with_capacity(count: usize) -> Batch {
        Batch {
            rows: Vec::with_capacity(count),
            unique: Vec::with_capacity(count),
            last: None,
            msgpack: Vec::with_capacity(count.saturating_mul(96)),
            json: Vec::with_capacity(count.saturating_mul(160)),
        }
    }

    fn push(&mut self, row: &Bound<'_, PyTuple>, terms: &Terms<'_>) -> PyResult<()> {
        if row.len() != 6 {
            return Err(PyValueError::new_err("an order is (signer number, asset, is_buy, price, size, nonce)"));
        }
        let at = |index: usize| row.get_borrowed_item(index);
        let order = terms.order(at(1)?.extract()?, at(2)?.extract()?, &row.get_item(3)?, &row.get_item(4)?)?;
        let nonce: u64 = at(5)?.extract()?;
        if self.last != Some((order, nonce)) {
            self.encode(&order, nonce);
            self.last = Some((order, nonce));
        }
        self.rows.push(Row { signer: at(0)?.extract()?, nonce, unique: self.unique.len().saturating_sub(1) });
        Ok(())
    }

    fn encode(&mut self, order: &Order, nonce: u64) {
        let (from_msgpack, from_json) = (self.msgpack.len(), self.json.len());
        let action = Action::Order { orders: std::slice::from_ref(order), grouping: Grouping::Na, builder: None };
        encode_action(&action, &mut self.msgpack, &mut self.json);
        self.unique.push(Unique { nonce, msgpack: from_msgpack..self.msgpack.len(), json: from_json..self.json.len() });
    }

    fn json(&self, row: &Row) -> &[u8] {
        let range = self.unique.get(row.unique).map(|unique| unique.json.clone());
        range.and_then(|range| self.json.get(range)).unwrap_or_default()
    }

    /// One digest per row.
    fn digests(&self, expires_after: Option<u64>, mainnet: bool) -> Vec<Digest> {
        let preimages: Vec<Preimage<'_>> = self
            .unique
            .iter()
            .map(|unique| Preimage {
                action: self.msgpack.get(unique.msgpack.clone()).unwrap_or_default(),
                nonce: unique.nonce,
                vault: None,
                expires_after,
            })
            .collect();
        let mut digests = vec![[0u8; 32]; preimages.len()];
        l1_digests(&preimages, chain(mainnet), &mut digests);
        self.rows.iter().filter_map(|row| digests.get(row.unique).copied()).collect()
    }
}

/// Adds the class to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PresignPool>()
}
