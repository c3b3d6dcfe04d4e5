//! Waits until the connections of drained servers have ended.

use std::time::Duration;

use super::{Clock, Env, Pause, asked};
use crate::error::{Action, Error};
use crate::kernel::{Client, Error as KernelError};
use crate::model::drain::{Left, Member, Progress, Remaining, Rest, Tally};
use crate::model::hash::Set;
use crate::model::{ServerState, ServiceId};

/// The pause between two checks.
const PERIOD: Duration = Duration::from_secs(1);

/// A packet in flight when the weight became 0 may create a connection after the first check, so an
/// empty server is checked twice.
const DOUBT: Duration = Duration::from_millis(100);

/// A connection table that takes longer is read only if it must be.
const LONG: Duration = Duration::from_millis(500);

/// How a wait ends.
pub enum Waited {
    /// No connection is left.
    Empty,
    /// The time is up.
    Over(Rest),
    /// A signal came.
    Stopped(Left),
    /// Another program has given a server a weight.
    Raised(Member, i32),
}

/// Waits at most this many seconds. Signals must be blocked meanwhile, or they end the process.
pub fn wait(
    env: &mut Env,
    client: &mut Client,
    places: &[Member],
    seconds: u32,
) -> Result<Waited, Error> {
    let timeouts = asked(Action::Read, client.timeouts())?;
    let mut watcher = Watcher {
        services: services(places),
        places: places.iter().copied().collect(),
        is_large: false,
        clock: env.clock,
    };
    let mut reporter = Reporter {
        timeout: timeouts.tcp.into(),
        ..Reporter::default()
    };
    let limit = Duration::from_secs(seconds.into());
    let end = watcher.wait(env, client, limit, &mut reporter);
    reporter.end(env);
    end
}

struct Seen {
    left: Left,
    raised: Option<(Member, i32)>,
}

/// Checks how many connections the servers still have.
struct Watcher {
    services: Vec<ServiceId>,
    places: Set<Member>,
    /// Reading the connection table takes too long to do it only for the states.
    is_large: bool,
    clock: Clock,
}

impl Watcher {
    fn wait(
        &mut self,
        env: &mut Env,
        client: &mut Client,
        limit: Duration,
        reporter: &mut Reporter,
    ) -> Result<Waited, Error> {
        let start = (self.clock.now)();
        let (mut first, mut was_empty) = (None, false);
        loop {
            let elapsed = (self.clock.now)() - start;
            let remaining = limit.saturating_sub(elapsed);
            let Seen { left, raised } = self.look(client, remaining.is_zero())?;
            let first = *first.get_or_insert(left.total());
            if let Some((place, weight)) = raised {
                return Ok(Waited::Raised(place, weight));
            }
            let is_empty = left.total() == 0;
            let pause = match (is_empty, was_empty) {
                (true, true) => return Ok(Waited::Empty),
                (true, false) => DOUBT,
                (false, _) if remaining.is_zero() => return Ok(Waited::Over(Rest { left, first })),
                (false, _) => {
                    reporter.progress(env, &left, first, elapsed, remaining);
                    PERIOD.min(remaining)
                }
            };
            was_empty = is_empty;
            if (env.pause)(pause, None) == Pause::Signal {
                return Ok(Waited::Stopped(left));
            }
        }
    }

    /// The remaining connections. Servers that were deleted meanwhile are left out.
    fn look(&mut self, client: &mut Client, is_last: bool) -> Result<Seen, Error> {
        let (mut servers, mut raised) = (Vec::new(), None);
        for id in &self.services {
            for state in servers_of(client, id)? {
                let place = (*id, state.server.id);
                if !self.places.contains(&place) {
                    continue;
                }
                if state.server.weight > 0 {
                    raised = Some((place, state.server.weight));
                }
                servers.push(Remaining {
                    place,
                    active: state.active.into(),
                    inactive: state.inactive.into(),
                });
            }
        }
        let left = self.left(client, servers, is_last)?;
        Ok(Seen { left, raised })
    }

    fn left(
        &mut self,
        client: &mut Client,
        servers: Vec<Remaining>,
        is_last: bool,
    ) -> Result<Left, Error> {
        let any = |number: fn(&Remaining) -> u64| servers.iter().any(|server| number(server) > 0);
        let (is_active, is_inactive) = (any(|server| server.active), any(|server| server.inactive));
        let is_wanted = if is_active {
            is_last || !self.is_large
        } else {
            is_inactive
        };
        let mut tally = Tally::new(servers);
        if is_wanted {
            let start = (self.clock.now)();
            let mut table = client.connections().map_err(Error::of_connections)?;
            while let Some(connection) = asked(Action::Read, table.read())? {
                if let Ok(connection) = connection {
                    tally.add(&connection);
                }
            }
            self.is_large = (self.clock.now)() - start > LONG;
        }
        Ok(tally.left())
    }
}

/// The services of servers that are in the order of a table.
fn services(places: &[Member]) -> Vec<ServiceId> {
    let mut services: Vec<ServiceId> = places.iter().map(|(id, _)| *id).collect();
    services.dedup();
    services
}

fn servers_of(client: &mut Client, id: &ServiceId) -> Result<Vec<ServerState>, Error> {
    match client.servers(id) {
        Err(KernelError::Refused(refusal)) if refusal.not_found() => Ok(Vec::new()),
        servers => asked(Action::Read, servers),
    }
}

/// Reports the progress of a wait: on a terminal in a line that is rewritten, elsewhere in a new
/// line for each change.
#[derive(Default)]
struct Reporter {
    /// After this many idle seconds a TCP connection is forgotten.
    timeout: u64,
    said: Option<Left>,
    is_on_screen: bool,
}

impl Reporter {
    fn progress(
        &mut self,
        env: &mut Env,
        left: &Left,
        first: u64,
        elapsed: Duration,
        remaining: Duration,
    ) {
        let progress = Progress {
            left,
            first,
            elapsed: elapsed.as_secs(),
            remaining: remaining.as_secs(),
            idle: left.may_be_idle().then_some(self.timeout),
        };
        let mut text = progress.to_string();
        match (env.stderr.terminal)() {
            Some(terminal) => {
                if let Some(columns) = terminal.columns {
                    // A line that wraps could not be rewritten.
                    text.truncate(columns.saturating_sub(1));
                }
                env.redraw(&text);
                self.is_on_screen = true;
            }
            None if self.said.as_ref() != Some(left) => {
                env.warn(text.as_bytes());
                self.said = Some(left.clone());
            }
            None => {}
        }
    }

    fn end(&mut self, env: &mut Env) {
        if self.is_on_screen {
            env.redraw("");
        }
    }
}
