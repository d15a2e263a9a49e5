//! Brings the core to where its journal ends, and refuses when it would have decided otherwise than recorded.
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use hlfast_core::commands::Commands;
use hlfast_core::config::{Config, ConfigError};
use hlfast_core::engine::Engine;
use hlfast_core::journal::step::{Step, read_step};
use hlfast_core::journal::{Kind, Record, Snapshot, Start};
use hlfast_core::metrics::Metrics;
use serde_json::Value;

use super::{RuntimeError, panic_text};
use crate::failpoint;
use crate::journal::{Journal, JournalError, Options, Survey, snapshots, survey};

/// Why recorded decisions can't be taken up again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The settings differ in what decides.
    #[error(
        "the journal was written under other settings: {setting} differs. Restore it and start, then `hlfast reload` the change; or start with an empty journal.directory once no order is unresolved"
    )]
    Settings {
        /// The first that differs.
        setting: String,
    },
    /// The core decides otherwise than recorded.
    #[error(
        "replay of record {sequence} differs from what was recorded: {what}. This build decides otherwise than the one that wrote the journal; use that one to settle what is open"
    )]
    Decision {
        /// The record.
        sequence: u64,
        /// The first difference.
        what: String,
    },
    /// A snapshot of this build is not what its records lead to.
    #[error(
        "the snapshot behind record {sequence} is not the state that the records lead to: move it away, the journal alone is enough"
    )]
    Snapshot {
        /// The record.
        sequence: u64,
    },
}

impl From<ReplayError> for JournalError {
    fn from(error: ReplayError) -> JournalError {
        JournalError::Replay(error.to_string())
    }
}

/// What replay leads to.
pub(super) struct Replayed {
    pub engine: Engine,
    pub journal: Journal,
    /// Counts openings; this one's.
    pub epoch: u32,
    /// The record that the snapshot used stands behind; 0: none was.
    pub snapshot: u64,
}

/// Opens the journal and replays it from the newest usable snapshot on, under its own settings; those of the file must be the
/// ones that it was given last.
pub(super) fn open(
    config: &Config,
    config_json: &[u8],
    directory: &Path,
    options: Options,
    metrics: Arc<Metrics>,
) -> Result<Replayed, RuntimeError> {
    let mut replay = from_snapshot(directory)?;
    let after = replay.after;
    let (journal, _) = Journal::open(directory, options, metrics, after, &mut |record| replay.record(record))?;
    let epoch = replay.epoch + 1;
    let engine = match replay.engine {
        Some(engine) => engine,
        None => Engine::new(config.clone())?,
    };
    if let Some(setting) = differing_setting(&engine.file_settings(), config_json) {
        return Err(JournalError::from(ReplayError::Settings { setting }).into());
    }
    Ok(Replayed { engine, journal, epoch, snapshot: after })
}

/// A replay at the newest snapshot that can be read; else before the first record.
fn from_snapshot(directory: &Path) -> Result<Replay, RuntimeError> {
    for path in snapshots(directory)? {
        if let Some(replay) = std::fs::read(&path).ok().and_then(|bytes| Replay::at_snapshot(&bytes)) {
            return Ok(replay);
        }
    }
    Ok(Replay::default())
}

/// Decides records again.
#[derive(Default)]
struct Replay {
    /// Made by the first record, which holds the settings, or by a snapshot.
    engine: Option<Engine>,
    commands: Commands,
    epoch: u32,
    /// The record that it begins behind.
    after: u64,
}

impl Replay {
    fn at_snapshot(bytes: &[u8]) -> Option<Replay> {
        let snapshot = Snapshot::parse(bytes).ok()?;
        let settings = serde_json::from_slice(snapshot.config).ok()?;
        let mut engine = Engine::new(Config::from_merged(settings).ok()?).ok()?;
        engine.decode_state(snapshot.state).ok()?;
        let (epoch, after) = (snapshot.epoch, snapshot.sequence);
        Some(Replay { engine: Some(engine), commands: Commands::default(), epoch, after })
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), JournalError> {
        let payload = |what| JournalError::Replay(format!("record {}: {what}", record.sequence));
        match record.kind {
            Kind::Start => {
                let start = Start::read(record.payload).map_err(payload)?;
                self.epoch = self.epoch.max(start.epoch);
                self.begin(start.config)
            }
            Kind::Step => {
                let step = read_step(record.payload).map_err(payload)?;
                self.step(record.sequence, &step)
            }
        }
    }

    /// A process opened the journal: the first one brings the settings, every later one the same file.
    fn begin(&mut self, config: &[u8]) -> Result<(), JournalError> {
        let Some(engine) = &self.engine else {
            let unusable = |error: ConfigError| JournalError::Replay(format!("the journal's own settings: {error}"));
            let config = Config::from_json(config).map_err(unusable)?;
            self.engine = Some(Engine::new(config).map_err(unusable)?);
            return Ok(());
        };
        match differing_setting(&engine.file_settings(), config) {
            None => Ok(()),
            Some(setting) => Err(ReplayError::Settings { setting }.into()),
        }
    }

