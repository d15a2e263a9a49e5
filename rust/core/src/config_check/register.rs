//! Whose name and address is whose: no account twice, none that follows itself through others.
use std::collections::BTreeMap;

use crate::config::ConfigError;
use crate::wire::Address;

/// Names and addresses taken so far, whatever their case.
#[derive(Default)]
pub(super) struct Register {
    names: BTreeMap<String, String>,
    addresses: BTreeMap<Address, (String, bool)>,
    apart: Option<Box<Register>>,
}

impl Register {
    pub(super) fn name(&mut self, at: &str, name: &str) -> Result<(), ConfigError> {
        if name.is_empty() || name.len() > 64 {
            return Err(ConfigError::new(format!("{at}.name"), "must have 1 to 64 characters"));
        }
        match self.names.insert(name.to_lowercase(), at.to_owned()) {
            Some(first) => Err(ConfigError::new(
                format!("{at}.name"),
                format!("{name:?} is also the name of {first}: names differ in more than case"),
            )),
            None => Ok(()),
        }
    }

    /// The register itself, or an empty one for somebody who was removed: the dead take no names.
    pub(super) fn unless(&mut self, removed: bool) -> &mut Register {
        if !removed {
            return self;
        }
        self.apart.insert(Box::default())
    }

    /// A leader and a follower may share a name, two of a kind may not.
    pub(super) fn begin_followers(&mut self) {
        self.names.clear();
    }

    pub(super) fn account(&mut self, setting: &str, address: Address) -> Result<(), ConfigError> {
        self.take(setting, address, false)
    }

    pub(super) fn agent(&mut self, setting: &str, address: Address) -> Result<(), ConfigError> {
        self.take(setting, address, true)
    }

    fn take(&mut self, setting: &str, address: Address, agent: bool) -> Result<(), ConfigError> {
        let Some((first, first_agent)) = self.addresses.insert(address, (setting.to_owned(), agent)) else {
            return Ok(());
        };
        let problem = match (first_agent, agent) {
            (true, true) => format!("is also {first}: each follower needs its own agent, one nonce counter each"),
            (false, false) if first.starts_with("leaders") != setting.starts_with("leaders") => {
                format!("is also {first}: an account that copies is never copied (no cycles)")
            }
            (false, false) => format!("is also {first}: list each account once"),
            _ => format!("is also {first}: an agent's address is never an account's"),
        };
        Err(ConfigError::new(setting, problem))
    }
}
