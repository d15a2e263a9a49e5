//! EIP-712 for the venue's user-signed actions: one flat struct of atomic fields under the signing domain.
use super::Digest;
use super::keccak::keccak256;
use crate::wire::Address;

/// A field's value, already of its declared kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// `string`.
    Text(&'a str),
    /// `bytes`.
    Bytes(&'a [u8]),
    /// `bytes32`.
    Word([u8; 32]),
    /// `address`.
    Address(Address),
    /// `bool`.
    Bool(bool),
    /// `uint8` to `uint256`, as far as the venue uses them.
    Uint(u64),
}

/// One field of the struct, in hash order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Declared type, as it appears in the type string.
    pub kind: &'a str,
    /// Declared name.
    pub name: &'a str,
    /// What is signed.
    pub value: Value<'a>,
}

/// The digest to sign for a user-signed action. The primary type's colon is part of the name that is hashed.
#[must_use]
pub fn user_digest(primary_type: &str, fields: &[Field<'_>], chain_id: u64) -> Digest {
    let mut message = Vec::with_capacity(fields.len().saturating_add(1).saturating_mul(32));
    message.extend_from_slice(&type_hash(primary_type, fields));
    for field in fields {
        message.extend_from_slice(&encode(&field.value));
    }
    let mut typed = [0u8; 66];
    typed[..2].copy_from_slice(&[0x19, 0x01]);
    typed[2..34].copy_from_slice(&domain_separator("HyperliquidSignTransaction", chain_id));
    typed[34..].copy_from_slice(&keccak256(&message));
    keccak256(&typed)
}

/// keccak of `Name(type name,type name)`.
fn type_hash(primary_type: &str, fields: &[Field<'_>]) -> [u8; 32] {
    let mut text = format!("{primary_type}(");
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(field.kind);
        text.push(' ');
        text.push_str(field.name);
    }
    text.push(')');
    keccak256(text.as_bytes())
}

/// The separator of a domain with version 1 and the zero address as its contract: all that the venue uses.
#[must_use]
pub fn domain_separator(name: &str, chain_id: u64) -> [u8; 32] {
    const TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    let mut message = [0u8; 160];
    message[..32].copy_from_slice(&keccak256(TYPE.as_bytes()));
    message[32..64].copy_from_slice(&keccak256(name.as_bytes()));
    message[64..96].copy_from_slice(&keccak256(b"1"));
    message[120..128].copy_from_slice(&chain_id.to_be_bytes());
    keccak256(&message)
}

fn encode(value: &Value<'_>) -> [u8; 32] {
    let mut word = [0u8; 32];
    match value {
        Value::Text(text) => return keccak256(text.as_bytes()),
        Value::Bytes(bytes) => return keccak256(bytes),
        Value::Word(bytes) => return *bytes,
        Value::Address(address) => word[12..].copy_from_slice(&address.0),
        Value::Bool(value) => word[31] = u8::from(*value),
        Value::Uint(n) => word[24..].copy_from_slice(&n.to_be_bytes()),
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn domains_are_the_published_ones() {
        for (name, chain, wanted) in [
            ("Exchange", 1337, "d79297fcdf2ffcd4ae223d01edaa2ba214ff8f401d7c9300d995d17c82aa4040"),
            ("HyperliquidSignTransaction", 421_614, "feb1393ca4412a4ca577bd51d04f0a77033514c602f4d0a11490fb95f7428df6"),
            ("HyperliquidSignTransaction", 42_161, "2f54e643b38c9c2b65cb731aaf11c54f01705ee0cdf45aea16e2ac0a5ce7531a"),
            ("HyperliquidSignTransaction", 1, "db17d1ad595c034a414294c8a640f420ba18e2b7488231f5b97d02780d8e8648"),
        ] {
            assert_eq!(hex(&domain_separator(name, chain)), wanted);
        }
    }

    #[test]
    fn the_constants_of_the_fast_path_are_what_they_claim() {
        assert_eq!(super::super::eip712::EXCHANGE_DOMAIN, domain_separator("Exchange", 1337));
        assert_eq!(super::super::eip712::AGENT_TYPE, keccak256(b"Agent(string source,bytes32 connectionId)"));
        assert_eq!(super::super::eip712::SOURCE_MAINNET, keccak256(b"a"));
        assert_eq!(super::super::eip712::SOURCE_TESTNET, keccak256(b"b"));
    }

    #[test]
    fn a_type_string_lists_its_fields_in_order() {
        let field = |kind, name| Field { kind, name, value: Value::Bool(true) };
        let fields = [
            field("string", "hyperliquidChain"),
            field("string", "destination"),
            field("string", "amount"),
            field("uint64", "time"),
        ];
        let wanted = "c7410964737e2180e258d649f23f74a49460432fecbd94688103ecc63fb66b4c";
        assert_eq!(hex(&type_hash("HyperliquidTransaction:UsdSend", &fields)), wanted);
    }
}
