//! A director with web servers that answer with their names, and observations of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cases::same;
use crate::lab::world::{Namespace, Program, Running, Side, World};
use crate::network::{self, Switch};
use crate::pair;

/// The time limit for each packet of an answer.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);

/// A director with a client on one side and two web servers on the other, which answer through it.
pub struct Site {
    pub director: Namespace,
    pub client: Namespace,
    pub web1: Namespace,
    pub web2: Namespace,
    _switch: Switch,
}

impl Site {
    pub fn new(world: &mut World) -> Result<Self> {
        let switch = Switch::new(world, &[])?;
        let mut host = |name, lines: &str| host(world, &switch, name, lines);
        let site = Site {
            director: host(
                "director",
                "addr add 10.0.0.1/24 dev eth0\naddr add 172.16.0.1/24 dev eth0\n",
            )?,
            client: host("client", "addr add 10.0.0.2/24 dev eth0\n")?,
            web1: host(
                "web1",
                "addr add 172.16.0.2/24 dev eth0\nroute add default via 172.16.0.1\n",
            )?,
            web2: host(
                "web2",
                "addr add 172.16.0.3/24 dev eth0\nroute add default via 172.16.0.1\n",
            )?,
            _switch: switch,
        };
        network::set(&site.director, &[("ipv4/ip_forward", "1")])?;
        Ok(site)
    }
}

/// A new host at a switch, with more lines for `ip` to set up its device.
pub fn host(world: &mut World, switch: &Switch, name: &str, lines: &str) -> Result<Namespace> {
    let host = world.namespace(name)?;
    switch.plug(name)?;
    network::ip(&host, &format!("link set eth0 up\n{lines}"))?;
    Ok(host)
}

/// A web server on port 80 of every address; its only page is its name.
pub struct WebServer<'a> {
    host: &'a Namespace,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<'a> WebServer<'a> {
    pub fn start(host: &'a Namespace, name: &'static str) -> Result<Self> {
        host.enter()?;
        let listener = TcpListener::bind("0.0.0.0:80")?;
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stop = is_stopped.clone();
        let thread = thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let _ = answer(connection, name);
            }
        });
        Ok(WebServer {
            host,
            is_stopped,
            thread: Some(thread),
        })
    }

    fn end(&mut self) -> Result<()> {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.host.enter()?;
        TcpStream::connect("127.0.0.1:80")?;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        Ok(())
    }
}

impl Drop for WebServer<'_> {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn answer(mut connection: TcpStream, name: &str) -> Result<()> {
    connection.set_read_timeout(Some(ANSWER_LIMIT))?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 512];
        let length = connection.read(&mut bytes)?;
        ensure!(length > 0, "no whole request");
        request.extend(&bytes[..length]);
    }
    let length = name.len();
    write!(
        connection,
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{name}"
    )?;
    Ok(())
}

/// The outcome of a request.
pub struct Answer {
    /// The name of the server.
    pub name: String,
    /// The address that the request came from.
    pub client: SocketAddr,
}

/// Sends a request from a host to an address.
pub fn ask(host: &Namespace, address: &str) -> Result<Answer> {
    host.enter()?;
    let address: SocketAddr = address.parse()?;
    let mut connection = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    connection.set_read_timeout(Some(ANSWER_LIMIT))?;
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (_, name) = answer.split_once("\r\n\r\n").context("no page")?;
    Ok(Answer {
        name: name.to_owned(),
        client: connection.local_addr()?,
    })
}

/// The listing of a director, the same by the reference and ours.
pub fn list(world: &mut World, director: &Namespace, words: &[&str]) -> Result<String> {
    let program = |side| Program::ipvsadm(side).args(words);
    let [theirs, ours] = pair::list_at_rest(|side: Side| director.run(&program(side)))?;
    same("the reference", &theirs, "ours", &ours)?;
    world.comparisons += 1;
    Ok(String::from_utf8(ours.success()?)?)
}

/// An error unless a director lists these services and servers, compared by the words before the
/// counters.
pub fn expect_table(world: &mut World, director: &Namespace, expected: &[&str]) -> Result<()> {
    let text = list(world, director, &["-Ln"])?;
    let lines = text.lines().skip(3);
    let lines: Vec<String> = lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let settings = if words[0] == "->" {
                &words[..4]
            } else {
                &words
            };
            settings.join(" ")
        })
        .collect();
    ensure!(
        lines == expected,
        "instead of {expected:#?} there is\n{text}"
    );
    Ok(())
}

/// Does something while a program runs; an error includes the program's output.
pub fn beside<T>(mut program: Running, attempt: impl FnOnce() -> Result<T>) -> Result<T> {
    let outcome = attempt();
    let wrote = program.kill()?;
    outcome.with_context(|| format!("the program wrote:\n{wrote}"))
}
