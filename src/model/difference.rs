//! The steps from one table to another.
//!
//! - What is in both tables is edited in place and never deleted: its connections and counters
//!   stay.
//! - Servers are added before others are deleted: a service that has a usable server in both tables
//!   has one after each step.
//! - If a step is refused, a service may lack its only usable server. Callers must therefore ask
//!   for [`left_out`](Difference::left_out), [`withdrawn`](Difference::withdrawn) and
//!   [`started_again`](Difference::started_again) after each phase, so that traffic that has a
//!   server in both tables keeps one.

mod effective;
mod summary;
mod table;

pub use summary::Summary;
pub use table::{Configured, Table};

use super::hash::{Map, Set};
use super::order::sort_by_key;
use super::{Change, Daemon, Server, ServerId, Service, ServiceId, Timeouts};
pub(super) use effective::{effective_server, effective_service, runs_as_wanted};

/// The steps that turn one table into another, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub steps: Vec<Step>,
    /// Services that need one of the steps to have a usable server in the end.
    in_need: Set<ServiceId>,
    /// Services without a usable server in the end, deleted ones among them.
    closing: Set<ServiceId>,
    /// Daemons that are stopped, as they ran.
    stopped: Vec<Daemon>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub phase: Phase,
    pub change: Change,
    pub costs: Vec<Cost>,
    effect: Effect,
}

/// The phases, in their order. The steps of one phase may be sent together; those of the next
/// must wait until it is known which were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// New services, each followed by its servers: best sent together.
    NewServices,
    EditServices,
    AddServers,
    /// Edits of servers whose weight rises or stays.
    RaiseServers,
    /// Edits of servers whose weight falls.
    LowerServers,
    DeleteServers,
    DeleteServices,
    Timeouts,
    /// A daemon cannot be edited, so it is stopped and started.
    Daemons,
}

/// A cost of a step that cannot be avoided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// The scheduler changes: the kernel refuses new connections during the change.
    Scheduler,
    /// The mask of persistence changes: some clients move to another server.
    Mask,
    /// The forwarding method changes: connections that exist keep the old one.
    Forwarding,
    /// The new service takes traffic from this one, which has a usable server, and refuses it until
    /// its own first server is there.
    TakesOver(ServiceId),
    /// Connections are cut.
    Cuts,
}

/// Whether a step makes a server usable or unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Brings,
    Takes,
    Neither,
}

impl Effect {
    fn of(was_usable: bool, is_usable: bool) -> Self {
        match (was_usable, is_usable) {
            (false, true) => Self::Brings,
            (true, false) => Self::Takes,
            (false, false) | (true, true) => Self::Neither,
        }
    }
}

/// The steps from `current` to `wanted`. Timeouts and daemons that `wanted` does not have stay,
/// and with `keep` so do services.
pub fn difference(current: &Table, wanted: &Table, keep: bool) -> Difference {
    let mut difference = Difference::default();
    let old = by_id(&current.services);
    for service in &wanted.services {
        match old.get(&service.service.id) {
            Some(old) => difference.edit(old, service),
            None => difference.add(service, overtaken(&service.service.id, current, &old)),
        }
    }
    if !keep {
        let new = by_id(&wanted.services);
        let old = current.services.iter();
        old.filter(|old| !new.contains_key(&old.service.id))
            .for_each(|old| difference.delete(old));
    }
    difference.set_timeouts(current.timeouts, wanted.timeouts);
    for daemon in &wanted.daemons {
        let mut running = current.daemons.iter();
        difference.restart(running.find(|running| running.role == daemon.role), daemon);
    }
    sort_by_key(&mut difference.steps, place);
    difference
}

/// The position of a step among the others. Of services that share traffic, the one that takes
/// precedence is added first and deleted last, so traffic moves only once, when everything else is
/// ready.
fn place(step: &Step) -> (Phase, u8) {
    let rank = match step.change.service() {
        Some(ServiceId::Mark { .. }) => 0,
        Some(ServiceId::Address { port: 1.., .. }) => 1,
        Some(ServiceId::Address { port: 0, .. }) | None => 2,
    };
    match step.phase {
        Phase::NewServices => (step.phase, rank),
        Phase::DeleteServices => (step.phase, u8::MAX - rank),
        _ => (step.phase, 0),
    }
}

