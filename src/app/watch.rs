//! Shows a listing again and again.

use std::time::{Duration, Instant, SystemTime};

use super::Env;
use super::list::{self, warn_of_marks};
use super::live::live;
use crate::command::{Format, Listing, Watch};
use crate::error::{Action, Error};
use crate::kernel::Client;
use crate::names::Names;
use crate::render::{self, Out, Screen};

pub fn watch(env: &mut Env, names: &mut Names, watch: &Watch) -> Result<(), Error> {
    let mut kernel = Kernel(env.open(Action::Read)?);
    let mut numeric = Names::numeric();
    let names = if watch.listing.numeric {
        &mut numeric
    } else {
        names
    };
    warn_of_marks(env, &watch.listing);
    let is_for_people = watch.listing.format != Format::Json;
    match is_for_people.then(|| (env.console)()).flatten() {
        Some(console) => live(env, &mut kernel, names, watch, console),
        None => print_again(env, &mut kernel, names, watch),
    }
}

/// Prints one listing after the other, each with its time. Only the first one must succeed.
fn print_again(
    env: &mut Env,
    kernel: &mut Kernel,
    names: &mut Names,
    watch: &Watch,
) -> Result<(), Error> {
    let mut pace = Pace::new(watch.period);
    let mut text = |env: &mut Env| {
        kernel.ask(env, |client| {
            let mut text = Vec::new();
            list::write_to(&mut text, client, names, &watch.listing, Screen::NONE)?;
            Ok(text)
        })
    };
    let first = text(env)?;
    print(env, &watch.listing, &first)?;
    let mut trouble = None;
    loop {
        pace.wait(env);
        match text(env) {
            Ok(text) => {
                trouble = None;
                print(env, &watch.listing, &text)?;
            }
            Err(error) => {
                let message = Some(error.message());
                if trouble != message {
                    env.complain(b"", &error);
                }
                trouble = message;
            }
        }
    }
}

fn print(env: &mut Env, listing: &Listing, text: &[u8]) -> Result<(), Error> {
    let time = render::utc(SystemTime::now());
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

/// The kernel, whose IPVS may go away and come back.
pub(super) struct Kernel(Client);

impl Kernel {
    /// Asks for something. The module is not loaded again: whoever watches changes nothing.
    pub(super) fn ask<T>(
        &mut self,
        env: &mut Env,
        mut ask: impl FnMut(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let error = match ask(&mut self.0) {
            Err(error) => error,
            answer => return answer,
        };
        if !self.0.is_there() {
            return Err(Error::Unloaded);
        }
        self.0 = env.open(Action::Read).map_err(|_| error)?;
        ask(&mut self.0)
    }
}

/// Keeps a rhythm, whatever the work between two waits takes.
struct Pace {
    next: Instant,
    period: Duration,
}

impl Pace {
    fn new(period: Duration) -> Self {
        Self {
            next: Instant::now() + period,
            period,
        }
    }

    fn wait(&mut self, env: &mut Env) {
        let now = Instant::now();
        (env.pause)(self.next.saturating_duration_since(now), None);
        while self.next <= Instant::now() {
            self.next += self.period;
        }
    }
}
