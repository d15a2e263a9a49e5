//! What an operator asks for, and what he sees.
use serde_json::{Value, json};

use super::{OwnedEvent, World, merge};

impl World {
    /// An operator asks for something; the answer. Everything is served.
    pub fn operate(&mut self, request: Value) -> Value {
        self.step(OwnedEvent::Operate(request.to_string().into_bytes()));
        let answer = std::mem::take(&mut self.answer);
        self.settle();
        serde_json::from_slice(&answer).unwrap()
    }

    /// Puts changed settings in force, as an operator.
    pub fn configure(&mut self, extra: Value, change: impl FnOnce(&mut Value)) -> Value {
        let mut config = self.engine.live_settings();
        change(&mut config);
        let mut request = json!({"do": "configure", "config": config, "revision": self.engine.revision()});
        merge(&mut request, extra);
        self.operate(request)
    }

    pub fn status(&self) -> Value {
        let mut bytes = Vec::new();
        self.engine.write_status(self.now, &mut bytes);
        serde_json::from_slice(&bytes).unwrap()
    }
}