fn by_id(services: &[Configured]) -> Map<ServiceId, &Configured> {
    let services = services.iter();
    services.map(|entry| (entry.service.id, entry)).collect()
}

impl Difference {
    /// The steps that must not be done after these were refused: each would take the last usable
    /// server from traffic that was to get another one.
    pub fn left_out(&self, refused: &Set<usize>) -> Set<usize> {
        let down = self.down(refused);
        let steps = self.steps.iter().enumerate();
        let held = steps.filter(|(_, step)| {
            let id = step.change.service();
            step.effect == Effect::Takes && id.is_some_and(|id| self.is_needed(&id, &down))
        });
        held.map(|(index, _)| index).collect()
    }

    /// The new services that must be deleted again after these steps were refused: each keeps
    /// traffic from a usable server that was to get another one.
    pub fn withdrawn(&self, refused: &Set<usize>) -> Vec<ServiceId> {
        let down = self.down(refused);
        let steps = self.steps.iter().enumerate();
        let added = steps.filter(|(index, step)| {
            matches!(step.costs[..], [Cost::TakesOver(_)]) && !refused.contains(index)
        });
        let added = added.filter_map(|(_, step)| step.change.service());
        added.filter(|id| self.is_needed(id, &down)).collect()
    }

    /// The daemons that must be started again after these steps were refused: each was stopped, and
    /// the one in its place did not start.
    pub fn started_again(&self, refused: &Set<usize>) -> Vec<Daemon> {
        let is_done = |change: Change| {
            let place = self.steps.iter().position(|step| step.change == change);
            place.is_some_and(|place| !refused.contains(&place))
        };
        let fails = |role| {
            let start =
                |step: &Step| matches!(step.change, Change::StartDaemon(new) if new.role == role);
            refused.iter().any(|place| start(&self.steps[*place]))
        };
        let stopped = self.stopped.iter().copied();
        stopped
            .filter(|daemon| is_done(Change::StopDaemon(daemon.role)) && fails(daemon.role))
            .collect()
    }

    /// Whether traffic of a service should have a usable server but has none, now that some
    /// services are down.
    fn is_needed(&self, id: &ServiceId, down: &Set<ServiceId>) -> bool {
        let loses_traffic =
            || self.closing.contains(id) && down.iter().any(|other| share_traffic(id, other));
        down.contains(id) || loses_traffic()
    }

    /// Whether a step was refused because its service had been refused.
    pub fn is_consequence(&self, step: usize, refused: &Set<usize>) -> bool {
        let is_service = |step: &Step| matches!(step.change, Change::AddService(_));
        let its_service = self.steps[..=step].iter().rposition(is_service);
        self.steps[step].phase == Phase::NewServices
            && its_service.is_some_and(|service| service != step && refused.contains(&service))
    }

    /// The services that should have got a usable server but got none.
    fn down(&self, refused: &Set<usize>) -> Set<ServiceId> {
        let mut down = self.in_need.clone();
        for (index, step) in self.steps.iter().enumerate() {
            let brings = step.effect == Effect::Brings && !refused.contains(&index);
            if let (true, Some(id)) = (brings, step.change.service()) {
                down.remove(&id);
            }
        }
        down
    }

    fn push(&mut self, phase: Phase, change: Change, effect: Effect, costs: Vec<Cost>) {
        self.steps.push(Step {
            phase,
            change,
            costs,
            effect,
        });
    }

    fn add(&mut self, new: &Configured, overtaken: Option<ServiceId>) {
        let id = new.service.id;
        let costs = overtaken.map(Cost::TakesOver).into_iter().collect();
        let change = Change::AddService(new.service);
        self.push(Phase::NewServices, change, Effect::Neither, costs);
        for server in &new.servers {
            self.add_server(Phase::NewServices, id, server);
        }
        let outlook = if new.is_usable() {
            &mut self.in_need
        } else {
            &mut self.closing
        };
        outlook.insert(id);
    }

    fn add_server(&mut self, phase: Phase, id: ServiceId, server: &Server) {
        let effect = Effect::of(false, server.is_usable());
        self.push(phase, Change::AddServer(id, *server), effect, Vec::new());
    }

