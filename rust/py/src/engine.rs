//! `Engine`: the runtime behind one lock.
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use hlfast_core::event::{Event, FrameClass, SourceKind};
use hlfast_core::sign::Signer;
use hlfast_host::keys::{KeyError, load_credentials, load_variable};
use hlfast_host::keystore::load_keystore;
use hlfast_host::memory::harden_process;
use hlfast_host::runtime::{Runtime, RuntimeError};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyList};

use crate::errors::{ConfigError, HlfastError, JournalError, KeyFileError};
use crate::metrics::Metrics;

/// What `on_frame` answers for frames that the core has no use for.
const CLASSES: [(&str, FrameClass); 5] = [
    ("FRAME_PONG", FrameClass::Pong),
    ("FRAME_ACK", FrameClass::Ack),
    ("FRAME_ERROR", FrameClass::Error),
    ("FRAME_OTHER", FrameClass::Other),
    ("FRAME_BAD", FrameClass::Bad),
];

/// The core, its journal and its signers behind one lock.
#[pyclass(frozen, module = "hlfast._core")]
pub struct Engine(Mutex<Inner>);

struct Inner {
    runtime: Runtime,
    /// A frame that is not `bytes` is copied here: 0.03 µs for a usual one, and no pointer into foreign memory is kept.
    frame: Vec<u8>,
}

type Sends<'py> = Option<Bound<'py, PyList>>;

#[pymethods]
impl Engine {
    #[new]
    fn new(py: Python<'_>, config: &[u8], journal_dir: &str, now_ms: u64) -> PyResult<Engine> {
        // Replay may take seconds; other threads go on meanwhile.
        let runtime = py.detach(|| Runtime::open(config, Path::new(journal_dir), now_ms)).map_err(raise)?;
        Ok(Engine(Mutex::new(Inner { runtime, frame: Vec::new() })))
    }

    #[staticmethod]
    fn simulated(py: Python<'_>, config: &[u8], journal_dir: &str, now_ms: u64, seed: u64) -> PyResult<Engine> {
        let open = || Runtime::open_simulated(config, Path::new(journal_dir), now_ms, seed);
        Ok(Engine(Mutex::new(Inner { runtime: py.detach(open).map_err(raise)?, frame: Vec::new() })))
    }

    #[pyo3(signature = (power_fails=None))]
    fn crash(&self, power_fails: Option<u64>) -> PyResult<()> {
        self.lock()?.runtime.crash(power_fails).map_err(raise)
    }

    fn set_disk_full(&self, full: bool) -> PyResult<()> {
        self.lock()?.runtime.set_disk_full(full);
        Ok(())
    }

    fn load_credentials(&self, py: Python<'_>, directory: &str) -> PyResult<Vec<String>> {
        self.add_keys(py, || load_credentials(Path::new(directory)))
    }

    fn load_keystore(&self, py: Python<'_>, path: &str, passphrase_path: &str) -> PyResult<String> {
        let read = || Ok(vec![load_keystore(Path::new(path), Path::new(passphrase_path))?]);
        Ok(self.add_keys(py, read)?.concat())
    }

    fn load_raw_key(&self, py: Python<'_>, variable: &str) -> PyResult<String> {
        Ok(self.add_keys(py, || Ok(vec![load_variable(variable)?]))?.concat())
    }

    fn missing_keys(&self) -> PyResult<Vec<String>> {
        Ok(self.lock()?.runtime.missing_keys())
    }

