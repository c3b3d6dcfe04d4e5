//! Shortens a failing session as far as possible.

use std::time::{Duration, Instant};

use super::script::{Session, Step};

/// How long the search for a shorter session may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The shortest session found that still fails, starting from `session`, which does.
pub fn shortest(mut session: Session, mut fails: impl FnMut(&Session) -> bool) -> Session {
    let start = Instant::now();
    for shorten in [without_steps, without_lines, without_pieces] {
        let mut size = session.steps.len();
        while size > 0 {
            let mut at = 0;
            while let Some(shorter) = shorten(&session, at, size) {
                if start.elapsed() > PATIENCE {
                    return session;
                }
                if fails(&shorter) {
                    session = shorter
                } else {
                    at += size
                }
            }
            size /= 2;
        }
    }
    session
}

fn without_steps(session: &Session, at: usize, size: usize) -> Option<Session> {
    let mut session = session.clone();
    remove(&mut session.steps, at, size).then_some(session)
}

/// Without some of the lines of files, numbered across all files.
fn without_lines(session: &Session, at: usize, size: usize) -> Option<Session> {
    let mut session = session.clone();
    let mut before = 0;
    for step in &mut session.steps {
        if let Step::Restore { input, .. } = step {
            let count = input.len();
            if at < before + count {
                return remove(input, at - before, size).then_some(session);
            }
            before += count;
        }
    }
    None
}

/// Without some pieces of one line.
fn without_pieces(session: &Session, at: usize, size: usize) -> Option<Session> {
    let mut session = session.clone();
    let mut before = 0;
    for line in session.steps.iter_mut().flat_map(Step::lines_mut) {
        let count = line.pieces.len();
        if at < before + count {
            return remove(&mut line.pieces, at - before, size).then_some(session);
        }
        before += count;
    }
    None
}

fn remove<T>(items: &mut Vec<T>, at: usize, size: usize) -> bool {
    let end = items.len().min(at + size);
    let is_something = at < end;
    items.drain(at.min(end)..end);
    is_something
}
