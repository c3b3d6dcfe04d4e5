//! A kernel whose answers are late, duplicated, missing or wrong.

use std::time::Duration;

use ipvsadm::kernel::{Batch, Error, Refusal, Room};
use ipvsadm::model::Change;
use ipvsadm::model::DaemonRole;

use crate::script::{Asked, Script, Step, opening};
use crate::values::*;
use crate::wire::{self, attribute};

/// Answers to the request before the last, and to one that was never made.
const EARLIER: u32 = u32::MAX;
const NEVER: u32 = 7;

fn timeouts(sequence: u32) -> Vec<u8> {
    let timeouts = [
        attribute(4, TIMEOUTS.tcp),
        attribute(5, TIMEOUTS.tcp_fin),
        attribute(6, TIMEOUTS.udp),
    ];
    wire::data(sequence, 12, timeouts)
}

fn running_daemon() -> Vec<u8> {
    let daemon = [
        attribute(1, 1_u32),
        wire::bytes(2, b"lo\0"),
        attribute(3, 0_u32),
    ];
    wire::item(0, 9, [wire::nest(3, daemon)])
}

fn received(message: Vec<u8>) -> Step {
    Step::Received(vec![message])
}

fn done() -> Step {
    received(wire::done(0))
}

#[test]
fn interrupted_calls_are_retried() {
    let interrupted = Step::Fails(libc::EINTR);
    let script = Script::new([
        interrupted.clone(),
        Step::Sent,
        interrupted.clone(),
        interrupted,
        received(wire::verdict(0, 0)),
    ]);
    script.client().flush().unwrap();
    assert!(script.is_over());
    let asked = script.asked();
    assert_eq!(asked[0], asked[1]);
}

#[test]
fn silence_ends() {
    for errno in [libc::EAGAIN, libc::EWOULDBLOCK] {
        let silent = || Script::new([Step::Sent, Step::Fails(errno)]);
        let no_answer = |error| assert!(matches!(error, Error::NoAnswer));
        no_answer(silent().client().flush().unwrap_err());
        no_answer(silent().client().timeouts().unwrap_err());
        no_answer(silent().client().services().unwrap_err());
        let stop = silent().client().stop_daemon(DaemonRole::Master);
        no_answer(stop.unwrap_err());
    }
}

#[test]
fn a_truncated_list_is_an_error() {
    let script = Script::new([
        Step::Sent,
        received(running_daemon()),
        Step::Fails(libc::EAGAIN),
    ]);
    let error = script.client().daemons().unwrap_err();
    assert!(matches!(error, Error::NoAnswer), "{error:?}");
}

#[test]
fn every_call_may_fail() {
    for errno in [libc::ENOMEM, libc::EPERM, libc::EBADF, libc::ECONNREFUSED] {
        for place in 0..6 {
            let mut steps = opening();
            steps.extend([Step::Sent, received(wire::verdict(0, 0))]);
            steps.truncate(place);
            let script = Script::new(steps);
            script.then([Step::Fails(errno)]);
            let outcome = script.open().and_then(|mut client| client.flush());
            let error = outcome.unwrap_err();
            assert!(matches!(error, Error::Io(_)), "{error:?}");
            assert_eq!(error.errno(), Some(errno));
        }
    }
}

#[test]
fn verdicts_are_reported_unchanged() {
    for errno in [1, 3, 17, 93, 4095, i32::MAX] {
        let script = Script::new([Step::Sent, received(wire::verdict(0, errno))]);
        let error = script.client().flush().unwrap_err();
        assert!(matches!(error, Error::Refused(refusal) if refusal.errno == errno));
    }
    let script = Script::new([
        Step::Sent,
        received(wire::bare(3, 2, 0, &(-95_i32).to_ne_bytes())),
    ]);
    let error = script.client().services().unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal { errno: 95, .. })));
}

#[test]
fn a_list_may_end_without_a_number() {
    let script = Script::new([Step::Sent, received(wire::bare(3, 2, 0, &[]))]);
    assert_eq!(script.client().services().unwrap(), []);
}

