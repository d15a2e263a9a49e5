//! What an operator asks for: checked by name, carried out whole or not at all, answered in one JSON object.
use serde_json::json;

use super::{Engine, alert, alert_follower, alert_leader};
use crate::commands::{CoinId, Commands, Level, Reason};
use crate::num::Pos;
use crate::operation::{Operation, Refusal, Scope};
use crate::risk::pause::{Pause, Paused};
use crate::wire::Address;

/// Names listed in a refusal; more would not be read.
const MAX_NAMES: usize = 12;

/// Whom a request is about, by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    All,
    Leader(u32),
    Follower(u32),
    Follow(u32),
}

pub(super) type Said = Result<Vec<String>, Refusal>;

impl Engine {
    /// One request. Its answer is in `out.answer`; a refused one changes nothing.
    pub(super) fn on_operate(&mut self, request: &[u8], now_ms: u64, out: &mut Commands) {
        let said = Operation::parse(request).and_then(|operation| match operation {
            Operation::Pause { scope, kind, why } => self.pause(&scope, kind, why, now_ms, out),
            Operation::Resume { scope, reset } => self.resume(&scope, reset, now_ms, out),
            Operation::Kill { kind, why } => self.kill(kind, why, now_ms, out),
            Operation::Revive => self.revive(now_ms, out),
            Operation::Flatten { follower, coin } => self.flatten(&follower, coin.as_deref(), now_ms, out),
            Operation::Configure(wanted) => self.configure(&wanted, now_ms, out),
        });
        let answer = match &said {
            Ok(lines) => json!({"ok": true, "changed": out.changed, "said": lines}),
            Err(refusal) => json!({"ok": false, "refused": refusal.what, "fix": refusal.fix}),
        };
        out.answer.extend_from_slice(answer.to_string().as_bytes());
        if out.changed {
            self.on_tick(now_ms, out);
        }
    }

    fn pause(&mut self, scope: &Scope, kind: Pause, why: String, now_ms: u64, out: &mut Commands) -> Said {
        let target = self.target_of(scope)?;
        let name = self.name_of(target);
        let paused =
            self.pause_place(target).and_then(|place| place.as_ref()).is_some_and(|paused| paused.kind == kind);
        if paused {
            return Ok(vec![format!("{name} is paused already ({})", kind.name())]);
        }
        let because = if why.is_empty() { String::new() } else { format!(" ({why})") };
        if let Some(place) = self.pause_place(target) {
            *place = Some(Paused { kind, since_ms: now_ms, why });
        }
        let text = format!("{name} is paused{because}: {}.", meaning(kind));
        let level = if kind == Pause::Freeze { Level::Critical } else { Level::Warning };
        self.tell(target, level, "paused", text.clone(), out);
        self.enforce_all(now_ms, out);
        Ok(vec![text])
    }

    fn resume(&mut self, scope: &Scope, reset: bool, now_ms: u64, out: &mut Commands) -> Said {
        let target = self.target_of(scope)?;
        let name = self.name_of(target);
        let paused = self.pause_place(target).and_then(Option::take).is_some();
        let liquidated = match target {
            Target::Leader(leader) => {
                self.state.leader_mut(leader).is_some_and(|state| std::mem::take(&mut state.paused))
            }
            _ => false,
        };
        let was_reset = reset && self.reset_latches(target);
        let others = self.other_holds(target);
        if !paused && !liquidated && !was_reset {
            let fix = others.first().cloned().unwrap_or_else(|| "nothing to do: it is copied as configured".into());
            return Err(Refusal::new(format!("{name} is not paused itself"), fix));
        }
        let text = format!("{name} is copied again: the leader's next increases count, missed ones do not.");
        self.tell(target, Level::Info, "resumed", text.clone(), out);
        self.enforce_all(now_ms, out);
        Ok(std::iter::once(text).chain(others).collect())
    }

    /// Follows and accounts within a scope, by place; what it says of one follow is said of no account.
    fn within(&self, target: Target) -> (Vec<u32>, Vec<u32>) {
        let all = |count: usize| (0..).take(count).collect();
        match target {
            Target::All => (all(self.config.follows.len()), all(self.config.followers.len())),
            Target::Leader(at) => (self.follows_of_leader.get(at as usize).cloned().unwrap_or_default(), Vec::new()),
            Target::Follower(at) => (self.follows_of_follower.get(at as usize).cloned().unwrap_or_default(), vec![at]),
            Target::Follow(at) => (vec![at], Vec::new()),
        }
    }

    fn reset_latches(&mut self, target: Target) -> bool {
        let (follows, followers) = self.within(target);
        let losses = &mut self.state.losses;
        let edges =
            losses.follows.iter_mut().filter(|(at, _)| follows.contains(at)).map(|(_, edge)| &mut edge.earnings);
        let accounts = losses.accounts.iter_mut().filter(|(at, _)| followers.contains(at));
        let all = edges.chain(accounts.map(|(_, account)| &mut account.earnings));
        let mut any = false;
        for earnings in all.filter(|earnings| earnings.trip.is_some()) {
            any |= earnings.reset();
        }
        any
    }

