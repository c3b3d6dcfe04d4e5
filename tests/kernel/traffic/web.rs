//! Real servers, each a thread: the answer names the server and the client it sees.

use std::io::{self, Read, Write};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket,
};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use anyhow::{Context, Result};

use super::ask::Answer;
use crate::lab::sys::{self, Event};
use crate::lab::world::Namespace;

/// The ports that servers listen on.
const TCP_PORTS: [u16; 3] = [80, 443, 8080];
const UDP_PORTS: [u16; 2] = [53, 5060];
const SCTP_PORTS: [u16; 1] = [80];

/// Servers that run until this is dropped.
pub struct Open {
    door: UnixStream,
    closed: UnixStream,
}

impl Open {
    pub fn new() -> io::Result<Self> {
        let (door, closed) = UnixStream::pair()?;
        Ok(Open { door, closed })
    }

    /// Opens a TCP server in a namespace.
    pub fn serve_tcp(&self, name: &str, namespace: &Namespace) -> Result<()> {
        namespace.enter()?;
        let everywhere = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let tcp = TCP_PORTS.map(|port| TcpListener::bind(everywhere(port)));
        self.start(name, tcp, [])
    }

    /// Opens a UDP server in a namespace, which replies from the address of the request.
    pub fn serve_udp(&self, name: &str, namespace: &Namespace, address: IpAddr) -> Result<()> {
        namespace.enter()?;
        let udp = UDP_PORTS.map(|port| UdpSocket::bind((address, port)));
        self.start(name, [], udp)
    }

    /// Opens an SCTP server in a namespace.
    pub fn serve_sctp(&self, name: &str, namespace: &Namespace) -> Result<()> {
        namespace.enter()?;
        // An association lists all addresses of an endpoint, but NAT translates only one.
        let ipv4 = |port| (Ipv4Addr::UNSPECIFIED, port).into();
        let sctp = SCTP_PORTS.map(|port| sys::listen(libc::IPPROTO_SCTP, ipv4(port)));
        self.start(name, sctp, [])
    }

    fn start(
        &self,
        name: &str,
        listeners: impl IntoIterator<Item = io::Result<TcpListener>>,
        datagrams: impl IntoIterator<Item = io::Result<UdpSocket>>,
    ) -> Result<()> {
        let listeners = listeners.into_iter().collect::<io::Result<_>>();
        let datagrams = datagrams.into_iter().collect::<io::Result<_>>();
        let server = Server {
            name: name.to_owned(),
            closed: self.closed.try_clone()?,
            listeners: listeners.context("listening")?,
            datagrams: datagrams.context("opening UDP")?,
            connections: Vec::new(),
        };
        thread::spawn(move || server.serve());
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.door.shutdown(Shutdown::Both);
    }
}

struct Server {
    name: String,
    closed: UnixStream,
    listeners: Vec<TcpListener>,
    datagrams: Vec<UdpSocket>,
    /// They stay open until the client closes them.
    connections: Vec<TcpStream>,
}

impl Server {
    /// Answers until told to stop.
    fn serve(mut self) -> io::Result<()> {
        loop {
            let (listeners, datagrams) = (self.listeners.len(), self.datagrams.len());
            match self.next_event()? {
                0 => return Ok(()),
                event if event <= listeners => self.accept(event - 1),
                event if event <= listeners + datagrams => self.reply(event - listeners - 1),
                event => self.listen(event - listeners - datagrams - 1),
            }
        }
    }

    /// Waits for the door, the listeners, the datagrams and the connections, in this order.
    fn next_event(&self) -> io::Result<usize> {
        let sockets = self.listeners.iter().map(AsFd::as_fd);
        let sockets = sockets.chain(self.datagrams.iter().map(AsFd::as_fd));
        let sockets = sockets.chain(self.connections.iter().map(AsFd::as_fd));
        let mut wanted = vec![(self.closed.as_fd(), Event::HungUp)];
        wanted.extend(sockets.map(|socket| (socket, Event::Readable)));
        Ok(sys::wait_first(&wanted, None)?.unwrap_or(0))
    }

    // A client that disconnects meanwhile is not an error of the server.

    fn accept(&mut self, index: usize) {
        let Ok((mut connection, client)) = self.listeners[index].accept() else {
            return;
        };
        if let Ok(here) = connection.local_addr() {
            let _ = connection.write_all(self.greeting(client, here).as_bytes());
            self.connections.push(connection);
        }
    }

    fn reply(&mut self, index: usize) {
        let socket = &self.datagrams[index];
        let asked = socket.recv_from(&mut [0; 2048]);
        if let (Ok((_, client)), Ok(here)) = (asked, socket.local_addr()) {
            let _ = socket.send_to(self.greeting(client, here).as_bytes(), client);
        }
    }

    fn listen(&mut self, index: usize) {
        let said = self.connections[index].read(&mut [0; 65536]);
        if let Ok(0) | Err(_) = said {
            self.connections.swap_remove(index);
        }
    }

    fn greeting(&self, client: SocketAddr, here: SocketAddr) -> String {
        let plain = |address: SocketAddr| (address.ip().to_canonical(), address.port()).into();
        let answer = Answer {
            server: self.name.clone(),
            client: plain(client),
            here: plain(here),
        };
        answer.to_string()
    }
}
