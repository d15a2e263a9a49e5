//! Python arguments to the core's types. Every refusal names the argument.
use hlfast_core::num::{NumError, Px, Sz, float_to_units};
use hlfast_core::sign::{Chain, Digest, Signature, Value, l1_digest};
use hlfast_core::wire::{Action, Address, Cloid, Grouping, Order, Tif, encode_action, write_body};
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString};

/// An address, 0x optional, any case: the official SDK takes both.
pub fn address(text: &str) -> PyResult<Address> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    Address::parse(format!("0x{digits}").as_bytes())
        .ok_or_else(|| PyValueError::new_err(format!("{text:?} is not an address: 0x and 40 hex digits are expected")))
}

/// A number of a signature: hex text of any length up to 64 digits, or an int.
pub fn quantity(value: &Bound<'_, PyAny>, name: &str) -> PyResult<[u8; 32]> {
    let bad = || PyValueError::new_err(format!("signature.{name} must be a hex number of at most 32 bytes"));
    let text: String = if value.is_instance_of::<PyInt>() {
        value.call_method1("__format__", ("x",))?.extract()?
    } else {
        value.extract()?
    };
    let digits = text.strip_prefix("0x").unwrap_or(&text);
    let mut number = [0u8; 32];
    if digits.is_empty() || digits.len() > 64 {
        return Err(bad());
    }
    for (index, digit) in digits.bytes().rev().enumerate() {
        let value = char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or_else(bad)?;
        if let Some(byte) = number.iter_mut().rev().nth(index / 2) {
            *byte |= value << (4 * (index % 2));
        }
    }
    Ok(number)
}

/// What the fast calls share about their orders.
pub struct Terms<'a> {
    /// Time in force, as the venue spells it.
    pub tif: &'a str,
    /// Only shrink a position.
    pub reduce_only: bool,
    /// Client order id.
    pub cloid: Option<&'a str>,
}

impl Terms<'_> {
    /// One limit order; price and size as text, int, float or Decimal.
    pub fn order(
        &self,
        asset: u32,
        is_buy: bool,
        price: &Bound<'_, PyAny>,
        size: &Bound<'_, PyAny>,
    ) -> PyResult<Order> {
        let tif = match self.tif {
            "Ioc" => Tif::Ioc,
            "Gtc" => Tif::Gtc,
            "Alo" => Tif::Alo,
            "FrontendMarket" => Tif::FrontendMarket,
            other => {
                return Err(PyValueError::new_err(format!(
                    "tif {other:?} is not one of Ioc, Gtc, Alo, FrontendMarket"
                )));
            }
        };
        let cloid = self.cloid.map(cloid).transpose()?;
        let price = Px::from_raw(units(price, "price")?);
        let size = Sz::from_raw(units(size, "size")?);
        Ok(Order { asset, is_buy, price, size, reduce_only: self.reduce_only, tif, cloid })
    }
}

/// A client order id.
pub fn cloid(text: &str) -> PyResult<Cloid> {
    Cloid::parse(text.as_bytes())
        .ok_or_else(|| PyValueError::new_err(format!("cloid {text:?} is not 0x and 32 hex digits")))
}

/// A positive number in units of 10^-8.
fn units(value: &Bound<'_, PyAny>, name: &str) -> PyResult<i64> {
    let refuse = |error: NumError| PyValueError::new_err(format!("{name} {value}: {error}"));
    let units = if let Ok(text) = value.cast::<PyString>() {
        Px::parse(text.to_str()?.as_bytes()).map_err(refuse)?.raw()
    } else if let Ok(number) = value.cast::<PyFloat>() {
        float_to_units(number.value()).map_err(refuse)?
    } else if value.is_instance_of::<PyBool>() {
        return Err(PyTypeError::new_err(format!("{name} must be a number, not a bool")));
    } else if value.is_instance_of::<PyInt>() || value.hasattr("as_tuple")? {
        // Plain digits from int and Decimal alike, never an exponent.
        let text: String =
            value.call_method1("__format__", (if value.is_instance_of::<PyInt>() { "d" } else { "f" },))?.extract()?;
        Px::parse(text.as_bytes()).map_err(refuse)?.raw()
    } else {
        return Err(PyTypeError::new_err(format!(
            "{name} must be a str, int, float or Decimal, not {}",
            value.get_type()
        )));
    };
    if units <= 0 {
        return Err(PyValueError::new_err(format!("{name} {value} must be above zero")));
    }
    Ok(units)
}

