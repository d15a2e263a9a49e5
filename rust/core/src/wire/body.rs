//! The JSON around a signed action: the body of `/exchange` and the WebSocket post that carries the same body.
use super::Address;
use crate::num::write_u64;
use crate::sign::Signature;

/// Appends the body of `/exchange`. Both optional keys are always written, null when unset, as the official SDK does.
pub fn write_body(
    action_json: &[u8],
    nonce: u64,
    signature: &Signature,
    vault: Option<&Address>,
    expires_after: Option<u64>,
    out: &mut Vec<u8>,
) {
    out.reserve(action_json.len().saturating_add(320));
    out.extend_from_slice(b"{\"action\":");
    out.extend_from_slice(action_json);
    out.extend_from_slice(b",\"nonce\":");
    write_u64(out, nonce);
    out.extend_from_slice(b",\"signature\":");
    signature.write_json(out);
    out.extend_from_slice(b",\"vaultAddress\":");
    match vault {
        Some(vault) => {
            out.push(b'"');
            vault.write_hex(out);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"expiresAfter\":");
    match expires_after {
        Some(time_ms) => write_u64(out, time_ms),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}

/// Appends the WebSocket message that posts a signed action under `id`. The answer comes back with the same id.
pub fn write_ws_post(
    id: u64,
    action_json: &[u8],
    nonce: u64,
    signature: &Signature,
    vault: Option<&Address>,
    expires_after: Option<u64>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"method\":\"post\",\"id\":");
    write_u64(out, id);
    out.extend_from_slice(b",\"request\":{\"type\":\"action\",\"payload\":");
    write_body(action_json, nonce, signature, vault, expires_after, out);
    out.extend_from_slice(b"}}");
}
