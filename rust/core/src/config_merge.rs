//! New settings for a running engine. Leaders, followers and follows keep their places for ever, because everything that was
//! written down names them by place: what the new settings leave out stays in its place, marked as removed, and what they add
//! comes behind. Who is meant is told by addresses, not by names.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::config::{Config, ConfigError};

/// Settings that only a new journal can change: what is written down rests on them.
const FIXED: [&str; 3] = ["network", "venue.limits", "venue.dexs"];
/// Settings that decide nothing, or only how decisions are carried out: a running process keeps its own.
const FREE: [&str; 5] = ["engine", "journal", "keys", "metrics", "venue"];
/// The one of them that the core reads.
const RECONCILE: &str = "/engine/reconcile_ms";

/// What new settings make of the present ones.
#[derive(Debug, Clone)]
pub struct Merged {
    /// Everything, in its place.
    pub config: Config,
    /// Settings that differ and wait for the next start of the process, by name.
    pub at_next_start: Vec<String>,
}

/// Puts new settings (JSON as for [`Config::from_json`]) in the places of the present ones.
///
/// # Errors
/// What is wrong with the new settings, or can't be changed, by name.
pub fn merge(present: &Config, wanted: &[u8]) -> Result<Merged, ConfigError> {
    Config::from_json(wanted)?;
    let mut wanted: Value =
        serde_json::from_slice(wanted).map_err(|error| ConfigError::new("configuration", error.to_string()))?;
    let present = present.settings();
    refuse_fixed(present, &wanted)?;
    let at_next_start = keep_free(present, &mut wanted);
    let leaders = People::merged(present, &wanted, "leaders", "address");
    let followers = People::merged(present, &wanted, "followers", "account");
    let key = |of: fn(&People, &Value) -> Option<String>, row: &Value| {
        Some((of(&leaders, row.get("leader")?)?, of(&followers, row.get("follower")?)?))
    };
    let mut follows = placed(
        &list(present, "follows"),
        &list(&wanted, "follows"),
        |old| key(People::was_called, old),
        |new| key(People::is_called, new),
    );
    // A removed edge still names its people as they were called when it was removed.
    for edge in follows.iter_mut().filter(|edge| is_removed(edge)).filter_map(Value::as_object_mut) {
        for (field, people) in [("leader", &leaders), ("follower", &followers)] {
            if let Some(name) = edge.get(field).and_then(|old| people.now_called(old)) {
                edge.insert(field.to_owned(), name);
            }
        }
    }
    keep_zones(present, &mut wanted);
    if let Some(object) = wanted.as_object_mut() {
        for (name, rows) in [("leaders", leaders.rows), ("followers", followers.rows), ("follows", follows)] {
            object.insert(name.to_owned(), Value::Array(rows));
        }
    }
    Ok(Merged { config: Config::from_merged(wanted)?, at_next_start })
}

fn refuse_fixed(present: &Value, wanted: &Value) -> Result<(), ConfigError> {
    for name in FIXED {
        let at = format!("/{}", name.replace('.', "/"));
        if present.pointer(&at) != wanted.pointer(&at) {
            let problem = "can't change under a journal: start with a new journal.directory once nothing is open";
            return Err(ConfigError::new(name, problem));
        }
    }
    Ok(())
}

/// Leaders or followers, in their places, and what they were and are called: addresses by name.
struct People {
    rows: Vec<Value>,
    before: BTreeMap<String, String>,
    now: BTreeMap<String, String>,
    names: BTreeMap<String, Value>,
}

impl People {
    fn merged(present: &Value, wanted: &Value, kind: &str, address: &str) -> People {
        let (old, new) = (list(present, kind), list(wanted, kind));
        let called = |rows: &[Value]| {
            let named = |row: &Value| Some((row.get("name")?.as_str()?.to_owned(), lower(row, address)?));
            rows.iter().filter_map(named).collect()
        };
        let mut rows = placed(&old, &new, |row| lower(row, address), |row| lower(row, address));
        rename_removed(&mut rows);
        let names = rows.iter().filter_map(|row| Some((lower(row, address)?, row.get("name")?.clone()))).collect();
        People { before: called(&old), now: called(&new), rows, names }
    }

    fn was_called(&self, name: &Value) -> Option<String> {
        self.before.get(name.as_str()?).cloned()
    }

    fn is_called(&self, name: &Value) -> Option<String> {
        self.now.get(name.as_str()?).cloned()
    }

    fn now_called(&self, old: &Value) -> Option<Value> {
        self.names.get(&self.was_called(old)?).cloned()
    }
}

