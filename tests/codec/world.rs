//! A kernel with a table that other programs change while it is listed.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipvsadm::kernel::{Client, Inbox, Room, Transport};
use ipvsadm::model::*;

use crate::heard;
use crate::said::{self, narrow, numbers, wide};
use crate::script::FAMILY;
use crate::shared::Shared;
use crate::wire;

/// Requests an acknowledgement.
const ACK: u16 = 4;

pub type Table = Vec<Entry>;

/// Called after each part of a list that the kernel sends.
pub type Other = Box<dyn FnMut(&mut Table) + Send>;

pub type Between = Box<dyn FnMut(&mut World, Option<i32>) + Send>;

#[derive(Default)]
pub struct World {
    pub table: Table,
    pub daemons: Vec<Daemon>,
    pub timeouts: Timeouts,
    /// The number of items in a datagram.
    pub chunk: usize,
    /// Whether the old options are available.
    pub old_options: bool,
    /// Whether the use count of the module is available.
    pub uses: bool,
    pub other: Option<Other>,
    /// Called after each read of the number of services, with its option, or `None` for the use
    /// count of the module.
    pub between: Option<Between>,
    pub list: Option<List>,
    pub waiting: VecDeque<Vec<u8>>,
    /// The number of lists requested.
    pub lists: usize,
    /// The number of queries about single objects, by netlink or old options.
    pub questions: usize,
}

/// A list that is being sent.
pub struct List {
    sequence: u32,
    of: Of,
    told: usize,
}

/// The kind of a list.
enum Of {
    Services,
    Servers(ServiceId),
    Daemons,
}

/// A client of this world, and the world.
pub fn visit(world: World) -> (Client, Shared<World>) {
    let world = Shared::new(world);
    let client = Client::over(Box::new(Visitor(world.clone()))).unwrap();
    world.lock().questions = 0;
    (client, world)
}

/// A connection to a world.
pub struct Visitor(pub Shared<World>);

impl World {
    fn find(&self, id: &ServiceId) -> Option<&Entry> {
        let mut table = self.table.iter();
        table.find(|entry| entry.service.service.id == *id)
    }

    fn hear(&mut self, request: &wire::Request) {
        let sequence = request.sequence;
        let is_list = request.flags & 0x300 == 0x300;
        let id = request
            .attributes
            .get(&1)
            .map(|nest| heard::id(&wire::inside(nest)));
        match (request.family, request.command) {
            (16, 3) => {
                self.waiting
                    .push_back(wire::data(sequence, 1, [wire::attribute(1, FAMILY)]))
            }
            (_, 15) => self.waiting.push_back(wire::info(sequence)),
            (_, 4 | 8 | 11) if is_list => {
                self.lists += 1;
                let of = match (request.command, id) {
                    (11, _) => Of::Daemons,
                    (_, Some(id)) => Of::Servers(id),
                    (_, None) => Of::Services,
                };
                self.list = Some(List {
                    sequence,
                    of,
                    told: 0,
                });
                self.tell();
            }
            (_, 4) => {
                self.questions += 1;
                let answer = match id.and_then(|id| self.find(&id)) {
                    Some(entry) => service(sequence, &entry.service.service, wire::data),
                    None => wire::verdict(sequence, libc::ESRCH),
                };
                self.waiting.push_back(answer);
            }
            (_, 13) => {
                let Timeouts { tcp, tcp_fin, udp } = self.timeouts;
                let timeouts = [(4, tcp), (5, tcp_fin), (6, udp)];
                let timeouts = timeouts.map(|(kind, timeout)| wire::attribute(kind, timeout));
                self.waiting.push_back(wire::data(sequence, 12, timeouts));
            }
            _ => {
                let verdict = self.change(request).err().unwrap_or(0);
                if verdict != 0 || request.flags & ACK != 0 {
                    self.waiting.push_back(wire::verdict(sequence, verdict));
                }
            }
        }
    }