#[test]
fn a_kernel_without_ipvs() {
    let script = Script::new([Step::Sent, received(wire::verdict(0, libc::ENOENT))]);
    let error = script.open().err().unwrap();
    assert!(matches!(error, Error::Absent));
    assert_eq!(error.errno(), Some(libc::ENOPROTOOPT));
}

#[test]
fn the_family_goes_away() {
    let gone = || received(wire::verdict(0, libc::ENOENT));
    let absent = |error| assert!(matches!(error, Error::Absent), "{error:?}");
    let script = || Script::new([Step::Sent, gone()]);
    absent(script().client().timeouts().unwrap_err());
    absent(script().client().services().unwrap_err());
    let script = Script::new([Step::Sent, gone(), Step::Sent, gone()]);
    absent(script.client().flush().unwrap_err());

    // No change of the batch got a verdict, whatever the errors look like.
    let gone = [u32::MAX - 1, u32::MAX, 0].map(|about| wire::verdict(about, libc::ENOENT));
    let script = Script::new([Step::Sent, Step::Received(gone.into())]);
    let mut batch = Batch::new(script.client()).unwrap();
    for tag in [1, 2] {
        let never = |_, _| panic!("a verdict");
        batch.push(tag, &Change::Flush, never).unwrap();
    }
    absent(batch.send(|_, _| panic!("a verdict")).unwrap_err());
}

#[test]
fn something_is_not_found() {
    let script = Script::new([
        Step::Sent,
        received(wire::verdict(0, libc::ENOENT)),
        Step::Sent,
        received(wire::info(0)),
    ]);
    let error = script.client().flush().unwrap_err();
    assert!(
        matches!(
            error,
            Error::Refused(Refusal {
                errno: libc::ENOENT,
                ..
            })
        ),
        "{error:?}"
    );
}

#[test]
fn only_the_kernel_is_trusted() {
    let script = Script::new([
        Step::Sent,
        Step::Forged(wire::verdict(0, 0)),
        Step::Forged(vec![1, 2, 3]),
        received(wire::verdict(0, 17)),
    ]);
    let error = script.client().flush().unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal { errno: 17, .. })));

    let script = Script::new([
        Step::Sent,
        Step::Forged(timeouts(0)),
        received(wire::verdict(0, 1)),
    ]);
    script.client().timeouts().unwrap_err();
}

#[test]
fn answers_to_other_requests_are_skipped() {
    let script = Script::new([
        Step::Sent,
        received(wire::verdict(EARLIER, 0)),
        Step::Received(vec![
            wire::verdict(NEVER, 0),
            timeouts(0),
            timeouts(EARLIER),
        ]),
        received([wire::bare(1, 0, 0, &[]), wire::verdict(0, 17)].concat()),
    ]);
    let error = script.client().flush().unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal { errno: 17, .. })));

    let script = Script::new([
        Step::Sent,
        received(wire::done(EARLIER)),
        received(wire::verdict(EARLIER, 3)),
        done(),
    ]);
    assert_eq!(script.client().daemons().unwrap(), []);
}

#[test]
fn an_answer_that_comes_twice_is_taken_once() {
    let script = Script::new([
        Step::Sent,
        Step::Received(vec![timeouts(0), timeouts(0)]),
        Step::Sent,
        Step::Received(vec![timeouts(EARLIER), wire::verdict(0, 17)]),
        Step::Sent,
        done(),
    ]);
    let mut client = script.client();
    assert_eq!(client.timeouts().unwrap(), TIMEOUTS);
    client.flush().unwrap_err();
    assert_eq!(client.daemons().unwrap(), []);
    assert!(script.is_over());
}

#[test]
fn answers_to_another_command() {
    let script = Script::new([Step::Sent, received(wire::info(0))]);
    let error = script.client().timeouts().unwrap_err();
    assert!(matches!(error, Error::Malformed(_)));

    // The list is still read to its end, because the kernel does not start another before that.
    let script = Script::new([Step::Sent, received(wire::info(0)), done()]);
    let error = script.client().services().unwrap_err();
    assert!(matches!(error, Error::Malformed(_)));
    assert!(script.is_over());
}