    fn step(&mut self, sequence: u64, step: &Step<'_>) -> Result<(), JournalError> {
        let differs = |what: String| JournalError::from(ReplayError::Decision { sequence, what });
        let (Some(engine), commands) = (&mut self.engine, &mut self.commands) else {
            return Err(differs("no settings come before it".to_owned()));
        };
        let input = &step.input;
        engine.restore_context(input.context).map_err(|error| differs(error.to_string()))?;
        catch_unwind(AssertUnwindSafe(|| engine.step(&input.event, input.now_ms, input.entropy, commands)))
            .map_err(|panic| differs(format!("the core panicked: {}", panic_text(&*panic))))?;
        match difference(&self.commands, step) {
            None => {
                failpoint::reach("replayed");
                Ok(())
            }
            Some(what) => Err(differs(what)),
        }
    }

    /// A snapshot made by another build says nothing: its first byte is its version.
    fn compare(&self, sequence: u64, snapshot: &[u8]) -> Result<(), ReplayError> {
        let mut state = Vec::new();
        if let Some(engine) = &self.engine {
            engine.encode_state(&mut state);
        }
        let differs = state.first() == snapshot.first() && state != snapshot;
        if differs { Err(ReplayError::Snapshot { sequence }) } else { Ok(()) }
    }
}

/// The states in a journal's snapshots, by the record that they stand behind.
fn snapshot_states(directory: &Path) -> Result<BTreeMap<u64, Vec<u8>>, JournalError> {
    let mut states = BTreeMap::new();
    for path in snapshots(directory)? {
        let Ok(bytes) = std::fs::read(path) else { continue };
        let Ok(snapshot) = Snapshot::parse(&bytes) else { continue };
        states.insert(snapshot.sequence, snapshot.state.to_owned());
    }
    Ok(states)
}

/// The core as a journal's last whole record leaves it, read beside its writer; `None`: there is no record yet.
///
/// # Errors
/// [`RuntimeError`] as for [`verify`].
pub fn look(directory: &Path) -> Result<Option<Engine>, RuntimeError> {
    if !directory.is_dir() {
        return Ok(None);
    }
    let mut replay = from_snapshot(directory)?;
    survey(directory, &mut |_, record| if record.sequence > replay.after { replay.record(record) } else { Ok(()) })?;
    Ok(replay.engine)
}

/// What [`verify`] found in order.
#[derive(Debug)]
pub struct Verified {
    /// The journal's records.
    pub survey: Survey,
    /// Records that were decided again, equally.
    pub replayed: u64,
}

/// Reads a whole journal without its lock and decides every record again, from the journal's own settings; from the oldest
/// readable snapshot on where older segments were archived. Snapshots must be what the records lead to. Any thread; memory: the
/// core's state, its snapshots and one segment.
///
/// # Errors
/// [`RuntimeError`] at the first byte, decision or snapshot that differs, with its file and offset.
pub fn verify(directory: &Path) -> Result<Verified, RuntimeError> {
    let mut replay: Option<Replay> = None;
    let mut states = snapshot_states(directory)?;
    let mut replayed = 0;
    let survey = survey(directory, &mut |place, record| {
        let differs = |error: &dyn std::fmt::Display| {
            JournalError::Replay(format!("{}: at byte {}: {error}", place.path.display(), place.offset))
        };
        if replay.is_none() {
            replay = Some(beginning(directory, record).map_err(|error| differs(&error))?);
        }
        let Some(replay) = replay.as_mut().filter(|replay| record.sequence > replay.after) else { return Ok(()) };
        replay.record(record).map_err(|error| differs(&error))?;
        if let Some(state) = states.remove(&record.sequence) {
            replay.compare(record.sequence, &state).map_err(|error| differs(&error))?;
        }
        replayed += 1;
        Ok(())
    })?;
    Ok(Verified { survey, replayed })
}

/// A replay that begins with a journal's first record, or where older ones were archived behind its oldest snapshot.
fn beginning(directory: &Path, first: &Record<'_>) -> Result<Replay, RuntimeError> {
    if first.sequence == 1 {
        return Ok(Replay::default());
    }
    for path in snapshots(directory)?.iter().rev() {
        if let Some(replay) = std::fs::read(path).ok().and_then(|bytes| Replay::at_snapshot(&bytes)) {
            return Ok(replay);
        }
    }
    let path = directory.to_owned();
    Err(JournalError::Compacted { path, first: first.sequence, after: 0 }.into())
}