/// One order on its way to a request body.
pub struct Request {
    msgpack: Vec<u8>,
    json: Vec<u8>,
    body: Vec<u8>,
}

impl Request {
    /// The action's bytes.
    pub fn encode(order: &Order) -> Request {
        let mut request =
            Request { msgpack: Vec::with_capacity(192), json: Vec::with_capacity(256), body: Vec::with_capacity(512) };
        let action = Action::Order { orders: std::slice::from_ref(order), grouping: Grouping::Na, builder: None };
        encode_action(&action, &mut request.msgpack, &mut request.json);
        request
    }

    /// What is signed.
    pub fn digest(&self, nonce: u64, vault: Option<&Address>, expires_after: Option<u64>, chain: Chain) -> Digest {
        l1_digest(&self.msgpack, nonce, vault, expires_after, chain)
    }

    /// What is sent.
    pub fn body(
        &mut self,
        nonce: u64,
        signature: &Signature,
        vault: Option<&Address>,
        expires_after: Option<u64>,
    ) -> &[u8] {
        self.body.clear();
        write_body(&self.json, nonce, signature, vault, expires_after, &mut self.body);
        &self.body
    }
}

/// A field of a typed message, owned while the message is hashed.
pub enum Owned {
    /// `string`.
    Text(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// Everything that fits a word.
    Plain(Value<'static>),
}

impl Owned {
    /// The core's view of it.
    pub fn borrow(&self) -> Value<'_> {
        match self {
            Owned::Text(text) => Value::Text(text),
            Owned::Bytes(bytes) => Value::Bytes(bytes),
            Owned::Plain(value) => *value,
        }
    }
}

/// A Python value as the declared EIP-712 type.
pub fn typed(value: &Bound<'_, PyAny>, kind: &str, name: &str) -> PyResult<Owned> {
    let wrong = || PyTypeError::new_err(format!("action.{name} does not fit its declared type {kind}"));
    let bytes = || -> PyResult<Vec<u8>> {
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(bytes.as_bytes().to_vec());
        }
        let text: String = value.extract().map_err(|_| wrong())?;
        let digits = text.strip_prefix("0x").ok_or_else(wrong)?.to_owned();
        let pairs: Vec<_> = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2))
            .collect();
        pairs.iter().map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(wrong)).collect()
    };
    Ok(match kind {
        "string" => Owned::Text(value.extract().map_err(|_| wrong())?),
        "address" => Owned::Plain(Value::Address(address(&value.extract::<String>().map_err(|_| wrong())?)?)),
        "bool" => Owned::Plain(Value::Bool(value.cast::<PyBool>().map_err(|_| wrong())?.is_true())),
        "bytes" => Owned::Bytes(bytes()?),
        "bytes32" => Owned::Plain(Value::Word(bytes()?.try_into().map_err(|_| wrong())?)),
        "uint8" | "uint16" | "uint32" | "uint64" | "uint128" | "uint256" if !value.is_instance_of::<PyBool>() => {
            let number: u64 = value.extract().map_err(|_| wrong())?;
            let bits = kind.trim_start_matches("uint").parse::<u32>().unwrap_or(64);
            if number.checked_shr(bits).unwrap_or(0) != 0 {
                return Err(wrong());
            }
            Owned::Plain(Value::Uint(number))
        }
        _ => {
            return Err(PyTypeError::new_err(format!("types declares {name} as {kind}, which the venue does not use")));
        }
    })
}

/// A required entry of a dict.
pub fn item<'py>(dict: &Bound<'py, PyDict>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    dict.get_item(name)?.ok_or_else(|| PyKeyError::new_err(format!("{name} is missing")))
}

/// Sets an entry; one that is already there must agree.
pub fn set_or_check(dict: &Bound<'_, PyDict>, name: &str, wanted: &str) -> PyResult<()> {
    match dict.get_item(name)? {
        None => dict.set_item(name, wanted),
        Some(found) if found.eq(wanted)? => Ok(()),
        Some(found) => Err(PyValueError::new_err(format!("action.{name} is {found}, but {wanted} was asked for"))),
    }
}
