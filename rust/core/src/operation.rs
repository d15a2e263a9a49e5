//! What an operator may ask of a running engine: one JSON object, read strictly. A field that is unknown, missing or of no
//! sense is refused by its name, and then nothing happens.
use serde::Deserialize;
use serde_json::Value;

use crate::risk::pause::Pause;

/// A longer request is none of ours: the settings of ten thousand followers fit.
pub const MAX_REQUEST: usize = 16 << 20;
/// Longest reason that an operator may give.
const MAX_WHY: usize = 200;

/// A request that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {fix}")]
pub struct Refusal {
    /// What is wrong with it.
    pub what: String,
    /// What to do instead.
    pub fix: String,
}

impl Refusal {
    /// A refusal in words.
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Refusal {
        Refusal { what: what.into(), fix: fix.into() }
    }
}

/// Whom a request is about, by name. One of the three forms, never none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everybody.
    All,
    /// One leader, for all its followers.
    Leader(String),
    /// One follower, of all its leaders.
    Follower(String),
    /// One edge: leader, follower.
    Follow(String, String),
}

/// What becomes of the part that an ended follow still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parting {
    /// It goes as the leader reduces it.
    #[default]
    Reduce,
    /// It is closed at once.
    Close,
    /// It stays, and is the account owner's from now on.
    Keep,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Forbid increases (and more, by kind) of somebody.
    Pause {
        /// Whom.
        scope: Scope,
        /// How far.
        kind: Pause,
        /// Why, for the record.
        why: String,
    },
    /// Take a pause back; the pause of a liquidated leader too.
    Resume {
        /// Whom.
        scope: Scope,
        /// Latches of losses too.
        reset: bool,
    },
    /// No increases anywhere until `Revive`.
    Kill {
        /// How far.
        kind: Pause,
        /// Why, for the record.
        why: String,
    },
    /// Lift the kill switch.
    Revive,
    /// Close what was copied; the leader's next increase is copied again.
    Flatten {
        /// Whose.
        follower: String,
        /// One coin, or every one.
        coin: Option<String>,
    },
    /// Put other settings in force.
    Configure(Wanted),
}

/// Other settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// All settings, as for a start.
    pub config: Value,
    /// They are those of the file: what an operator has changed since is over.
    pub from_file: bool,
    /// What becomes of the parts of follows that they leave out.
    pub parting: Parting,
    /// The settings that they were made from, as counted; others mean that somebody else was faster.
    pub revision: u64,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Raw {
    Pause {
        leader: Option<String>,
        follower: Option<String>,
        #[serde(default)]
        all: bool,
        #[serde(default)]
        kind: Pause,
        #[serde(default)]
        why: String,
    },
    Resume {
        leader: Option<String>,
        follower: Option<String>,
        #[serde(default)]
        all: bool,
        #[serde(default)]
        kill: bool,
        #[serde(default)]
        reset: bool,
    },
    Kill {
        #[serde(default)]
        kind: Pause,
        #[serde(default)]
        why: String,
    },
    Flatten {
        follower: String,
        coin: Option<String>,
    },
    Configure {
        config: Value,
        #[serde(default)]
        from_file: bool,
        #[serde(default)]
        parting: Parting,
        revision: u64,
    },
}

