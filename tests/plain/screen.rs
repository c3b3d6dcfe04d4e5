//! The live screen: its contents at any size, and the effect of keys.

use std::net::SocketAddr;
use std::time::Duration;

use insta::assert_snapshot;
use ipvsadm::model::rates::{Counted, Counters};
use ipvsadm::model::watch::keys::{Key, keys};
use ipvsadm::model::watch::state::{Shown, State, Wish};
use ipvsadm::model::watch::{Column, RowId, Watched};
use ipvsadm::model::{Entry, Filter, Host, Server, ServerState, Service, ServiceState, Stats};
use ipvsadm::names::Names;
use ipvsadm::render::screen::{Frame, Manner, Page, Painter, Size, Spans, name};
use proptest::prelude::*;

fn second(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn stats(connections: u64) -> Stats {
    Stats {
        connections,
        in_packets: 10 * connections,
        in_bytes: 1500 * connections,
        ..Stats::default()
    }
}

fn server(address: &str, weight: i32, active: u32, connections: u64) -> ServerState {
    let address: SocketAddr = address.parse().unwrap();
    ServerState {
        server: Server {
            weight,
            ..Server::new(address)
        },
        active,
        inactive: 1,
        persistent: 0,
        stats: stats(connections),
    }
}

fn entry(address: &str, servers: &[ServerState]) -> Entry {
    let connections = servers.iter().map(|state| state.stats.connections);
    Entry {
        service: ServiceState {
            service: Service::tcp(address.parse().unwrap()),
            stats: stats(connections.sum()),
        },
        servers: servers.to_vec(),
    }
}

/// Two services after this many seconds.
fn table(seconds: u64) -> Vec<Entry> {
    vec![
        entry(
            "192.0.2.1:80",
            &[
                server("10.0.0.1:80", 3, 5, 30 * seconds),
                server("10.0.0.2:80", 1, 7, 10 * seconds),
            ],
        ),
        entry(
            "[2001:db8:1:2::5]:443",
            &[server("[2001:db8:ffff::1]:443", 0, 2, 0)],
        ),
    ]
}

fn watched() -> Watched {
    let mut watched = Watched::default();
    for time in (0..=20).step_by(2) {
        look(&mut watched, time, table(time));
    }
    watched
}

fn look(watched: &mut Watched, time: u64, table: Vec<Entry>) {
    let mut names = Names::numeric();
    let live = Counters::from(&stats(40 * time));
    let counted = Counted {
        live,
        sampled: live,
    };
    watched.count(second(time), counted);
    watched.look(second(time), table, |place| name(&mut names, place));
}

const MANNER: Manner = Manner {
    unicode: true,
    colour: false,
    exact: false,
};

fn frame(state: &State, columns: usize, rows: usize) -> Frame<'_> {
    Frame {
        time: "12:04:05Z",
        period: second(1),
        state,
        trouble: None,
        news: None,
        size: Size { columns, rows },
        manner: MANNER,
    }
}