    /// Names of those within a scope that a latch still holds.
    fn latched(&self, target: Target) -> impl Iterator<Item = String> + '_ {
        let (follows, followers) = self.within(target);
        let edge = |at: &u32| self.state.losses.follow_trip(*at).is_some();
        let account = |at: &u32| self.state.losses.account_trip(*at).is_some();
        let follows: Vec<u32> = follows.into_iter().filter(edge).collect();
        let followers: Vec<u32> = followers.into_iter().filter(account).collect();
        let targets = follows.into_iter().map(Target::Follow).chain(followers.into_iter().map(Target::Follower));
        targets.map(|target| self.name_of(target))
    }

    fn kill(&mut self, kind: Pause, why: String, now_ms: u64, out: &mut Commands) -> Said {
        if self.state.kill.as_ref().is_some_and(|paused| paused.kind == kind) {
            return Ok(vec![format!("the kill switch is on already ({})", kind.name())]);
        }
        let because = if why.is_empty() { String::new() } else { format!(" ({why})") };
        self.state.kill = Some(Paused { kind, since_ms: now_ms, why });
        let text = format!("The kill switch is on{because}: {}. It stays on over restarts.", meaning(kind));
        alert(out, Level::Critical, "killed", text.clone());
        self.enforce_all(now_ms, out);
        Ok(vec![text])
    }

    fn revive(&mut self, now_ms: u64, out: &mut Commands) -> Said {
        if self.state.kill.take().is_none() {
            return Err(Refusal::new("the kill switch is not on", "nothing to lift"));
        }
        let text = "The kill switch is lifted: the leaders' next increases are copied, missed ones are not.".to_owned();
        alert(out, Level::Warning, "kill_lifted", text.clone());
        self.enforce_all(now_ms, out);
        Ok(std::iter::once(text).chain(self.other_holds(Target::All)).collect())
    }

    fn flatten(&mut self, name: &str, coin: Option<&str>, now_ms: u64, out: &mut Commands) -> Said {
        let follower = self.follower_named(name)?;
        let name = self.config.followers.get(follower as usize).map_or_else(String::new, |one| one.name.clone());
        let only = coin.map(|coin| self.coin_held(follower, &name, coin)).transpose()?;
        self.refuse_stuck(follower, &name)?;
        let follows = self.follows_of_follower.get(follower as usize).cloned().unwrap_or_default();
        let coins: Vec<(CoinId, i64)> = self.state.follower(follower).map_or(Vec::new(), |state| {
            let mine = state.coins.iter().filter(|(coin, _)| only.is_none_or(|only| only == **coin));
            mine.map(|(coin, lot)| (*coin, lot.own)).collect()
        });
        let nets = self.nets(follower);
        let dropped = follows.iter().fold(false, |any, follow| self.drop_parts(*follow, follower, only) | any);
        for follow in &follows {
            self.end_delays(*follow, only, Reason::Flattened, now_ms, out);
        }
        let ended: Vec<(u32, Reason)> = follows.iter().map(|follow| (*follow, Reason::Flattened)).collect();
        for (coin, _) in &coins {
            self.end_entries(follower, *coin, &ended, now_ms, out);
        }
        nets.into_iter().for_each(|(coin, net)| self.settle_net(follower, coin, net, now_ms));
        let closed: Vec<String> = coins
            .iter()
            .filter(|(_, own)| *own != 0)
            .map(|(coin, own)| format!("{} {}", Pos::from_raw(*own), self.coin_name(*coin)))
            .collect();
        if !dropped && closed.is_empty() {
            return Ok(vec![format!("{name} holds nothing that was copied")]);
        }
        out.changed = true;
        let what = if closed.is_empty() {
            "nothing was bought yet".to_owned()
        } else {
            format!("{} closed", closed.join(", "))
        };
        let text = format!("{name} is flattened: {what}. The leaders' next increases are copied.");
        alert_follower(out, Level::Warning, "flattened", follower, text.clone());
        Ok(vec![text])
    }

    /// What can't be closed now is refused rather than promised.
    fn refuse_stuck(&self, follower: u32, name: &str) -> Result<(), Refusal> {
        if let Some(reason) = self.state.follower(follower).and_then(|state| state.stopped) {
            let what = format!("nothing can be sent for {name}: {}", reason.name());
            return Err(Refusal::new(what, "close its positions at the venue, mend the key, and start again"));
        }
        let follows = self.follows_of_follower.get(follower as usize).into_iter().flatten();
        if follows.copied().any(|follow| self.is_frozen(follow)) {
            return Err(Refusal::new(format!("{name} is frozen"), "resume what is frozen first"));
        }
        Ok(())
    }

    fn coin_held(&self, follower: u32, name: &str, coin: &str) -> Result<CoinId, Refusal> {
        let held = self.state.follower(follower).map(|state| state.coins.keys().copied());
        let mut held = held.into_iter().flatten();
        held.find(|at| self.coin_name(*at).eq_ignore_ascii_case(coin)).ok_or_else(|| {
            Refusal::new(format!("{name} has never held {coin:?}"), "name a coin as hlfast positions lists it")
        })
    }

    pub(super) fn enforce_all(&mut self, now_ms: u64, out: &mut Commands) {
        out.changed = true;
        for follower in (0..).take(self.config.followers.len()) {
            self.enforce_holds(follower, now_ms, out);
        }
        self.count_holds();
    }

    fn pause_place(&mut self, target: Target) -> Option<&mut Option<Paused>> {
        match target {
            Target::All => Some(&mut self.state.pause),
            Target::Leader(leader) => self.state.leader_mut(leader).map(|state| &mut state.pause),
            Target::Follower(follower) => self.state.follower_mut(follower).map(|state| &mut state.pause),
            Target::Follow(follow) => self.state.edges.get_mut(follow as usize).map(|edge| &mut edge.pause),
        }
    }

    /// What still holds somebody back besides its own pause, one line each with what lifts it.
    fn other_holds(&self, target: Target) -> Vec<String> {
        let mut lines = Vec::new();
        if self.state.kill.is_some() {
            lines.push("the kill switch is still on: hlfast resume --kill".to_owned());
        }
        if self.state.pause.is_some() && target != Target::All {
            lines.push("everything is still paused: hlfast resume --all".to_owned());
        }
        lines.extend(self.latched(target).map(|name| format!("a latch of losses holds {name}: add --reset")));
        lines
    }

    fn target_of(&self, scope: &Scope) -> Result<Target, Refusal> {
        Ok(match scope {
            Scope::All => Target::All,
            Scope::Leader(name) => Target::Leader(self.leader_named(name)?),
            Scope::Follower(name) => Target::Follower(self.follower_named(name)?),
            Scope::Follow(leader, follower) => Target::Follow(self.follow_named(leader, follower)?),
        })
    }

    fn leader_named(&self, name: &str) -> Result<u32, Refusal> {
        let known = self.config.leaders.iter().map(|one| (one.name.as_str(), one.address));
        find(name, known, "leader")
    }

    fn follower_named(&self, name: &str) -> Result<u32, Refusal> {
        let known = self.config.followers.iter().map(|one| (one.name.as_str(), one.account));
        find(name, known, "follower")
    }

    fn follow_named(&self, leader: &str, follower: &str) -> Result<u32, Refusal> {
        let (leader_at, follower_at) = (self.leader_named(leader)?, self.follower_named(follower)?);
        let mut follows = (0u32..).zip(&self.config.follows);
        let found = follows.find(|(_, edge)| (edge.leader, edge.follower) == (leader_at, follower_at));
        found.map(|(at, _)| at).ok_or_else(|| {
            let what = format!("{follower} does not follow {leader}");
            Refusal::new(what, "see hlfast followers for who follows whom")
        })
    }

    pub(super) fn follow_name(&self, follow: u32) -> String {
        self.name_of(Target::Follow(follow))
    }

    fn name_of(&self, target: Target) -> String {
        let leader = |at: u32| self.config.leaders.get(at as usize).map_or("?", |one| one.name.as_str());
        let follower = |at: u32| self.config.followers.get(at as usize).map_or("?", |one| one.name.as_str());
        match target {
            Target::All => "everything".to_owned(),
            Target::Leader(at) => format!("leader {}", leader(at)),
            Target::Follower(at) => format!("follower {}", follower(at)),
            Target::Follow(at) => match self.config.follows.get(at as usize) {
                Some(edge) => format!("{} of {}", follower(edge.follower), leader(edge.leader)),
                None => "?".to_owned(),
            },
        }
    }

    fn tell(&self, target: Target, level: Level, code: &'static str, text: String, out: &mut Commands) {
        match target {
            Target::All => alert(out, level, code, text),
            Target::Leader(leader) => alert_leader(out, level, code, leader, text),
            Target::Follower(follower) => alert_follower(out, level, code, follower, text),
            Target::Follow(at) => match self.config.follows.get(at as usize) {
                Some(edge) => alert_follower(out, level, code, edge.follower, text),
                None => alert(out, level, code, text),
            },
        }
    }
}

const fn meaning(kind: Pause) -> &'static str {
    match kind {
        Pause::CloseOnly => "no increases; reductions go on",
        Pause::Flatten => "no increases, and what is held is closed",
        Pause::Freeze => "nothing is sent, reductions neither",
    }
}

/// By name, whatever its case, or by address.
fn find<'a>(name: &str, known: impl Iterator<Item = (&'a str, Address)> + Clone, what: &str) -> Result<u32, Refusal> {
    let address = Address::parse(name.as_bytes());
    let same = |(other, its): &(&str, Address)| other.eq_ignore_ascii_case(name) || Some(*its) == address;
    let found = known.clone().position(|one| same(&one)).and_then(|at| u32::try_from(at).ok());
    found.ok_or_else(|| {
        let names: Vec<&str> = known.clone().map(|(name, _)| name).take(MAX_NAMES).collect();
        let rest = known.count().saturating_sub(names.len());
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        Refusal::new(format!("{name:?} is no {what}"), format!("known are: {}{more}", names.join(", ")))
    })
}
