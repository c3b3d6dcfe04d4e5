//! The live screen: reads from the kernel and the keyboard, and draws.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::env::{Console, Happening};
use super::list;
use super::watch::{Kernel, Ticker};
use super::{Clock, Env, asked};
use crate::command::{Columns, Format, Listing, Subject, Watch};
use crate::error::{Action, Error};
use crate::kernel::Client;
use crate::model::rates::looks;
use crate::model::watch::keys::keys;
use crate::model::watch::state::{Shown, State, Wish};
use crate::model::watch::{RowId, Watched};
use crate::model::{Filter, Host, ServerId, ServiceId};
use crate::names::Names;
use crate::render::screen::{Frame, Manner, Page, Painter, Spans};
use crate::render::{self, Screen, screen};

/// The longest page of text.
const LONGEST_PAGE: usize = 1 << 20;

/// How long a message about an event is shown.
const NEWS: Duration = Duration::from_secs(10);

/// The number of refreshes for which a change is highlighted.
const LIT: u32 = 2;

/// What is shown, and its data.
struct Live<'a> {
    watch: &'a Watch,
    names: &'a mut Names,
    watched: Watched,
    state: State,
    page: Text,
    places: Vec<RowId>,
    painter: Painter,
    manner: Manner,
    trouble: Option<String>,
    clock: Clock,
    start: Instant,
}

/// Lines of text, and which of them are new.
#[derive(Default)]
struct Text {
    title: String,
    head: Vec<String>,
    lines: Vec<(String, bool)>,
}

/// Shows a listing on a screen until the user leaves.
pub fn live(
    env: &mut Env,
    kernel: &mut Kernel,
    names: &mut Names,
    watch: &Watch,
    mut console: Box<dyn Console>,
) -> Result<(), Error> {
    let mut live = Live {
        watch,
        names,
        watched: Watched::default(),
        state: State {
            wanted: watch.listing.filter,
            ..State::new(watch.sort)
        },
        page: Text::default(),
        places: Vec::new(),
        painter: Painter::default(),
        manner: Manner {
            unicode: (env.unicode)(),
            colour: (env.colour)(),
            exact: watch.listing.view.exact,
        },
        trouble: None,
        clock: env.clock,
        start: (env.clock.now)(),
    };
    match live.look(env, kernel, true) {
        Err(error @ Error::Unloaded) => live.tell(&error),
        seen => seen?,
    }
    // If drawing fails, the terminal is gone.
    let _ = live.run(env, kernel, &mut *console);
    Ok(())
}

/// Whether a listing is shown as services with rates instead of text.
fn is_table(listing: &Listing) -> bool {
    let is_plain = matches!(listing.view.columns, Columns::Plain | Columns::Rates);
    matches!(listing.subject, Subject::Services(_)) && is_plain && !listing.count
}

