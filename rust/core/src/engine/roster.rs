//! Who there is and who follows whom, made from the settings and from which follows have come to their end.
use super::Engine;
use super::silence::Silence;

impl Engine {
    /// Makes everything that is looked up by place or address anew.
    pub(super) fn index(&mut self) {
        let (leaders, followers) = (self.config.leaders.len(), self.config.followers.len());
        let follows = self.config.follows.len();
        self.state.extend(leaders, followers, follows, self.dexs.len());
        self.follows_of_leader = vec![Vec::new(); leaders];
        self.follows_of_follower = vec![Vec::new(); followers];
        for (edge, at) in self.config.follows.iter().zip(0u32..) {
            let gone = self.state.edges.get(at as usize).is_some_and(|edge| edge.gone);
            if let Some(list) = self.follows_of_leader.get_mut(edge.leader as usize)
                && !gone
            {
                list.push(at);
            }
            // Also those that came to their end: their bands are what a rest is closed within.
            if let Some(list) = self.follows_of_follower.get_mut(edge.follower as usize) {
                list.push(at);
            }
        }
        self.needs = super::figures::Needs::of(&self.config);
        self.resolve_lists();
        self.signers = self.config.followers.iter().map(|follower| follower.agent).collect();
        let awake = (0u32..).zip(&self.config.leaders).filter(|(at, _)| self.is_awake_leader(*at));
        self.leader_by_address = awake.map(|(at, leader)| (leader.address.0, at)).collect();
        self.order_activity.resize(leaders, super::leaders::OrderActivity::default());
        if self.silence.len() != leaders {
            self.silence = Silence::new(leaders);
        }
    }

    /// Somebody is copied from, or something is still held after it.
    pub(super) fn is_awake_leader(&self, leader: u32) -> bool {
        let removed = self.config.leaders.get(leader as usize).is_none_or(|one| one.removed);
        !removed || self.follows_of_leader.get(leader as usize).is_some_and(|follows| !follows.is_empty())
    }

    /// Somebody copies, or something of what was copied is still open.
    #[must_use]
    pub fn is_awake_follower(&self, follower: u32) -> bool {
        if self.config.followers.get(follower as usize).is_some_and(|one| !one.removed) {
            return true;
        }
        let follows = self.follows_of_follower.get(follower as usize).into_iter().flatten();
        let follows_still = follows.copied().any(|at| self.state.edges.get(at as usize).is_some_and(|edge| !edge.gone));
        let open = self.state.follower(follower).is_some_and(|state| {
            state.in_flight > 0 || !state.stops.is_empty() || state.coins.values().any(|lot| lot.own != 0)
        });
        follows_still || open
    }

    /// Addresses of the leaders whose fills are wanted, in the order of the settings.
    #[must_use]
    pub fn watched(&self) -> Vec<crate::wire::Address> {
        let leaders = (0u32..).zip(&self.config.leaders).filter(|(at, _)| self.is_awake_leader(*at));
        leaders.map(|(_, leader)| leader.address).collect()
    }
}