impl Operation {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Refusal`]: what is wrong, by the field's name.
    pub fn parse(request: &[u8]) -> Result<Operation, Refusal> {
        if request.len() > MAX_REQUEST {
            return Err(Refusal::new(format!("the request has {} bytes", request.len()), "send at most 16777216"));
        }
        let raw: Raw = serde_json::from_slice(request)
            .map_err(|error| Refusal::new(format!("the request can't be read: {error}"), "see docs/operating.md"))?;
        Ok(match raw {
            Raw::Pause { leader, follower, all, kind, why } => {
                Operation::Pause { scope: scope(leader, follower, all)?, kind, why: checked(why)? }
            }
            Raw::Resume { leader: None, follower: None, all: false, kill: true, reset: false } => Operation::Revive,
            Raw::Resume { kill: true, .. } => {
                return Err(Refusal::new("kill goes with nothing else", "lift the kill switch by itself"));
            }
            Raw::Resume { leader, follower, all, reset, .. } => {
                Operation::Resume { scope: scope(leader, follower, all)?, reset }
            }
            Raw::Kill { kind, why } => Operation::Kill { kind, why: checked(why)? },
            Raw::Flatten { follower, coin } => Operation::Flatten { follower, coin },
            Raw::Configure { config, from_file, parting, revision } => {
                Operation::Configure(Wanted { config, from_file, parting, revision })
            }
        })
    }
}

fn scope(leader: Option<String>, follower: Option<String>, all: bool) -> Result<Scope, Refusal> {
    match (leader, follower, all) {
        (None, None, true) => Ok(Scope::All),
        (Some(leader), None, false) => Ok(Scope::Leader(leader)),
        (None, Some(follower), false) => Ok(Scope::Follower(follower)),
        (Some(leader), Some(follower), false) => Ok(Scope::Follow(leader, follower)),
        (None, None, false) => Err(Refusal::new("nobody is named", "name a leader, a follower, both, or say all")),
        (.., true) => Err(Refusal::new("all and a name contradict each other", "keep one of them")),
    }
}

fn checked(why: String) -> Result<String, Refusal> {
    if why.len() > MAX_WHY || why.chars().any(char::is_control) {
        return Err(Refusal::new("why is no short line of text", "write at most 200 bytes without line breaks"));
    }
    Ok(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: &str) -> String {
        Operation::parse(request.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn requests_are_read_by_their_names() {
        let read = |request: &str| Operation::parse(request.as_bytes()).unwrap();
        assert_eq!(
            read(r#"{"do":"pause","leader":"alice"}"#),
            Operation::Pause { scope: Scope::Leader("alice".into()), kind: Pause::CloseOnly, why: String::new() }
        );
        assert_eq!(
            read(r#"{"do":"pause","follower":"main","leader":"alice","kind":"freeze","why":"rebuild"}"#),
            Operation::Pause {
                scope: Scope::Follow("alice".into(), "main".into()),
                kind: Pause::Freeze,
                why: "rebuild".into()
            }
        );
        assert_eq!(
            read(r#"{"do":"resume","all":true,"reset":true}"#),
            Operation::Resume { scope: Scope::All, reset: true }
        );
        assert_eq!(read(r#"{"do":"resume","kill":true}"#), Operation::Revive);
        assert_eq!(
            read(r#"{"do":"kill","kind":"flatten"}"#),
            Operation::Kill { kind: Pause::Flatten, why: String::new() }
        );
        assert_eq!(
            read(r#"{"do":"flatten","follower":"main","coin":"BTC"}"#),
            Operation::Flatten { follower: "main".into(), coin: Some("BTC".into()) }
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (request, named) in [
            ("", "can't be read"),
            ("[]", "can't be read"),
            (r#"{"do":"dance"}"#, "dance"),
            (r#"{"do":"pause"}"#, "nobody is named"),
            (r#"{"do":"pause","all":true,"leader":"alice"}"#, "contradict"),
            (r#"{"do":"pause","all":true,"kind":"nap"}"#, "nap"),
            (r#"{"do":"pause","all":true,"leaders":"alice"}"#, "leaders"),
            (r#"{"do":"pause","all":true,"all":true}"#, "all"),
            (r#"{"do":"flatten"}"#, "follower"),
            (r#"{"do":"resume","kill":true,"all":true}"#, "nothing else"),
            ("{\"do\":\"kill\",\"why\":\"two\\nlines\"}", "why"),
        ] {
            assert!(refused(request).contains(named), "{request}: {}", refused(request));
        }
        assert!(refused(&format!(r#"{{"do":"kill","why":"{}"}}"#, "x".repeat(201))).contains("why"));
        assert!(refused(&" ".repeat(MAX_REQUEST + 1)).contains("16777217 bytes"));
    }
}