    fn edit(&mut self, old: &Configured, new: &Configured) {
        let id = new.service.id;
        if effective_service(&old.service) != effective_service(&new.service) {
            let costs = costs_of_service(&old.service, &new.service);
            let change = Change::EditService(new.service);
            self.push(Phase::EditServices, change, Effect::Neither, costs);
        }
        let old_servers = old.servers.iter().map(|server| (server.id, server));
        let mut gone: Map<ServerId, &Server> = old_servers.collect();
        let mut stays_usable = false;
        for server in &new.servers {
            match gone.remove(&server.id) {
                Some(old) => {
                    stays_usable |= old.is_usable() && server.is_usable();
                    self.edit_server(id, old, server);
                }
                None => self.add_server(Phase::AddServers, id, server),
            }
        }
        for server in &old.servers {
            if gone.contains_key(&server.id) {
                let change = Change::DeleteServer(id, server.id);
                let effect = Effect::of(server.is_usable(), false);
                self.push(Phase::DeleteServers, change, effect, vec![Cost::Cuts]);
            }
        }
        if !new.is_usable() {
            self.closing.insert(id);
        } else if !stays_usable {
            self.in_need.insert(id);
        }
    }

    fn edit_server(&mut self, id: ServiceId, old: &Server, new: &Server) {
        if effective_server(old) == effective_server(new) {
            return;
        }
        let phase = if new.weight < old.weight {
            Phase::LowerServers
        } else {
            Phase::RaiseServers
        };
        let is_moved = old.forwarding != new.forwarding;
        let costs = is_moved.then_some(Cost::Forwarding).into_iter().collect();
        let effect = Effect::of(old.is_usable(), new.is_usable());
        self.push(phase, Change::EditServer(id, *new), effect, costs);
    }

    fn delete(&mut self, old: &Configured) {
        let id = old.service.id;
        let has_servers = !old.servers.is_empty();
        let costs = has_servers.then_some(Cost::Cuts).into_iter().collect();
        let effect = Effect::of(old.is_usable(), false);
        let change = Change::DeleteService(id);
        self.push(Phase::DeleteServices, change, effect, costs);
        self.closing.insert(id);
    }

    fn set_timeouts(&mut self, current: Option<Timeouts>, wanted: Option<Timeouts>) {
        let (current, wanted) = (current.unwrap_or_default(), wanted.unwrap_or_default());
        if wanted.over(current) != current {
            let change = Change::SetTimeouts(wanted);
            self.push(Phase::Timeouts, change, Effect::Neither, Vec::new());
        }
    }

    fn restart(&mut self, running: Option<&Daemon>, wanted: &Daemon) {
        if running.is_some_and(|running| runs_as_wanted(running, wanted)) {
            return;
        }
        self.stopped.extend(running);
        let stop = running.map(|running| Change::StopDaemon(running.role));
        for change in stop.into_iter().chain([Change::StartDaemon(*wanted)]) {
            self.push(Phase::Daemons, change, Effect::Neither, Vec::new());
        }
    }
}

fn costs_of_service(old: &Service, new: &Service) -> Vec<Cost> {
    let is_pinned = old.persistence.is_some() && new.persistence.is_some();
    let scheduler = (old.scheduler != new.scheduler).then_some(Cost::Scheduler);
    let mask = (is_pinned && old.mask != new.mask).then_some(Cost::Mask);
    scheduler.into_iter().chain(mask).collect()
}

/// A service that would lose traffic to a new one.
fn overtaken(
    new: &ServiceId,
    current: &Table,
    old: &Map<ServiceId, &Configured>,
) -> Option<ServiceId> {
    let loses = |old: &&Configured| old.is_usable() && wins_over(new, &old.service.id);
    let loser = match new.for_all_ports() {
        Some(id) => old.get(&id).copied().filter(loses),
        None => current.services.iter().find(loses),
    };
    loser.map(|loser| loser.service.id)
}

/// Whether a service takes packets that another one would take otherwise: the kernel looks for the
/// mark of a packet first, then for its port, and then for port 0. Any packet may have a mark.
fn wins_over(winner: &ServiceId, loser: &ServiceId) -> bool {
    match (winner, loser) {
        (_, ServiceId::Mark { .. }) => false,
        (ServiceId::Mark { family, .. }, ServiceId::Address { .. }) => *family == loser.family(),
        (ServiceId::Address { .. }, ServiceId::Address { .. }) => {
            winner.for_all_ports().as_ref() == Some(loser)
        }
    }
}

fn share_traffic(one: &ServiceId, other: &ServiceId) -> bool {
    wins_over(one, other) || wins_over(other, one)
}