#[test]
fn a_list_that_never_ends() {
    let mut script = Script::new([Step::Sent, received(timeouts(NEVER))]);
    script.endless = true;
    let mut client = script.client();
    client.set_time_limit(Duration::from_millis(20));
    let error = client.services().unwrap_err();
    assert!(matches!(error, Error::NoAnswer));
}

#[test]
fn a_time_limit_may_be_endless() {
    let late = received(timeouts(NEVER));
    let script = Script::new([Step::Sent, late, received(wire::verdict(0, 0))]);
    let mut client = script.client();
    client.set_time_limit(Duration::MAX);
    client.flush().unwrap();
}

#[test]
fn a_list_of_our_own_that_never_ends() {
    let daemon = || Step::Received(vec![running_daemon()]);
    let mut script = Script::new([Step::Sent, daemon(), daemon()]);
    script.endless = true;
    let mut client = script.client();
    client.set_time_limit(Duration::from_millis(20));
    let error = client.daemons().unwrap_err();
    assert!(matches!(error, Error::NoAnswer));
}

#[test]
fn a_socket_that_only_overflows() {
    let mut script = Script::new([Step::Sent, Step::Fails(libc::ENOBUFS)]);
    script.endless = true;
    let mut client = script.client();
    client.set_time_limit(Duration::from_millis(20));
    let error = client.flush().unwrap_err();
    assert!(matches!(error, Error::NoAnswer));
}

#[test]
fn lost_datagrams() {
    let overflow = || Step::Fails(libc::ENOBUFS);
    // The requested verdict was not lost.
    let script = Script::new([Step::Sent, overflow(), received(wire::verdict(0, 0))]);
    script.client().flush().unwrap();
    // It was lost.
    let script = Script::new([Step::Sent, overflow(), Step::Fails(libc::EAGAIN)]);
    let error = script.client().flush().unwrap_err();
    assert!(matches!(error, Error::Lost));
    // For a list this is unknown.
    let script = Script::new([Step::Sent, overflow(), done()]);
    let error = script.client().services().unwrap_err();
    assert!(matches!(error, Error::Lost));
}

#[test]
fn a_datagram_longer_than_the_buffer() {
    let script = Script::new([Step::Sent, received(vec![0; 40_000])]);
    let error = script.client().flush().unwrap_err();
    assert!(matches!(error, Error::Malformed(_)));
    // Even if the buffer ends between two messages, the rest is lost.
    let item = running_daemon();
    let mut list = item.repeat(40_000 / item.len());
    list.truncate(list.len() / item.len() * item.len());
    let script = Script::new([Step::Sent, received(list), done()]);
    script.client().daemons().unwrap_err();
    let script = Script::new([Step::Sent, received(Vec::new()), done()]);
    let error = script.client().daemons().unwrap_err();
    assert!(matches!(error, Error::Lost));
}

#[test]
fn no_servers_or_no_service() {
    let script = Script::new([
        Step::Sent,
        done(),
        Step::Sent,
        received(wire::verdict(0, 3)),
    ]);
    let error = script.client().servers(&tcp()).unwrap_err();
    assert!(matches!(
        error,
        Error::Refused(Refusal {
            errno: libc::ESRCH,
            ..
        })
    ));
}

mod stopping_a_daemon {
    use super::*;

    const STOP: u32 = u32::MAX;

    #[test]
    fn may_be_refused() {
        let answers = vec![wire::verdict(STOP, 3), wire::info(0)];
        let script = Script::new([Step::Sent, Step::Received(answers)]);
        let error = script.client().stop_daemon(DaemonRole::Master);
        assert!(matches!(
            error,
            Err(Error::Refused(Refusal { errno: 3, .. }))
        ));
    }