    /// Makes a change, or refuses it with an error number.
    fn change(&mut self, request: &wire::Request) -> Result<(), i32> {
        let nest = |kind| wire::inside(&request.attributes[&kind]);
        let key = request.attributes.get(&1).map(|key| wire::inside(key));
        let id = key.as_ref().map(heard::id);
        let at = |entry: &Entry| Some(entry.service.service.id) == id;
        let place = self.table.iter().position(at).ok_or(libc::ESRCH);
        match request.command {
            1 | 2 => {
                let service = heard::service(&nest(1));
                match (request.command, place) {
                    (1, Ok(_)) => return Err(libc::EEXIST),
                    (1, Err(_)) => self.table.push(Entry {
                        service: ServiceState {
                            service,
                            stats: wide(),
                        },
                        servers: Vec::new(),
                    }),
                    (_, place) => self.table[place?].service.service = service,
                }
            }
            3 => drop(self.table.remove(place?)),
            5..=7 => {
                let servers = &mut self.table[place?].servers;
                let id = heard::server_id(&nest(2));
                let place = servers.iter().position(|state| state.server.id == id);
                let place = place.ok_or(libc::ENOENT);
                match (request.command, place) {
                    (5, Ok(_)) => return Err(libc::EEXIST),
                    (5, Err(_)) => servers.push(state(heard::server(&nest(2)))),
                    (6, place) => servers[place?].server = heard::server(&nest(2)),
                    (_, place) => drop(servers.remove(place?)),
                }
            }
            9 | 10 => {
                let role = heard::role(&nest(3));
                let place = self.daemons.iter().position(|daemon| daemon.role == role);
                match (request.command, place) {
                    (9, Some(_)) => return Err(libc::EEXIST),
                    (9, None) => self.daemons.push(heard::daemon(&nest(3))),
                    (_, place) => drop(self.daemons.remove(place.ok_or(libc::ESRCH)?)),
                }
            }
            12 => self.timeouts = heard::timeouts(&request.attributes, self.timeouts),
            // Counters are always the same.
            16 if key.is_some() => drop(place?),
            16 => {}
            17 => self.table.clear(),
            _ => panic!("{request:?}"),
        }
        Ok(())
    }

    /// Sends the next part of a list, continuing by index, as the kernel does.
    fn tell(&mut self) {
        let Some(list) = &mut self.list else {
            return;
        };
        let sequence = list.sequence;
        let (chunk, told) = (self.chunk, list.told);
        let items: Vec<Vec<u8>> = match list.of {
            Of::Services => {
                let services = self.table.iter().skip(told).take(chunk);
                let services = services.map(|entry| &entry.service.service);
                services
                    .map(|one| service(sequence, one, wire::item))
                    .collect()
            }
            Of::Servers(id) => {
                let mut table = self.table.iter();
                let entry = table.find(|entry| entry.service.service.id == id);
                let servers = entry.into_iter().flat_map(|entry| &entry.servers);
                let servers = servers.skip(told).take(chunk).map(said::server);
                let item = |server| wire::item(sequence, 5, [wire::nest(2, server)]);
                servers.map(item).collect()
            }
            Of::Daemons => {
                let daemons = self.daemons.iter().skip(told).take(chunk).map(said::daemon);
                let item = |daemon| wire::item(sequence, 9, [wire::nest(3, daemon)]);
                daemons.map(item).collect()
            }
        };
        list.told += items.len();
        self.waiting.push_back(if items.is_empty() {
            self.list = None;
            wire::done(sequence)
        } else {
            items.concat()
        });
        if let Some(other) = &mut self.other {
            other(&mut self.table);
        }
    }

    fn pass(&mut self, option: Option<i32>) {
        if let Some(mut between) = self.between.take() {
            between(self, option);
            self.between = Some(between);
        }
    }