impl Live<'_> {
    fn run(
        &mut self,
        env: &mut Env,
        kernel: &mut Kernel,
        console: &mut dyn Console,
    ) -> io::Result<()> {
        let looks = looks(self.watch.period);
        let mut ticker = Ticker::new(self.clock, self.watch.period / looks);
        let mut count = 0;
        self.draw(console)?;
        loop {
            match console.wait(ticker.left())? {
                Happening::End => return Ok(()),
                Happening::Redraw => self.painter.forget(),
                Happening::Keys(bytes) => match self.press(&bytes, console) {
                    Wish::Nothing => {}
                    Wish::Leave => return Ok(()),
                    Wish::Look => {
                        self.page = Text::default();
                        self.look_and_tell(env, kernel, true);
                    }
                },
                Happening::Nothing => {
                    count += 1;
                    let is_refresh = count % looks == 0;
                    self.look_and_tell(env, kernel, is_refresh);
                    ticker.turn();
                    if !is_refresh {
                        continue;
                    }
                }
            }
            self.draw(console)?;
        }
    }

    /// Handles keys, and returns what they finally ask for.
    fn press(&mut self, bytes: &[u8], console: &dyn Console) -> Wish {
        let mut wish = Wish::Nothing;
        for key in keys(bytes) {
            let room = self.room(console);
            let shown = if self.is_text() {
                Shown::Lines(self.wanted().count())
            } else {
                Shown::Rows(&self.places)
            };
            match self.state.press(key, shown, room) {
                Wish::Nothing => {}
                Wish::Look => wish = Wish::Look,
                Wish::Leave => return Wish::Leave,
            }
        }
        wish
    }

    /// The lines of text that the filter lets through.
    fn wanted(&self) -> impl Iterator<Item = &(String, bool)> {
        let lines = self.page.lines.iter();
        lines.filter(|(line, _)| self.state.shows(line))
    }

    /// Reads from the kernel, and remembers the error if that failed.
    fn look_and_tell(&mut self, env: &mut Env, kernel: &mut Kernel, is_refresh: bool) {
        self.trouble = None;
        if let Err(error) = self.look(env, kernel, is_refresh) {
            self.tell(&error);
        }
    }

    /// Shows an error instead of data.
    fn tell(&mut self, error: &Error) {
        self.watched.clear();
        self.page = Text::default();
        let message = render::harmless(&error.message());
        self.trouble = Some(String::from_utf8_lossy(&message).replace('\n', " "));
    }

    /// Reads the data to show, and the data for its rates.
    fn look(&mut self, env: &mut Env, kernel: &mut Kernel, is_refresh: bool) -> Result<(), Error> {
        let listing = &self.watch.listing;
        if is_table(listing) {
            let counted = kernel.ask(env, |client| asked(Action::Read, client.counted()))?;
            self.watched.count(self.elapsed(), counted);
            let table = kernel.ask(env, |client| list::table(client, listing))?;
            let (now, names) = (self.elapsed(), &mut *self.names);
            self.watched
                .look(now, table, |place| screen::name(names, place));
        }
        if let Some(listing) = self.text_listing().filter(|_| is_refresh) {
            let names = &mut *self.names;
            let text = kernel.ask(env, |client| text(client, names, &listing))?;
            self.page.renew(
                title(&listing, self.state.open, names),
                &text,
                head(&listing),
            );
        }
        Ok(())
    }

    fn is_text(&self) -> bool {
        self.state.open.is_some() || !is_table(&self.watch.listing)
    }

    /// The listing that is shown as text, if one is.
    fn text_listing(&self) -> Option<Listing> {
        let listing = &self.watch.listing;
        let Some((service, server)) = self.state.open else {
            return (!is_table(listing)).then(|| listing.clone());
        };
        let host = |id: ServerId| Host {
            address: id.address,
            // Servers of a mark or of all ports have no port of their own.
            port: Some(id.port).filter(|port| *port != 0),
        };
        Some(Listing {
            subject: Subject::Connections(Some(service)),
            filter: Filter {
                server: server.map(host),
                ..Filter::ALL
            },
            ..listing.clone()
        })
    }
}

impl Live<'_> {
    fn elapsed(&self) -> Duration {
        (self.clock.now)() - self.start
    }

    fn frame<'a>(
        &'a self,
        console: &dyn Console,
        time: &'a str,
        news: Option<&'a str>,
    ) -> Frame<'a> {
        Frame {
            time,
            period: self.watch.period,
            state: &self.state,
            trouble: self.trouble.as_deref(),
            news,
            size: console.size(),
            manner: self.manner,
        }
    }

    /// The number of rows or lines that fit the screen.
    fn room(&self, console: &dyn Console) -> usize {
        let frame = self.frame(console, "", None);
        if self.is_text() {
            frame.room_for_lines(&self.page.shown(&self.page.lines))
        } else {
            frame.room_for_rows()
        }
    }

    fn draw(&mut self, console: &mut dyn Console) -> io::Result<()> {
        let size = console.size();
        let lines = self.lines(console);
        let bytes = self.painter.paint(&lines, size, self.manner);
        console.draw(&bytes)
    }

    fn lines(&mut self, console: &dyn Console) -> Vec<Spans> {
        let time = render::utc((self.clock.date)());
        // The time of day is enough.
        let time = time.split_once('T').map_or("", |(_, time)| time);
        let now = self.elapsed();
        let news = self
            .watched
            .news()
            .filter(|news| now.saturating_sub(news.time) < NEWS);
        let news = news.map(|news| news.text.clone());
        if self.state.shows_help {
            return self.frame(console, time, news.as_deref()).help();
        }
        if self.is_text() {
            let wanted: Vec<(String, bool)> = self.wanted().cloned().collect();
            let page = self.page.shown(&wanted);
            return self.frame(console, time, news.as_deref()).page(&page);
        }
        let since = now.saturating_sub(LIT * self.watch.period);
        let rows = self.watched.rows(&self.state, since);
        let places: Vec<RowId> = rows.iter().map(|row| row.place).collect();
        self.state.keep_selected(&self.places, &places);
        self.places = places;
        let frame = self.frame(console, time, news.as_deref());
        frame.services(&rows, &self.watched.sums())
    }
}