    fn on_frame<'py>(
        &self,
        py: Python<'py>,
        source: u32,
        frame: &Bound<'py, PyAny>,
        recv_ns: u64,
        now_ms: u64,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut inner = self.lock()?;
        let Inner { runtime, frame: copy } = &mut *inner;
        let bytes = match frame.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes(),
            Err(_) => {
                let buffer = PyBuffer::<u8>::get(frame)?;
                copy.resize(buffer.item_count(), 0);
                buffer.copy_to_slice(py, copy)?;
                copy
            }
        };
        let class = runtime.handle(&Event::Frame { source, bytes }, now_ms, recv_ns).map_err(raise)?;
        if let Some(sends) = sends(py, runtime)? {
            return Ok(Some(sends.into_any()));
        }
        match CLASSES.iter().position(|(_, other)| *other == class) {
            None => Ok(None),
            Some(at) => Ok(Some(PyInt::new(py, at + 1).into_any())),
        }
    }

    fn next_chunk<'py>(&self, py: Python<'py>, now_ms: u64) -> PyResult<Sends<'py>> {
        let mut inner = self.lock()?;
        if !inner.runtime.has_more() {
            return Ok(None);
        }
        inner.runtime.handle(&Event::Continue, now_ms, 0).map_err(raise)?;
        sends(py, &mut inner.runtime)
    }

    fn on_http_answer<'py>(
        &self,
        py: Python<'py>,
        post_id: u64,
        status: u16,
        body: &[u8],
        now_ms: u64,
    ) -> PyResult<Sends<'py>> {
        self.handle(py, &Event::HttpAnswer { post_id, status, body }, now_ms)
    }

    fn on_tick<'py>(&self, py: Python<'py>, now_ms: u64) -> PyResult<Sends<'py>> {
        let mut inner = self.lock()?;
        inner.runtime.tick(now_ms).map_err(raise)?;
        sends(py, &mut inner.runtime)
    }

    fn operate<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now_ms: u64,
    ) -> PyResult<(Bound<'py, PyBytes>, Sends<'py>)> {
        let mut inner = self.lock()?;
        let runtime = &mut inner.runtime;
        let answer = runtime.operate(request, now_ms).map_err(raise)?;
        // Whatever the durability: an operator's word is kept once it is answered.
        py.detach(|| runtime.sync()).map_err(raise)?;
        Ok((PyBytes::new(py, &answer), sends(py, runtime)?))
    }

    fn source_up(&self, source: u32, kind: &str, now_ms: u64) -> PyResult<()> {
        let kind = match kind {
            "user" => SourceKind::User,
            "tape" => SourceKind::Tape,
            "lane" => SourceKind::Lane,
            other => {
                return Err(PyValueError::new_err(format!("kind is \"user\", \"tape\" or \"lane\", not \"{other}\"")));
            }
        };
        self.take_in(&Event::SourceUp { source, kind }, now_ms)
    }

    fn source_down<'py>(&self, py: Python<'py>, source: u32, now_ms: u64) -> PyResult<Sends<'py>> {
        self.handle(py, &Event::SourceDown { source }, now_ms)
    }

    fn http_lane_up(&self, lane: u32, now_ms: u64) -> PyResult<()> {
        self.take_in(&Event::HttpLaneUp { lane }, now_ms)
    }

    fn start<'py>(&self, py: Python<'py>, now_ms: u64) -> PyResult<Sends<'py>> {
        let mut inner = self.lock()?;
        inner.runtime.start(now_ms).map_err(raise)?;
        sends(py, &mut inner.runtime)
    }

    fn on_info<'py>(&self, py: Python<'py>, token: u64, status: u16, body: &[u8], now_ms: u64) -> PyResult<Sends<'py>> {
        self.handle(py, &Event::Info { token, status, body }, now_ms)
    }

    fn load_meta(&self, body: &[u8], now_ms: u64) -> PyResult<()> {
        self.take_in(&Event::Meta { body }, now_ms)
    }

    fn take_requests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let asks = self.lock()?.runtime.take_asks();
        PyList::new(py, asks.iter().map(|ask| PyBytes::new(py, ask)))
    }

    fn take_alerts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let alerts = self.lock()?.runtime.take_alerts();
        PyList::new(py, alerts.iter().map(|alert| PyBytes::new(py, alert)))
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.lock()?.runtime.status()))
    }

    fn settings<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, u64)> {
        let mut inner = self.lock()?;
        let engine = inner.runtime.engine();
        let (settings, revision) = (engine.live_settings().to_string(), engine.revision());
        Ok((PyBytes::new(py, settings.as_bytes()), revision))
    }

    fn agents(&self) -> PyResult<Vec<String>> {
        let mut inner = self.lock()?;
        let engine = inner.runtime.engine();
        let awake = (0u32..).zip(engine.signers()).filter(|(at, _)| engine.is_awake_follower(*at));
        Ok(awake.map(|(_, agent)| agent.to_string()).collect())
    }

    fn watched(&self) -> PyResult<Vec<String>> {
        Ok(self.lock()?.runtime.engine().watched().iter().map(ToString::to_string).collect())
    }

    fn reserve_weight(&self, weight: u32, now_ms: u64) -> PyResult<bool> {
        Ok(self.lock()?.runtime.engine().reserve_weight(weight, now_ms))
    }

    fn observe_loop_lag(&self, lag_ns: u64) -> PyResult<()> {
        self.lock()?.runtime.observe_loop_lag(lag_ns);
        Ok(())
    }

    fn observe_written(&self, written_ns: u64) -> PyResult<()> {
        self.lock()?.runtime.observe_written(written_ns);
        Ok(())
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let mut inner = self.lock()?;
        let runtime = &mut inner.runtime;
        py.detach(|| runtime.flush()).map_err(raise)
    }

    fn metrics(&self) -> PyResult<Metrics> {
        Ok(Metrics(self.lock()?.runtime.metrics()))
    }
}

