//! Core, journal and signers as one: an event goes in, bytes to write come out, and nothing leaves before it is
//! written down.
//!
//! `step` decides and journals; `sync` waits for stable storage when [`Runtime::needs_sync`] says so; `dispatch` signs and
//! frames. They are apart so that the binding can give the interpreter's lock back around the sync alone.
mod feeds;
mod outbox;
mod replay;
mod signing;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use hlfast_core::commands::{Alert, AttemptKind, Commands, Level, Road};
use hlfast_core::config::{self, Config, ConfigError};
use hlfast_core::engine::Engine;
use hlfast_core::event::{Event, FrameClass};
use hlfast_core::journal::json::level_name;
use hlfast_core::journal::step::write_step;
use hlfast_core::journal::{Kind, Snapshot, Start};
use hlfast_core::metrics::{Metrics, Stage};
use hlfast_core::planted::{Bug, planted};
use hlfast_core::sign::Signer;
use hlfast_core::wire::{Address, write_json_string};

pub use outbox::Sending;
pub(crate) use replay::differing_setting;
pub use replay::{ReplayError, Verified, look, verify};

use crate::clock::monotonic_ns;
use crate::failpoint;
use crate::journal::{Durability, Journal, JournalError, Options};
use crate::memory;
use crate::schedule::wake_promptly;
use crate::splitmix::SplitMix;
use feeds::Feeds;
use outbox::Outbox;
use signing::Signing;

/// Alerts kept for a shell that doesn't fetch them; the oldest go first.
const ALERTS_MAX: usize = 10_000;

/// Where a simulated venue is: a name that is reserved to lead nowhere (RFC 2606).
pub const SIMULATED_URL: &str = "http://gameday.invalid";

/// Why the runtime can't be opened or refuses to go on.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A defect in the core; nothing is sent any more.
    #[error("the kill switch is on: {0}; nothing more is sent. Stop this process, keep the journal, and report it")]
    Tripped(String),
    /// The system refused a thread, entropy or the like.
    #[error("{0}: {1}")]
    System(&'static str, std::io::Error),
}

/// The engine with its hands. One thread at a time.
pub struct Runtime {
    engine: Engine,
    commands: Commands,
    journal: Journal,
    epoch: u32,
    /// The record that the newest snapshot stands behind.
    snapshot: u64,
    snapshot_every: u64,
    signing: Signing,
    outbox: Outbox,
    feeds: Feeds,
    metrics: Arc<Metrics>,
    random: SplitMix,
    asks: Vec<Vec<u8>>,
    alerts: Vec<Vec<u8>>,
    tripped: Option<String>,
    in_reserve: bool,
    /// Followers remain for an event.
    more: bool,
    /// Whether the last step began an event, so that its first order goes out alone.
    began: bool,
    received_ns: u64,
    now_ms: u64,
}

impl Runtime {
    /// Reads the settings (JSON of `hlfast.config.model.Config`), opens the journal in `directory`, and brings the core to
    /// where the journal ends.
    ///
    /// # Errors
    /// [`RuntimeError`]: a wrong setting, a journal in use, damaged, or of other decisions than this build makes.
    pub fn open(config_json: &[u8], directory: &Path, now_ms: u64) -> Result<Runtime, RuntimeError> {
        Runtime::open_with(config_json, directory, now_ms, None)
    }