    fn old_answer(&mut self, option: i32, value: &[u8]) -> io::Result<Vec<u8>> {
        let is_ipv4 = |entry: &&Entry| entry.service.service.id.family() == Family::V4;
        let ipv4 = self.table.iter().filter(is_ipv4);
        let mut ipv4 = ipv4.map(|entry| (said::old_key(entry.service.service.id), entry));
        let old_service =
            |entry: &Entry| said::old_service_entry(&entry.service.service, entry.servers.len());
        let mut asked = || -> io::Result<&Entry> {
            let found = ipv4.find(|(key, _)| value.starts_with(key));
            let missing = || io::Error::from_raw_os_error(libc::ESRCH);
            Ok(found.ok_or_else(missing)?.1)
        };
        match option {
            1153 => Ok(numbers([0x01_02_01, 4096, ipv4.count() as u32])),
            1154 => Ok([
                vec![0; 8],
                ipv4.flat_map(|(_, entry)| old_service(entry)).collect(),
            ]
            .concat()),
            1155 => {
                self.questions += 1;
                Ok(old_service(asked()?))
            }
            1156 => {
                self.questions += 1;
                let servers = asked()?.servers.iter();
                let servers = servers.filter(|state| state.server.id.family() == Family::V4);
                Ok([
                    vec![0; 24],
                    servers.flat_map(said::old_server_entry).collect(),
                ]
                .concat())
            }
            1159 => {
                let mut daemons: Vec<u8> = self.daemons.iter().flat_map(said::old_daemon).collect();
                daemons.resize(48, 0);
                Ok(daemons)
            }
            _ => panic!("option {option}"),
        }
    }
}

fn service(
    sequence: u32,
    service: &Service,
    message: fn(u32, u8, [wire::Attr; 1]) -> Vec<u8>,
) -> Vec<u8> {
    message(sequence, 1, [wire::nest(1, said::service(service))])
}

impl Transport for Visitor {
    fn send(&mut self, messages: &[u8]) -> io::Result<()> {
        for request in wire::requests(messages) {
            self.0.lock().hear(&request);
        }
        Ok(())
    }

    fn receive(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        let mut world = self.0.lock();
        let datagram = world.waiting.pop_front();
        let datagram = datagram.ok_or(io::Error::from_raw_os_error(libc::EAGAIN))?;
        inbox.empty_slots()[0][..datagram.len()].copy_from_slice(&datagram);
        inbox.filled(datagram.len(), 0);
        world.tell();
        Ok(())
    }

    fn enlarge(&mut self) -> io::Result<Room> {
        Ok(Room {
            send: 212_992,
            receive: 8 << 20,
        })
    }

    fn get_option(&mut self, option: i32, value: &mut [u8]) -> io::Result<()> {
        let mut world = self.0.lock();
        if !world.old_options {
            return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
        }
        let answer = world.old_answer(option, value)?;
        let length = answer.len().min(value.len());
        value[..length].copy_from_slice(&answer[..length]);
        world.pass(Some(option));
        Ok(())
    }

    fn set_option(&mut self, _: i32, _: &[u8]) -> io::Result<()> {
        unimplemented!()
    }

    fn uses(&mut self) -> Option<usize> {
        let mut world = self.0.lock();
        let uses = world.table.len() + world.daemons.len();
        world.pass(None);
        world.uses.then_some(uses)
    }

    fn proc(&self) -> &'static str {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/codec/proc")
    }
}

/// An ordinary service with this many servers.
pub fn entry(address: IpAddr, servers: u32) -> Entry {
    let service = Service::tcp((address, 80).into());
    Entry {
        service: ServiceState {
            service,
            stats: wide(),
        },
        servers: (1..=servers).map(server).collect(),
    }
}

pub fn server(number: u32) -> ServerState {
    state(Server {
        forwarding: Forwarding::Masquerade,
        ..Server::new((Ipv4Addr::from_bits(0x0b00_0000 + number), 80))
    })
}

/// An ordinary server with connections.
fn state(server: Server) -> ServerState {
    ServerState {
        server,
        active: 1,
        inactive: 2,
        persistent: 3,
        stats: wide(),
    }
}

/// The parts that a brief listing shows.
pub fn brief(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    entry.service.stats = narrow();
    for state in &mut entry.servers {
        state.stats = narrow();
    }
    entry
}

pub fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

pub fn v6(number: u32) -> IpAddr {
    Ipv6Addr::from_bits((0xfd_u128 << 120) + u128::from(number)).into()
}
