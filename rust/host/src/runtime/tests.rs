use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use hlfast_core::sign::Secret;

use super::*;
use crate::journal::read_objects;

const NOW_MS: u64 = 1_770_000_000_000;
const AGENT_KEY: &[u8] = b"0x0123456789012345678901234567890123456789012345678901234567890123";

/// A directory of its own that goes with the test.
struct Home(PathBuf);

impl Home {
    fn new() -> Home {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hlfast-runtime-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Home(path)
    }

    fn open(&self, config: &str) -> Result<Runtime, RuntimeError> {
        Runtime::open(config.as_bytes(), &self.0, NOW_MS)
    }

    fn kinds(&self) -> Vec<String> {
        let objects = read_objects(&self.0, 0, usize::MAX).unwrap();
        objects.iter().map(|object| serde_json::from_slice::<serde_json::Value>(object).unwrap()).map(kind).collect()
    }
}

fn kind(object: serde_json::Value) -> String {
    match object["event"].as_str() {
        Some(event) => format!("{}:{event}", object["kind"].as_str().unwrap()),
        None => object["kind"].as_str().unwrap().to_owned(),
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn agent() -> Signer {
    Signer::new(&Secret::parse_hex(AGENT_KEY).unwrap()).unwrap()
}

fn config() -> String {
    format!(
        r#"{{"network":"testnet",
        "venue":{{"base_url":"http://127.0.0.1:1","ws_url":null,"limits":"off","dexs":[]}},
        "journal":{{"directory":"unused","durability":"relaxed","snapshot_every":100000}},
        "leaders":[{{"name":"lead","address":"0x1111111111111111111111111111111111111111"}}],
        "followers":[{{"name":"one","account":"0x2222222222222222222222222222222222222222","agent":"{}","vault":false,
            "max_order_usd":null,"max_position_usd":null,"max_gross_usd":null}}],
        "follows":[{{"leader":"lead","follower":"one","mode":"ratio","ratio":"0.5","weight":null,"notional_usd":null,
            "scale_adds":false,"existing":"ignore","adopt_band_bps":null,"coins_allow":null,"coins_block":[],
            "min_value_usd":null,"max_value_usd":null,"max_order_usd":null,"max_position_usd":null,"max_age_ms":2000,
            "entry_band_bps":30,"reduce_band_bps":100,"emergency_band_bps":300}}],
        "engine":{{"user_connections":1,"tape_connections":1,"lane_connections":1,"http_lane":true,"tape":true,
            "busy_poll":false,"presign":true,"pool_depth":4,"ping_ms":10000,"stall_ms":2000,"reconcile_ms":30000}},
        "keys":{{"credentials_directory":null,"keystores":[],"env":[],"force_env_on_mainnet":false}},
        "metrics":{{"enabled":true,"host":"127.0.0.1","port":0}}}}"#,
        agent().address()
    )
}

#[test]
fn each_opening_is_recorded() {
    let home = Home::new();
    drop(home.open(&config()).unwrap());
    drop(home.open(&config()).unwrap());
    let starts = home.kinds().iter().filter(|kind| *kind == "start").count();
    assert_eq!(starts, 2);
}

#[test]
fn a_wrong_setting_is_refused_by_name() {
    let home = Home::new();
    let Err(error) = home.open(&config().replace(r#""ratio":"0.5""#, r#""ratio":"0""#)) else { panic!("opened") };
    assert!(error.to_string().contains("ratio"), "{error}");
}

#[test]
fn other_policies_than_the_journals_are_refused_by_name() {
    let home = Home::new();
    drop(home.open(&config()).unwrap());
    let Err(error) = home.open(&config().replace(r#""ratio":"0.5""#, r#""ratio":"0.6""#)) else { panic!("opened") };
    assert!(error.to_string().contains("follows[0].ratio differs"), "{error}");
    home.open(&config().replace("\"relaxed\"", "\"durable\"")).unwrap();
}

#[test]
fn a_snapshot_made_at_the_end_is_used_and_a_damaged_one_passed_over() {
    let home = Home::new();
    home.open(&config()).unwrap().flush().unwrap();
    let [snapshot] = crate::journal::snapshots(&home.0).unwrap().try_into().unwrap();
    assert!(home.open(&config()).unwrap().snapshot > 0);
    let mut bytes = fs::read(&snapshot).unwrap();
    bytes[30] ^= 1;
    fs::write(&snapshot, bytes).unwrap();
    assert_eq!(home.open(&config()).unwrap().snapshot, 0);
}

#[test]
fn a_missing_key_is_named_and_alerted_at_the_start() {
    let home = Home::new();
    let mut runtime = home.open(&config()).unwrap();
    assert_eq!(runtime.missing_keys(), [agent().address().to_string()]);
    runtime.start(NOW_MS).unwrap();
    let alerts = runtime.take_alerts();
    assert!(alerts.iter().any(|alert| String::from_utf8_lossy(alert).contains("key_missing")));
    assert_eq!(runtime.take_alerts(), Vec::<Vec<u8>>::new());
}

#[test]
fn a_loaded_key_is_not_missing() {
    let home = Home::new();
    let mut runtime = home.open(&config()).unwrap();
    assert_eq!(runtime.add_keys(vec![Arc::new(agent())]), [agent().address().to_string()]);
    assert!(runtime.missing_keys().is_empty());
    runtime.start(NOW_MS).unwrap();
    assert!(runtime.take_alerts().iter().all(|alert| !String::from_utf8_lossy(alert).contains("key_missing")));
}

#[test]
fn after_a_panic_nothing_is_stepped_or_sent() {
    let home = Home::new();
    let mut runtime = home.open(&config()).unwrap();
    let error = runtime.trip("the core panicked: a test says so".to_owned());
    assert!(error.to_string().contains("kill switch"), "{error}");
    assert!(matches!(runtime.step(&Event::Tick, NOW_MS, 0), Err(RuntimeError::Tripped(_))));
    assert!(runtime.dispatch().is_empty());
    runtime.flush().unwrap();
    assert!(crate::journal::snapshots(&home.0).unwrap().is_empty());
}

#[test]
fn a_simulated_runtime_refuses_any_venue_that_could_be_real_and_only_it_can_be_killed() {
    let home = Home::new();
    let open = |config: &str| Runtime::open_simulated(config.as_bytes(), &home.0, NOW_MS, 1);
    assert!(matches!(open(&config()), Err(RuntimeError::Config(error)) if error.setting == "venue.base_url"));
    let simulated = config().replace("http://127.0.0.1:1", SIMULATED_URL);
    let elsewhere = simulated.replace(r#""ws_url":null"#, r#""ws_url":"ws://127.0.0.1:1/ws""#);
    assert!(matches!(open(&elsewhere), Err(RuntimeError::Config(_))));
    let mainnet = simulated.replace("testnet", "mainnet");
    assert!(matches!(open(&mainnet), Err(RuntimeError::Config(_))));
    let mut runtime = open(&simulated).unwrap();
    runtime.crash(None).unwrap();
    assert!(matches!(runtime.tick(NOW_MS), Err(RuntimeError::Tripped(_))));
    let mut real = home.open(&config()).unwrap();
    assert!(real.crash(None).is_err());
    real.tick(NOW_MS).unwrap();
}