/// The settings without what was removed: what an operator would write down.
#[must_use]
pub fn live(settings: &Value) -> Value {
    let mut live = settings.clone();
    for name in ["leaders", "followers", "follows"] {
        if let Some(rows) = live.get_mut(name).and_then(Value::as_array_mut) {
            rows.retain(|row| !is_removed(row));
            rows.iter_mut().filter_map(Value::as_object_mut).for_each(|row| drop(row.remove("removed")));
        }
    }
    live
}

/// What a process is run with stays as it is; the names of what differs.
fn keep_free(present: &Value, wanted: &mut Value) -> Vec<String> {
    let reconcile = wanted.pointer(RECONCILE).cloned();
    let mut differing = Vec::new();
    for name in FREE {
        let (now, then) =
            (present.get(name).cloned().unwrap_or_default(), wanted.get(name).cloned().unwrap_or_default());
        differing.extend(differences(name, &now, &then).into_iter().filter(|name| name != "engine.reconcile_ms"));
        if let Some(object) = wanted.as_object_mut() {
            object.insert(name.to_owned(), now);
        }
    }
    if let (Some(place), Some(reconcile)) = (wanted.pointer_mut(RECONCILE), reconcile) {
        *place = reconcile;
    }
    differing
}

/// What was removed still names its zone.
fn keep_zones(present: &Value, wanted: &mut Value) {
    let mut zones = list(wanted, "zones");
    for zone in list(present, "zones") {
        if !zones.iter().any(|known| known.get("name") == zone.get("name")) {
            zones.push(zone);
        }
    }
    if let Some(object) = wanted.as_object_mut().filter(|_| !zones.is_empty()) {
        object.insert("zones".to_owned(), Value::Array(zones));
    }
}

fn differences(path: &str, one: &Value, other: &Value) -> Vec<String> {
    match (one, other) {
        _ if one == other => Vec::new(),
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            let value = |of: &Map<String, Value>, key: &String| of.get(key).cloned().unwrap_or_default();
            keys.flat_map(|key| differences(&format!("{path}.{key}"), &value(one, key), &value(other, key))).collect()
        }
        _ => vec![path.to_owned()],
    }
}

fn list(of: &Value, name: &str) -> Vec<Value> {
    of.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn lower(of: &Value, field: &str) -> Option<String> {
    of.get(field).and_then(Value::as_str).map(str::to_ascii_lowercase)
}

pub(crate) fn is_removed(row: &Value) -> bool {
    row.get("removed").and_then(Value::as_bool).unwrap_or(false)
}

/// Every old row in its place, as the new one of the same key or marked as removed; then the new ones.
fn placed<K: Ord>(
    old: &[Value],
    new: &[Value],
    old_key: impl Fn(&Value) -> Option<K>,
    new_key: impl Fn(&Value) -> Option<K>,
) -> Vec<Value> {
    let mut places: BTreeMap<K, usize> =
        new.iter().enumerate().filter_map(|(place, row)| Some((new_key(row)?, place))).collect();
    let mut taken = BTreeSet::new();
    let mut rows: Vec<Value> = Vec::with_capacity(old.len().max(new.len()));
    for row in old {
        let place = old_key(row).and_then(|key| places.remove(&key));
        match place.and_then(|place| new.get(place)) {
            Some(same) => rows.push(same.clone()),
            None => rows.push(removed(row)),
        }
        taken.extend(place);
    }
    rows.extend(new.iter().enumerate().filter(|(place, _)| !taken.contains(place)).map(|(_, row)| row.clone()));
    rows
}

fn removed(row: &Value) -> Value {
    let mut gone = row.clone();
    if let Some(object) = gone.as_object_mut() {
        object.insert("removed".to_owned(), Value::Bool(true));
    }
    gone
}

/// A name that somebody else has now is not the removed one's any more.
fn rename_removed(people: &mut [Value]) {
    let mut taken: BTreeSet<String> =
        people.iter().filter(|one| !is_removed(one)).filter_map(|one| lower(one, "name")).collect();
    for (place, one) in people.iter_mut().enumerate().filter(|(_, one)| is_removed(one)) {
        let Some(name) = one.get("name").and_then(Value::as_str).map(str::to_owned) else { continue };
        let mut other = name.clone();
        if taken.contains(&name.to_ascii_lowercase()) {
            let stem = name.split('~').next().unwrap_or_default();
            other = format!("{stem}~{place}");
        }
        taken.insert(other.to_ascii_lowercase());
        if let Some(object) = one.as_object_mut() {
            object.insert("name".to_owned(), Value::String(other));
        }
    }
}
