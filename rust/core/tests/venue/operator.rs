//! What an operator asks for, and what he sees.
use serde_json::Value;

use super::{OwnedEvent, World};

impl World {
    /// An operator asks for something; the answer. Everything is served.
    pub fn operate(&mut self, request: Value) -> Value {
        self.step(OwnedEvent::Operate(request.to_string().into_bytes()));
        let answer = std::mem::take(&mut self.answer);
        self.settle();
        serde_json::from_slice(&answer).unwrap()
    }

    pub fn status(&self) -> Value {
        let mut bytes = Vec::new();
        self.engine.write_status(self.now, &mut bytes);
        serde_json::from_slice(&bytes).unwrap()
    }
}