/// The first difference between what the core decides now and what was recorded.
fn difference(commands: &Commands, step: &Step<'_>) -> Option<String> {
    if commands.attempts.len() != step.attempts.len() {
        return Some(format!("{} attempts, recorded {}", commands.attempts.len(), step.attempts.len()));
    }
    for (now, then) in commands.attempts.iter().zip(&step.attempts) {
        let then = &then.attempt;
        if (now.follower, now.nonce, now.post_id, now.digest) != (then.follower, then.nonce, then.post_id, then.digest)
        {
            return Some(format!(
                "the attempt of follower {} with nonce {} has another digest, nonce or number",
                then.follower, then.nonce
            ));
        }
    }
    if commands.receipts.len() != step.receipts.len() {
        return Some(format!("{} receipts, recorded {}", commands.receipts.len(), step.receipts.len()));
    }
    // A journal from before they were recorded has none.
    let slices = step.twap_slices.iter().map(|then| &then.slice);
    if !step.twap_slices.is_empty() && !slices.eq(&commands.twap_slices) {
        return Some("slices of a TWAP have other content".to_owned());
    }
    let mut pairs = commands.receipts.iter().zip(&step.receipts);
    let (_, then) = pairs.find(|(now, then)| **now != then.receipt)?;
    Some(format!("receipt {} has other content", then.receipt.number))
}

/// Settings that change no decision, or only how fast and where they are carried out.
const FREE: [&str; 4] = ["keys", "metrics", "journal", "engine"];
const FREE_IN_VENUE: [&str; 2] = ["base_url", "ws_url"];

/// The name of the first setting that decides and differs; `engine` is compared in what the core reads of it.
pub(crate) fn differing_setting(then: &Value, now: &[u8]) -> Option<String> {
    let Ok(mut now) = serde_json::from_slice::<Value>(now) else { return Some("the configuration".to_owned()) };
    let mut then = then.clone();
    for value in [&mut then, &mut now] {
        let Some(object) = value.as_object_mut() else { continue };
        let reconcile = object.get("engine").and_then(|engine| engine.get("reconcile_ms")).cloned();
        object.retain(|key, _| !FREE.contains(&key.as_str()));
        object.insert("engine.reconcile_ms".to_owned(), reconcile.unwrap_or(Value::Null));
        if let Some(venue) = object.get_mut("venue").and_then(Value::as_object_mut) {
            venue.retain(|key, _| !FREE_IN_VENUE.contains(&key.as_str()));
        }
    }
    first_difference("", &then, &now)
}

fn first_difference(path: &str, then: &Value, now: &Value) -> Option<String> {
    if then == now {
        return None;
    }
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            let keys = then.keys().chain(now.keys().filter(|key| !then.contains_key(*key)));
            let dot = if path.is_empty() { "" } else { "." };
            keys.filter_map(|key| {
                let missing = Value::Null;
                let (then, now) = (then.get(key).unwrap_or(&missing), now.get(key).unwrap_or(&missing));
                first_difference(&format!("{path}{dot}{key}"), then, now)
            })
            .next()
        }
        (Value::Array(then), Value::Array(now)) if then.len() == now.len() => {
            let mut pairs = then.iter().zip(now).enumerate();
            pairs.find_map(|(at, (then, now))| first_difference(&format!("{path}[{at}]"), then, now))
        }
        (Value::Array(then), Value::Array(now)) => {
            Some(format!("the number of {path} ({} then, {} now)", then.len(), now.len()))
        }
        _ => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::differing_setting;

    fn differs(then: &[u8], now: &[u8]) -> Option<String> {
        differing_setting(&serde_json::from_slice(then).unwrap(), now)
    }

    fn config(extra: &str) -> Vec<u8> {
        format!(r#"{{"network":"testnet","venue":{{"base_url":"http://a","limits":"off"}},"follows":[{{"ratio":"0.1"}}]{extra}}}"#)
            .into_bytes()
    }

    #[test]
    fn settings_that_decide_nothing_may_change() {
        let then = config(r#","keys":{"env":[]},"engine":{"busy_poll":true}"#);
        let now =
            String::from_utf8(config(r#","engine":{"busy_poll":false}"#)).unwrap().replace("http://a", "http://b");
        assert_eq!(differs(&then, now.as_bytes()), None);
    }

    #[test]
    fn the_first_setting_that_decides_is_named() {
        let then = config("");
        let now = String::from_utf8(config("")).unwrap();
        for (old, new, named) in [
            ("0.1", "0.2", "follows[0].ratio"),
            ("testnet", "mainnet", "network"),
            ("off", "venue", "venue.limits"),
            (r#"[{"ratio":"0.1"}]"#, "[]", "the number of follows (1 then, 0 now)"),
        ] {
            assert_eq!(differs(&then, now.replace(old, new).as_bytes()).as_deref(), Some(named));
        }
    }
}