    #[test]
    fn may_be_done_without_an_answer() {
        let script = Script::new([Step::Sent, received(wire::info(0)), Step::Sent, done()]);
        script.client().stop_daemon(DaemonRole::Master).unwrap();
        assert!(script.is_over());
    }

    #[test]
    fn may_be_neither_answered_nor_done() {
        let script = Script::new([
            Step::Sent,
            received(wire::info(0)),
            Step::Sent,
            received(running_daemon()),
            done(),
        ]);
        let error = script.client().stop_daemon(DaemonRole::Master);
        assert!(matches!(error, Err(Error::NoAnswer)));
    }
}

mod batches {
    use super::*;

    #[test]
    fn one_send_and_refusals_by_tag() {
        // Four changes, then the query: the second and the fourth are refused.
        let script = Script::new([
            Step::Sent,
            Step::Received(vec![wire::verdict(u32::MAX - 2, 17)]),
            Step::Received(vec![wire::verdict(EARLIER, 3), wire::info(0)]),
        ]);
        let client = script.client();
        let mut refused = Vec::new();
        let mut note = |tag, refusal: Refusal| refused.push((tag, refusal.errno));
        let mut batch = Batch::new(client).unwrap();
        for tag in ["a", "b", "c", "d"] {
            batch.push(tag, &Change::Flush, &mut note).unwrap();
        }
        batch.send(&mut note).unwrap();
        batch.send(&mut note).unwrap();
        assert_eq!(refused, [("b", 17), ("d", 3)]);
        let requests = wire::requests(&script.sent());
        let commands: Vec<u8> = requests.iter().map(|request| request.command).collect();
        assert_eq!(commands, [17, 17, 17, 17, 15]);
        assert!(requests.iter().all(|request| request.flags == 1));
    }

    #[test]
    fn refusals_never_overflow() {
        let mut script = Script::new([]);
        script.room = Some(Room {
            send: 100_000,
            receive: 3 * 2048,
        });
        let client = script.client();
        let mut batch = Batch::new(client).unwrap();
        for tag in 0..7 {
            if tag % 3 == 2 {
                script.then([Step::Sent, received(wire::info(0))]);
            }
            batch.push(tag, &Change::Flush, |_, _| {}).unwrap();
            assert!(script.is_over());
        }
        script.then([Step::Sent, received(wire::info(0))]);
        batch.send(|_, _| {}).unwrap();
        assert!(script.is_over());
    }

    #[test]
    fn messages_have_a_longest_length() {
        let mut script = Script::new([]);
        let room = Room {
            send: 4000,
            receive: 8 << 20,
        };
        script.room = Some(room);
        let client = script.client();
        let (service, server) = (service(udp6()), server("fd00::3"));
        let mut batch = Batch::new(client).unwrap();
        for tag in 0..200 {
            let change = match tag % 2 {
                0 => Change::AddService(service),
                _ => Change::EditServer(service.id, server),
            };
            let before = script.asked().len();
            script.then([Step::Sent, received(wire::info(0))]);
            batch.push(tag, &change, |_, _| {}).unwrap();
            if script.asked().len() == before {
                script.unschedule();
            }
        }
        let sends: Vec<usize> = script
            .asked()
            .iter()
            .filter_map(|asked| match asked {
                Asked::Sent(bytes) => Some(bytes.len()),
                _ => None,
            })
            .collect();
        assert!(sends.len() > 3);
        assert!(
            sends.iter().all(|&length| length <= room.send - 32),
            "{sends:?}"
        );
    }

    #[test]
    fn verdicts_that_come_twice_or_unasked() {
        let script = Script::new([
            Step::Sent,
            Step::Received(vec![
                wire::verdict(u32::MAX - 1, 0),
                wire::verdict(EARLIER, 17),
                wire::verdict(EARLIER, 17),
                wire::info(0),
            ]),
        ]);
        let mut refused = Vec::new();
        let mut batch = Batch::new(script.client()).unwrap();
        for tag in [1, 2] {
            batch.push(tag, &Change::Flush, |_, _| {}).unwrap();
        }
        batch
            .send(|tag, refusal: Refusal| refused.push((tag, refusal.errno)))
            .unwrap();
        assert_eq!(refused, [(2, 17)]);
    }