    /// As [`Runtime::open`], for a venue that is simulated: all chance comes from the seed, no thread runs, and the disk
    /// can fail. Refuses every other venue than the one at [`SIMULATED_URL`], which no name service can find.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub fn open_simulated(
        config_json: &[u8],
        directory: &Path,
        now_ms: u64,
        seed: u64,
    ) -> Result<Runtime, RuntimeError> {
        Runtime::open_with(config_json, directory, now_ms, Some(seed))
    }

    fn open_with(
        config_json: &[u8],
        directory: &Path,
        now_ms: u64,
        simulation: Option<u64>,
    ) -> Result<Runtime, RuntimeError> {
        let config = Config::from_json(config_json)?;
        let simulated = simulation.is_some();
        let is_elsewhere = config.venue.base_url != SIMULATED_URL || config.venue.ws_url.is_some();
        if simulated && (is_elsewhere || config.network != config::Network::Testnet) {
            let problem = format!("a simulated engine signs for {SIMULATED_URL} alone, and for the testnet");
            return Err(ConfigError::new("venue.base_url", problem).into());
        }
        let durability = match config.journal.durability {
            config::Durability::Durable => Durability::Durable,
            config::Durability::Relaxed => Durability::Relaxed,
        };
        let options = if simulated { Options::simulated(durability) } else { Options::new(durability) };
        let metrics = Arc::new(Metrics::default());
        let replay::Replayed { engine, journal, epoch, snapshot } =
            replay::open(&config, config_json, directory, options, metrics.clone())?;
        let seed = match simulation {
            Some(seed) => seed,
            None => entropy().map_err(|error| RuntimeError::System("entropy", error))?,
        };
        let mut runtime = Runtime {
            commands: Commands::default(),
            journal,
            epoch,
            snapshot,
            snapshot_every: config.journal.snapshot_every,
            signing: Signing::new(
                engine.signers().len(),
                config.engine.presign.then_some(config.engine.pool_depth),
                simulated,
            ),
            outbox: Outbox::default(),
            feeds: Feeds::default(),
            metrics,
            random: SplitMix::new(seed),
            asks: Vec::new(),
            alerts: Vec::new(),
            tripped: None,
            in_reserve: false,
            more: false,
            began: false,
            received_ns: 0,
            now_ms,
            engine,
        };
        let start = Start { epoch, now_ms, version: env!("CARGO_PKG_VERSION"), config: config_json };
        runtime.journal.append(Kind::Start, |out| start.write(out))?;
        runtime.handle(&Event::Reopen, now_ms, 0)?;
        runtime.journal.write()?;
        failpoint::reach("start_recorded");
        Ok(runtime)
    }

    /// The cells; they outlive the runtime and need no lock.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// The core, for cold reads.
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Adds keys; call before [`Runtime::start`]. Answers their addresses.
    pub fn add_keys(&mut self, signers: Vec<Arc<Signer>>) -> Vec<String> {
        self.signing.add(signers)
    }

    /// Agents of the configuration that no key was loaded for.
    #[must_use]
    pub fn missing_keys(&self) -> Vec<String> {
        self.missing().map(|(_, address)| address.to_string()).collect()
    }

    /// Signers that something depends on, and that no key was loaded for.
    fn missing(&self) -> impl Iterator<Item = (u32, Address)> + '_ {
        self.signing.missing(self.engine.signers()).filter(|(signer, _)| self.engine.is_awake_follower(*signer))
    }

    /// Starts the pools, closes the followers whose keys are missing, and lets the core begin its recovery.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub fn start(&mut self, now_ms: u64) -> Result<FrameClass, RuntimeError> {
        self.signing.arm(self.engine.signers()).map_err(|error| RuntimeError::System("signing threads", error))?;
        // After the threads behind it are made, which would inherit it. A refusal leaves the usual slice.
        wake_promptly();
        self.stop_missing(now_ms)?;
        self.handle(&Event::Start, now_ms, 0)
    }

    fn stop_missing(&mut self, now_ms: u64) -> Result<(), RuntimeError> {
        let missing: Vec<_> = self.missing().collect();
        for (signer, address) in missing {
            let text = format!("no key of agent {address} is loaded: nothing is copied for its follower");
            self.alert(Level::Critical, "key_missing", &text);
            self.step(&Event::StopSigner { signer }, now_ms, 0)?;
        }
        Ok(())
    }

    /// [`Runtime::step`], and further through followers for whom there is nothing to send, so that an answer without attempts
    /// means that the event is done.
    ///
    /// # Errors
    /// [`RuntimeError`]; nothing of this event may then be sent.
    pub fn handle(&mut self, event: &Event<'_>, now_ms: u64, received_ns: u64) -> Result<FrameClass, RuntimeError> {
        let class = self.step(event, now_ms, received_ns)?;
        let began = self.began;
        while self.more && self.commands.attempts.is_empty() {
            self.step(&Event::Continue, now_ms, 0)?;
        }
        self.began = began;
        Ok(class)
    }

    /// Moves the core by one event and writes down what came of it. `received_ns` is the monotonic time at which the event's
    /// bytes arrived, 0 when that is of no interest.
    ///
    /// # Errors
    /// [`RuntimeError`]; nothing of this step may then be sent.
    pub fn step(&mut self, event: &Event<'_>, now_ms: u64, received_ns: u64) -> Result<FrameClass, RuntimeError> {
        if let Some(why) = &self.tripped {
            return Err(RuntimeError::Tripped(why.clone()));
        }
        self.now_ms = now_ms;
        self.began = !matches!(event, Event::Continue);
        let begun_ns = monotonic_ns();
        if self.began {
            self.received_ns = received_ns;
        }
        let entropy = self.random.next();
        let class = self.decide(event, now_ms, entropy)?;
        let decided_ns = monotonic_ns();
        // Other events may come between the chunks of one; only a chunk tells that the last one is done.
        self.more = self.commands.more || (self.more && self.began);
        self.feeds.heard(event, if received_ns > 0 { received_ns } else { begun_ns });
        self.metrics.stage(Stage::Decide, decided_ns.saturating_sub(begun_ns));
        let settles = self.commands.attempts.is_empty() && !self.commands.receipts.is_empty();
        if settles {
            failpoint::reach("after_ack");
        }
        if !self.commands.attempts.is_empty() {
            failpoint::reach("decided");
        }
        let commands = &self.commands;
        if commands.changed || !commands.attempts.is_empty() || !commands.receipts.is_empty() {
            let engine = &self.engine;
            self.journal.append(Kind::Step, |out| {
                write_step(out, event, now_ms, entropy, commands, |coin| engine.coin_name(coin));
            })?;
        }
        if settles {
            failpoint::reach("ack_recorded");
        }
        if !self.commands.attempts.is_empty() && !planted(Bug::SentBeforeWritten) {
            self.journal.write()?;
            self.metrics.stage(Stage::Journal, monotonic_ns().saturating_sub(decided_ns));
            if received_ns > 0 {
                self.metrics.stage(Stage::Receive, begun_ns.saturating_sub(received_ns));
            }
        }
        self.collect();
        Ok(class)
    }

    /// The core's step; a panic in it trips the kill switch.
    fn decide(&mut self, event: &Event<'_>, now_ms: u64, entropy: u64) -> Result<FrameClass, RuntimeError> {
        let (engine, commands) = (&mut self.engine, &mut self.commands);
        let stepped = catch_unwind(AssertUnwindSafe(|| engine.step(event, now_ms, entropy, commands)));
        stepped.map_err(|panic| {
            self.commands.clear();
            self.trip(format!("the core panicked: {}", panic_text(&*panic)))
        })
    }

    fn trip(&mut self, why: String) -> RuntimeError {
        self.tripped = Some(why.clone());
        RuntimeError::Tripped(why)
    }

    /// Takes the step's reads, alerts and counts out of the commands.
    fn collect(&mut self) {
        for ask in &self.commands.asks {
            let mut json = Vec::new();
            ask.write_json(&mut json);
            self.asks.push(json);
        }
        for alert in &self.commands.alerts {
            self.alerts.push(alert_json(alert));
        }
        for receipt in &self.commands.receipts {
            if receipt.merged_into.is_none() {
                let lag_ms = receipt.decided_ms.saturating_sub(receipt.time_ms);
                self.metrics.feed_lag.record(lag_ms.saturating_mul(1_000_000));
            }
            self.metrics.receipts.add(receipt.outcome as usize, 1);
            self.metrics.reasons.add(receipt.reason as usize, 1);
        }
        self.metrics.rebalanced.add(self.commands.rebalanced.into());
        let excess = self.alerts.len().saturating_sub(ALERTS_MAX);
        self.alerts.drain(..excess);
    }

    /// True when [`Runtime::sync`] must come before [`Runtime::dispatch`].
    #[must_use]
    pub fn needs_sync(&self) -> bool {
        !self.commands.attempts.is_empty() && self.journal.needs_sync() && !planted(Bug::SyncLeftOut)
    }

    /// Waits until everything written is on stable storage.
    ///
    /// # Errors
    /// [`RuntimeError`]; nothing of this step may then be sent.
    pub fn sync(&self) -> Result<(), RuntimeError> {
        let begun_ns = monotonic_ns();
        self.journal.sync()?;
        self.metrics.stage(Stage::Sync, monotonic_ns().saturating_sub(begun_ns));
        Ok(())
    }

    /// Signs and frames the step's attempts. The answer is valid until the next call.
    pub fn dispatch(&mut self) -> &[Sending] {
        debug_assert!(!self.needs_sync(), "in durable mode nothing leaves before the sync");
        self.outbox.clear();
        if self.commands.attempts.is_empty() || self.tripped.is_some() {
            return self.outbox.sendings();
        }
        let begun_ns = monotonic_ns();
        self.signing.disturb(begun_ns);
        self.watch_reserve();
        let withheld = |kind: AttemptKind| self.in_reserve && matches!(kind, AttemptKind::Open | AttemptKind::Setup);
        let attempts = &self.commands.attempts;
        self.signing.sign(attempts, withheld, &self.metrics);
        failpoint::reach("after_sign");
        let signed_ns = monotonic_ns();
        self.metrics.stage(Stage::Sign, signed_ns.saturating_sub(begun_ns));
        let mut alone = self.began;
        for (attempt, signature) in attempts.iter().zip(self.signing.signatures()) {
            let Some(signature) = signature else { continue };
            let action = self.commands.bytes.get(attempt.action.clone()).unwrap_or_default();
            match attempt.road {
                Road::WebSocket => self.outbox.frame(attempt, action, signature, self.random.mask(), alone),
                Road::Http => self.outbox.body(attempt, action, signature),
            }
            self.metrics.attempts.add(usize::from(attempt.road == Road::Http), 1);
            alone = false;
        }
        self.outbox.finish();
        failpoint::reach("before_send");
        if attempts.iter().any(|attempt| attempt.kind == AttemptKind::Fence) {
            failpoint::reach("before_fence");
        }
        let framed_ns = monotonic_ns();
        self.metrics.stage(Stage::Frame, framed_ns.saturating_sub(signed_ns));
        if self.began && self.received_ns > 0 {
            self.metrics.stage(Stage::Ready, framed_ns.saturating_sub(self.received_ns));
        }
        self.outbox.sendings()
    }

    /// True when followers remain for the event just stepped: step [`Event::Continue`] after writing.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// Carries out an operator's request and answers it: the request is on stable storage by then, in either durability.
    ///
    /// # Errors
    /// [`RuntimeError`]; the request may be recorded then, and is carried out at the next start.
    pub fn operate(&mut self, request: &[u8], now_ms: u64) -> Result<Vec<u8>, RuntimeError> {
        let signers = self.engine.signers().to_vec();
        self.step(&Event::Operate { request }, now_ms, 0)?;
        let answer = std::mem::take(&mut self.commands.answer);
        self.journal.write()?;
        if signers != self.engine.signers() {
            self.signing.arm(self.engine.signers()).map_err(|error| RuntimeError::System("signing threads", error))?;
        }
        Ok(answer)
    }

    /// Lets time pass: the core's timers, faults of signers, and what waited in the journal's buffer.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub fn tick(&mut self, now_ms: u64) -> Result<(), RuntimeError> {
        for (signer, why) in self.signing.take_faults() {
            self.alert(Level::Critical, "signer_stopped", &format!("signer {signer}: {why}"));
            self.step(&Event::StopSigner { signer }, now_ms, 0)?;
        }
        self.handle(&Event::Tick, now_ms, 0)?;
        self.journal.write()?;
        self.journal.round();
        self.metrics.journal_unsynced.set((self.journal.next_sequence() - 1).saturating_sub(self.journal.synced()));
        self.signing.publish(&self.metrics);
        self.feeds.publish(&self.metrics);
        self.publish_core(now_ms);
        let due = self.journal.next_sequence() > self.snapshot.saturating_add(self.snapshot_every);
        if due && !self.more {
            self.take_snapshot();
        }
        Ok(())
    }

    fn publish_core(&self, now_ms: u64) {
        let gauges = self.engine.gauges(now_ms);
        self.metrics.unresolved.set(gauges.unresolved);
        self.metrics.posts_in_flight.set(gauges.posts_in_flight);
        self.metrics.weight_left.set(gauges.weight_left);
        self.metrics.messages_left.set(gauges.messages_left);
        self.metrics.breaker.set(u64::from(gauges.breaker));
        self.metrics.killed.set(u64::from(gauges.killed));
        for (at, count) in gauges.held_back.iter().enumerate() {
            self.metrics.held_back.set(at, *count);
        }
        for (at, count) in gauges.latches.iter().enumerate() {
            self.metrics.latches.set(at, *count);
        }
    }

    /// The shell has handed the last chunk of the event just stepped to the transport, at this monotonic time.
    pub fn observe_written(&mut self, written_ns: u64) {
        failpoint::reach("after_send");
        if self.received_ns > 0 {
            self.metrics.stage(Stage::Written, written_ns.saturating_sub(self.received_ns));
            self.received_ns = 0;
        }
        self.signing.refill();
    }

    /// How late the shell's loop ran a timer.
    pub fn observe_loop_lag(&self, lag_ns: u64) {
        self.metrics.loop_lag.record(lag_ns);
    }

    /// The core's state as JSON. Cold.
    #[must_use]
    pub fn status(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.engine.write_status(self.now_ms, &mut out);
        out
    }

    /// Writes what is buffered and waits for stable storage.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub fn flush(&mut self) -> Result<(), RuntimeError> {
        // After a panic the state may be half moved; the journal is not.
        if self.tripped.is_none() {
            self.take_snapshot();
        }
        self.journal.settle_down()?;
        Ok(())
    }

    /// Ends as a killed process does; see [`Journal::crash`]. Nothing can be done with the runtime afterwards.
    ///
    /// # Errors
    /// [`RuntimeError`]; [`RuntimeError::Tripped`] with nothing done when the disk is no simulated one.
    pub fn crash(&mut self, power_fails: Option<u64>) -> Result<(), RuntimeError> {
        if !self.journal.is_simulated() {
            return Err(RuntimeError::Tripped("only a simulated engine can be killed by a call".to_owned()));
        }
        self.trip("killed by the simulation".to_owned());
        Ok(self.journal.crash(power_fails)?)
    }

    /// Fills a simulated disk up, or makes room again.
    pub fn set_disk_full(&self, full: bool) {
        self.journal.set_disk_full(full);
    }

    fn take_snapshot(&mut self) {
        let mut state = Vec::new();
        self.engine.encode_state(&mut state);
        let sequence = self.journal.next_sequence() - 1;
        let settings = self.engine.config().settings().to_string();
        let snapshot = Snapshot { sequence, epoch: self.epoch, config: settings.as_bytes(), state: &state };
        self.journal.offer_snapshot(snapshot.encode());
        self.snapshot = sequence;
    }

    /// Reads and subscriptions that the core wants, drained.
    pub fn take_asks(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.asks)
    }

    /// What an operator should know, drained.
    pub fn take_alerts(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.alerts)
    }

    fn alert(&mut self, level: Level, code: &'static str, text: &str) {
        let alert = Alert { level, code, leader: None, follower: None, text: text.to_owned() };
        self.alerts.push(alert_json(&alert));
    }

    /// Says once when the disk fills up, and once when it has room again.
    fn watch_reserve(&mut self) {
        let now = self.journal.in_reserve();
        if now != self.in_reserve {
            self.in_reserve = now;
            self.metrics.journal_reserve.set(u64::from(now));
            if now {
                let text = "the disk is full: entries are withheld, reductions go on from the journal's reserve. Free some space";
                self.alert(Level::Critical, "journal_reserve", text);
            } else {
                self.alert(Level::Info, "journal_reserve_left", "the disk has room again: entries go on");
            }
        }
    }
}

fn alert_json(alert: &Alert) -> Vec<u8> {
    let index = |index: Option<u32>| index.map_or("null".to_owned(), |index| index.to_string());
    let mut out = format!("{{\"level\":\"{}\",\"code\":\"{}\"", level_name(alert.level), alert.code).into_bytes();
    out.extend_from_slice(
        format!(",\"leader\":{},\"follower\":{}", index(alert.leader), index(alert.follower)).as_bytes(),
    );
    out.extend_from_slice(b",\"text\":");
    write_json_string(&mut out, &alert.text);
    out.push(b'}');
    out
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

fn entropy() -> std::io::Result<u64> {
    let bytes = memory::entropy()?;
    Ok(bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first)))
}