fn text(lines: &[Spans]) -> String {
    let text = |line: &Spans| {
        line.iter()
            .map(|span| span.text.as_str())
            .collect::<String>()
    };
    let lines = lines.iter().map(text);
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

fn shown(watched: &Watched, state: &State, columns: usize) -> String {
    let rows = watched.rows(state, second(1000));
    text(&frame(state, columns, 10).services(&rows, &watched.sums()))
}

#[test]
fn screens_of_any_width() {
    let state = State::new(Column::Name);
    let widths = [20, 40, 80, 160].map(|columns| shown(&watched(), &state, columns));
    assert_snapshot!(widths.join("--\n"));
}

#[test]
fn whole_numbers_in_ascii() {
    let watched = watched();
    let state = State::new(Column::Active);
    let rows = watched.rows(&state, second(1000));
    let manner = Manner {
        unicode: false,
        exact: true,
        ..MANNER
    };
    let frame = Frame {
        manner,
        ..frame(&state, 100, 10)
    };
    let lines = frame.services(&rows, &watched.sums());
    let text = text(&lines);
    assert!(text.is_ascii() && text.contains("60000"), "{text}");
}

#[test]
fn help_tells_every_key() {
    let state = State::new(Column::Name);
    let help = text(&frame(&state, 80, 24).help());
    assert_snapshot!(help);
}

fn press(state: &mut State, watched: &Watched, typed: &str) -> Wish {
    let mut wish = Wish::Nothing;
    for key in keys(typed.as_bytes()) {
        let rows = watched.rows(state, Duration::ZERO);
        let places: Vec<RowId> = rows.iter().map(|row| row.place).collect();
        state.keep_selected(&[], &places);
        wish = state.press(key, Shown::Rows(&places), 5);
    }
    wish
}

/// The first words of the rows.
fn order(watched: &Watched, state: &State) -> Vec<String> {
    let rows = watched.rows(state, second(1000));
    rows.iter().map(|row| row.name.trim().to_owned()).collect()
}

const V4: [&str; 3] = ["TCP  192.0.2.1:80", "-> 10.0.0.1:80", "-> 10.0.0.2:80"];
const V6: [&str; 2] = ["TCP  [2001:db8:1:2::5]:443", "-> [2001:db8:ffff::1]:443"];

#[test]
fn keys_sort_and_filter() {
    let watched = watched();
    let mut state = State::new(Column::Name);
    assert_eq!(order(&watched, &state), [&V4[..], &V6].concat());
    press(&mut state, &watched, "a");
    let by_active = [V4[0], V4[2], V4[1], V6[0], V6[1]];
    assert_eq!(order(&watched, &state), by_active);
    press(&mut state, &watched, "a");
    assert!(shown(&watched, &state, 80).contains("by active, reversed"));
    assert_eq!(order(&watched, &state), [&V6[..], &V4].concat());
    press(&mut state, &watched, "/DB8:F");
    assert!(shown(&watched, &state, 80).ends_with("/DB8:F_\n"));
    assert_eq!(order(&watched, &state), V6);
    press(&mut state, &watched, "\x15.2:80");
    assert_eq!(order(&watched, &state), [V4[0], V4[2]]);
    press(&mut state, &watched, "\r");
    assert!(shown(&watched, &state, 80).contains("filter: .2:80"));
    press(&mut state, &watched, "\x1bn");
    assert_eq!(order(&watched, &state), [&V4[..], &V6].concat());
    press(&mut state, &watched, "\x1b[D\x1b[D>>>");
    assert_eq!(state.column, Column::Weight);
}

#[test]
fn shares_are_those_of_all_servers() {
    let state = State {
        wanted: Filter {
            server: Some(Host {
                address: "10.0.0.2".parse().unwrap(),
                port: None,
            }),
            ..Filter::ALL
        },
        ..State::new(Column::Name)
    };
    let watched = watched();
    assert_eq!(order(&watched, &state), [V4[0], V4[2]]);
    let rows = watched.rows(&state, second(1000));
    let shares = rows[1].shares.unwrap();
    assert_eq!(
        (shares.weight, shares.connections),
        (Some(0.25), Some(0.25))
    );
}

#[test]
fn keys_select_open_and_leave() {
    let watched = watched();
    let mut state = State::new(Column::Name);
    let rows = watched.rows(&state, Duration::ZERO);
    let third = rows[2].place;
    press(&mut state, &watched, "\x1b[B\x1b[B");
    assert_eq!(state.selected, Some(third));
    assert_eq!(press(&mut state, &watched, "\r"), Wish::Look);
    assert_eq!(state.open, Some(third));
    let lines = Shown::Lines(100);
    for (key, top) in [
        (Key::End, 90),
        (Key::PageUp, 80),
        (Key::Up, 79),
        (Key::Home, 0),
    ] {
        state.press(key, lines, 10);
        assert_eq!(state.top, top);
    }
    assert_eq!(state.press(Key::Escape, lines, 10), Wish::Look);
    assert_eq!(state.open, None);
    press(&mut state, &watched, "?q");
    assert_eq!(press(&mut state, &watched, "?"), Wish::Nothing);
    assert_eq!(press(&mut state, &watched, "xq"), Wish::Leave);
    // The row that replaces a deleted one is selected.
    let places: Vec<RowId> = rows.iter().map(|row| row.place).collect();
    let rest = [&places[..2], &places[3..]].concat();
    state.keep_selected(&places, &rest);
    assert_eq!(state.selected, Some(places[3]));
    state.keep_selected(&rest, &[]);
    assert_eq!(state.selected, None);
}

/// Connections end while the last of them are shown.
#[test]
fn a_page_that_gets_shorter_is_not_empty() {
    let all: Vec<(String, bool)> = (0..100).map(|n| (format!("line {n}"), false)).collect();
    let mut state = State::new(Column::Name);
    let room = 8;
    state.press(Key::End, Shown::Lines(all.len()), room);
    let shown = |state: &State, lines: usize| {
        let page = Page {
            title: "connections",
            head: &[],
            lines: &all[..lines],
        };
        text(&frame(state, 80, 10).page(&page))
    };
    assert!(shown(&state, 100).contains("line 92\n"));
    let fewer = shown(&state, 20);
    assert!(
        fewer.contains("line 12\n") && fewer.contains("line 19\n"),
        "{fewer}"
    );
    state.press(Key::Up, Shown::Lines(20), room);
    assert_eq!(state.top, 11);
}

#[test]
fn changes_are_highlighted_and_reported() {
    let mut watched = watched();
    let state = State::new(Column::Name);
    let mut table = table(22);
    table[0].servers[1].server.weight = 0;
    look(&mut watched, 22, table.clone());
    let lit = |watched: &Watched, since| -> Vec<bool> {
        let rows = watched.rows(&state, second(since));
        rows.iter()
            .map(|row| row.lit.settings || row.lit.all)
            .collect()
    };
    assert_eq!(lit(&watched, 21), [false, false, true, false, false]);
    assert_eq!(lit(&watched, 22), [false; 5]);
    let said = |watched: &Watched| watched.news().unwrap().text.trim().to_owned();
    assert_eq!(said(&watched), "-> 10.0.0.2:80: weight 0 instead of 1");
    table[0].servers.push(server("10.0.0.3:80", 1, 0, 0));
    look(&mut watched, 24, table.clone());
    assert_eq!(lit(&watched, 23), [false, false, false, true, false, false]);
    assert_eq!(said(&watched), "-> 10.0.0.3:80 added");
    table.remove(0);
    look(&mut watched, 26, table);
    assert!(said(&watched).ends_with("deleted, and 3 more changes"));
}

#[test]
fn only_changes_are_painted() {
    let line = |text: &str| {
        frame(&State::new(Column::Name), 20, 3).page(&Page {
            title: text,
            head: &[],
            lines: &[],
        })
    };
    let size = Size {
        columns: 20,
        rows: 3,
    };
    let mut painter = Painter::default();
    let mut paint =
        |text: &str, size| String::from_utf8(painter.paint(&line(text), size, MANNER)).unwrap();
    assert!(paint("one", size).contains("\x1b[2J"));
    assert_eq!(paint("one", size), "");
    let second = paint("two", size);
    assert!(second.contains("two") && !second.contains("\x1b[2J") && !second.contains("help"));
    assert!(
        paint(
            "two",
            Size {
                columns: 21,
                rows: 3
            }
        )
        .contains("\x1b[2J")
    );
}

proptest! {
    #[test]
    fn every_screen_is_filled_and_nothing_sticks_out(
        columns in 1..300_usize,
        rows in 1..60_usize,
        typed in "[nwaicspPbB?/<>a-c\\r\\x1b]{0,6}",
    ) {
        let watched = watched();
        let mut state = State::new(Column::Name);
        press(&mut state, &watched, &typed);
        let shown = watched.rows(&state, second(1000));
        let frame = frame(&state, columns, rows);
        for lines in [frame.services(&shown, &watched.sums()), frame.help()] {
            prop_assert_eq!(lines.len(), rows);
            for line in text(&lines).lines() {
                prop_assert!(line.chars().count() <= columns, "{:?}", line);
            }
        }
    }
}