    /// The first of three changes is refused, and the further answers do not fit the socket.
    fn overflow(then: [Step; 2]) -> (Error, Vec<(i32, i32)>, Vec<i32>) {
        let script = Script::new([
            Step::Sent,
            Step::Fails(libc::ENOBUFS),
            received(wire::verdict(u32::MAX - 2, 17)),
            Step::Fails(libc::EAGAIN),
        ]);
        script.then(then);
        let mut refused = Vec::new();
        let mut batch = Batch::new(script.client()).unwrap();
        for tag in 1..=3 {
            batch.push(tag, &Change::Flush, |_, _| {}).unwrap();
        }
        let outcome = batch.send(|tag, refusal: Refusal| refused.push((tag, refusal.errno)));
        assert!(script.is_over());
        (outcome.unwrap_err(), refused, batch.take_unknown())
    }

    #[test]
    fn lost_answers_are_no_success() {
        let (error, refused, unknown) = overflow([Step::Sent, received(wire::info(0))]);
        assert!(matches!(error, Error::Lost), "{error:?}");
        assert_eq!((refused, unknown), (vec![(1, 17)], vec![2, 3]));
    }

    #[test]
    fn a_missing_kernel_is_distinguished_from_lost_answers() {
        let (error, refused, unknown) = overflow([Step::Sent, Step::Fails(libc::EAGAIN)]);
        assert!(matches!(error, Error::NoAnswer), "{error:?}");
        assert_eq!((refused, unknown), (vec![(1, 17)], vec![2, 3]));
    }

    #[test]
    fn unreported_changes_are_unknown() {
        // Four changes; the second is refused, then there is silence.
        let script = Script::new([
            Step::Sent,
            received(wire::verdict(u32::MAX - 2, 17)),
            Step::Fails(libc::EAGAIN),
            Step::Sent,
            received(wire::info(0)),
        ]);
        let client = script.client();
        let mut refused = Vec::new();
        let mut batch = Batch::new(client).unwrap();
        for tag in 1..=4 {
            batch.push(tag, &Change::Flush, |_, _| {}).unwrap();
        }
        let outcome = batch.send(|tag, refusal: Refusal| refused.push((tag, refusal.errno)));
        assert!(matches!(outcome, Err(Error::NoAnswer)));
        assert_eq!(
            (&refused[..], &batch.take_unknown()[..]),
            (&[(2, 17)][..], &[3, 4][..])
        );
        // Later changes are separate from earlier ones, and nothing is reported twice.
        batch.push(5, &Change::Flush, |_, _| {}).unwrap();
        batch.send(|_, _| {}).unwrap();
        assert_eq!(batch.take_unknown(), [0; 0]);
        assert!(script.is_over());
        let asked = script.asked();
        let sends = asked.iter().filter_map(|asked| match asked {
            Asked::Sent(bytes) => Some(wire::requests(bytes).len()),
            _ => None,
        });
        assert_eq!(sends.collect::<Vec<_>>(), [5, 2]);
    }

    #[test]
    fn leave_the_client_to_others_in_between() {
        let script = Script::new([
            Step::Sent,
            received(wire::info(0)),
            Step::Sent,
            received(timeouts(0)),
            Step::Sent,
            received(wire::info(0)),
        ]);
        let client = script.client();
        let mut batch = Batch::new(client).unwrap();
        batch.push(1, &Change::Flush, |_, _| {}).unwrap();
        batch.client(|_, _| {}).unwrap().timeouts().unwrap();
        batch.push(2, &Change::Flush, |_, _| {}).unwrap();
        batch.send(|_, _| {}).unwrap();
        assert!(script.is_over());
        let asked = script.asked();
        let Some(Asked::Sent(last)) = asked.iter().rfind(|asked| **asked != Asked::Received) else {
            panic!("{asked:?}");
        };
        assert_eq!(wire::requests(last).len(), 2);
    }
}
