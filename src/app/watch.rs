//! Shows a listing repeatedly.

use std::time::{Duration, Instant};

use super::list::{self, warn_of_marks};
use super::live::live;
use super::{Clock, Env};
use crate::command::{Format, Listing, Watch};
use crate::error::{Action, Error};
use crate::kernel::{Client, has_ipvs};
use crate::names::Names;
use crate::render::{self, Out, Screen};

pub fn watch(env: &mut Env, names: &mut Names, watch: &Watch) -> Result<(), Error> {
    let mut kernel = Kernel::default();
    let mut numeric = Names::numeric();
    let names = if watch.listing.numeric {
        &mut numeric
    } else {
        names
    };
    warn_of_marks(env, &watch.listing);
    let is_for_people = match watch.listing.format {
        Format::Classic | Format::Table => true,
        Format::Json | Format::Prometheus => false,
    };
    match is_for_people.then(|| (env.console)()).flatten() {
        Some(console) => live(env, &mut kernel, names, watch, console),
        None => print_again(env, &mut kernel, names, watch),
    }
}

/// Prints one listing after another, each with its time. An error in the first one ends it, unless
/// the kernel just has no IPVS.
fn print_again(
    env: &mut Env,
    kernel: &mut Kernel,
    names: &mut Names,
    watch: &Watch,
) -> Result<(), Error> {
    let mut ticker = Ticker::new(env.clock, watch.period);
    let mut trouble = None;
    let mut is_first = true;
    loop {
        let text = kernel.ask(env, |client| {
            let mut text = Vec::new();
            list::write_to(&mut text, client, names, &watch.listing, Screen::NONE)?;
            Ok(text)
        });
        match text {
            Ok(text) => {
                trouble = None;
                print(env, &watch.listing, &text)?;
            }
            Err(error) if is_first && !matches!(error, Error::Unloaded) => return Err(error),
            Err(error) => {
                let message = Some(error.message());
                if trouble != message {
                    env.complain(b"", &error);
                }
                trouble = message;
            }
        }
        is_first = false;
        (env.pause)(ticker.left(), None);
        ticker.turn();
    }
}

fn print(env: &mut Env, listing: &Listing, text: &[u8]) -> Result<(), Error> {
    let time = render::utc((env.clock.date)());
    env.print(|out| match listing.format {
        Format::Json => Ok(line_of_json(out, &time, text)?),
        Format::Classic | Format::Table | Format::Prometheus => {
            out.text(time).end_row()?;
            out.text(text).end_row()?;
            Ok(())
        }
    })
}

/// A document as one line, with its time as the first key.
fn line_of_json(out: &mut Out, time: &str, document: &[u8]) -> std::io::Result<()> {
    let rest = document.strip_prefix(b"{").unwrap_or(document);
    out.text("{\"time\":\"").text(time).text("\",");
    for line in rest.split(|&byte| byte == b'\n') {
        out.text(line);
    }
    out.end_row()
}

/// The kernel, whose IPVS module may be loaded and unloaded at any time.
#[derive(Default)]
pub(super) struct Kernel(Option<Client>);

impl Kernel {
    /// Makes a request. The module is never loaded: watching changes nothing.
    pub(super) fn ask<T>(
        &mut self,
        env: &mut Env,
        mut ask: impl FnMut(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(Ok(answer)) = self.0.as_mut().map(&mut ask) {
            return Ok(answer);
        }
        // If the network namespace is gone, opening it gives the reason.
        if !has_ipvs(env.netns.as_ref()).unwrap_or(true) {
            return Err(Error::Unloaded);
        }
        ask(self.0.insert(env.open(Action::Read)?))
    }
}

/// Keeps a steady interval, no matter how long the work takes.
pub struct Ticker {
    clock: Clock,
    next: Instant,
    period: Duration,
}

impl Ticker {
    pub fn new(clock: Clock, period: Duration) -> Self {
        Self {
            next: (clock.now)() + period,
            clock,
            period,
        }
    }

    /// The time until the next turn.
    pub fn left(&self) -> Duration {
        self.next.saturating_duration_since((self.clock.now)())
    }

    /// Takes a turn, and skips missed ones.
    pub fn turn(&mut self) {
        while self.next <= (self.clock.now)() {
            self.next += self.period;
        }
    }
}