impl Engine {
    /// A second thread is refused rather than made to wait: it would wait with the interpreter's lock held, which the
    /// first one may need back.
    fn lock(&self) -> PyResult<MutexGuard<'_, Inner>> {
        match self.0.try_lock() {
            Ok(inner) => Ok(inner),
            // A panic inside the core was caught below this lock; one outside it is no reason to lose the journal.
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(HlfastError::new_err("Engine belongs to one thread; another one is in it"))
            }
        }
    }

    fn handle<'py>(&self, py: Python<'py>, event: &Event<'_>, now_ms: u64) -> PyResult<Sends<'py>> {
        let mut inner = self.lock()?;
        inner.runtime.handle(event, now_ms, 0).map_err(raise)?;
        sends(py, &mut inner.runtime)
    }

    /// For events that lead to no sends.
    fn take_in(&self, event: &Event<'_>, now_ms: u64) -> PyResult<()> {
        self.lock()?.runtime.handle(event, now_ms, 0).map_err(raise).map(drop)
    }

    fn add_keys(
        &self,
        py: Python<'_>,
        read: impl Send + FnOnce() -> Result<Vec<Arc<Signer>>, KeyError>,
    ) -> PyResult<Vec<String>> {
        harden_process()
            .map_err(|error| HlfastError::new_err(format!("memory can't be kept from debuggers and dumps: {error}")))?;
        let signers = py.detach(read).map_err(|error| KeyFileError::new_err(error.to_string()))?;
        Ok(self.lock()?.runtime.add_keys(signers))
    }
}

/// The step's bytes, after the wait for stable storage where one is due; the interpreter's lock is given back around it.
fn sends<'py>(py: Python<'py>, runtime: &mut Runtime) -> PyResult<Sends<'py>> {
    if runtime.needs_sync() {
        let runtime: &Runtime = runtime;
        py.detach(|| runtime.sync()).map_err(raise)?;
    }
    let more = runtime.has_more();
    let sendings = runtime.dispatch();
    // A chunk whose followers all skip sends nothing, and is not the end of its event.
    if sendings.is_empty() && !more {
        return Ok(None);
    }
    let items = sendings.iter().map(|sending| (sending.lane, sending.post_id, PyBytes::new(py, &sending.bytes)));
    PyList::new(py, items).map(Some)
}

pub(crate) fn raise(error: RuntimeError) -> PyErr {
    let text = error.to_string();
    match error {
        RuntimeError::Config(_) => ConfigError::new_err(text),
        RuntimeError::Journal(_) => JournalError::new_err(text),
        RuntimeError::Tripped(_) | RuntimeError::System(..) => HlfastError::new_err(text),
    }
}

/// Adds the class and the frame classes.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Engine>()?;
    for (at, (name, _)) in CLASSES.iter().enumerate() {
        module.add(*name, at + 1)?;
    }
    Ok(())
}