impl Text {
    /// Replaces the text. Its first lines are the head.
    fn renew(&mut self, title: String, text: &[u8], head: usize) {
        let is_first = self.title != title;
        self.title = title;
        let text = render::harmless(text);
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines().map(str::to_owned);
        self.head = lines.by_ref().take(head).collect();
        let known: HashSet<String> = self.lines.iter().map(|(line, _)| lasting(line)).collect();
        let is_new = |line: &String| !is_first && !known.contains(&lasting(line));
        self.lines = lines
            .map(|line| (is_new(&line), line))
            .map(|(new, line)| (line, new))
            .collect();
    }

    fn shown<'a>(&'a self, lines: &'a [(String, bool)]) -> Page<'a> {
        Page {
            title: &self.title,
            head: &self.head,
            lines,
        }
    }
}

/// A line without its changing times.
fn lasting(line: &str) -> String {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let is_time = |word: &&str| {
        let parts = word.split_once(':');
        parts.is_some_and(|(minutes, seconds)| {
            seconds.len() == 2
                && minutes
                    .bytes()
                    .chain(seconds.bytes())
                    .all(|byte| is_digit(&byte))
        })
    };
    let words = line.split_whitespace().filter(|word| !is_time(word));
    words.collect::<Vec<&str>>().join(" ")
}

/// A listing as text, cut if it is too long to read.
fn text(client: &mut Client, names: &mut Names, listing: &Listing) -> Result<Vec<u8>, Error> {
    let mut page = Bounded(Vec::new());
    match list::write_to(&mut page, client, names, listing, Screen::NONE) {
        Err(Error::Write(_)) => page.0.extend(b"\n(and more: a filter shows less)\n"),
        written => written?,
    }
    Ok(page.0)
}

/// A writer with a limit.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LONGEST_PAGE.saturating_sub(self.0.len());
        let length = bytes.len().min(room);
        self.0.extend(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The subject of a text.
fn title(listing: &Listing, open: Option<RowId>, names: &mut Names) -> String {
    let what = match listing.subject {
        Subject::Services(_) => "services",
        Subject::Connections(Some(ServiceId::Mark { .. })) => "what persistence remembers",
        Subject::Connections(_) => "connections",
        Subject::Timeouts => "timeouts",
        Subject::Daemons => "daemons",
        Subject::Totals => "totals",
    };
    let Some((service, server)) = open else {
        return what.to_owned();
    };
    let of = screen::name(names, &(service, None));
    let to = server.map(|_| screen::name(names, &(service, server)));
    format!("{of}{}: {what}", to.unwrap_or_default())
}

/// The number of title lines at the top of a listing.
fn head(listing: &Listing) -> usize {
    match listing.format {
        Format::Table => return 2,
        Format::Json | Format::Prometheus => return 0,
        Format::Classic if listing.count => return 0,
        Format::Classic => {}
    }
    match listing.subject {
        Subject::Services(None) => 3,
        Subject::Services(Some(_)) | Subject::Connections(_) => 2,
        Subject::Timeouts | Subject::Daemons | Subject::Totals => 0,
    }
}
