//! Files of rules: read, run, and the result saved and read again.

use anyhow::Result;
use ipvsadm::command::Command;
use ipvsadm::model::{Change, Entry, Name, ServerState, ServiceId, ServiceState, Stats};
use ipvsadm::names::Names;
use ipvsadm::render::{Out, save};
use ipvsadm::rules;

use crate::drive::{Reader, Surface};
use crate::mill::{self, Mill};

pub const SURFACE: Surface = Surface {
    name: "rules",
    quick: 10_000,
    mill,
    open,
};

pub fn mill() -> Mill {
    let pieces = mill::pieces(&[
        "\n",
        "\n-A -t 10.0.0.1:80",
        "\n-a -t 10.0.0.1:80 -r 10.1.0.1",
        "\n-A -f 7",
        " -6",
        " -p",
        " -p 60",
        " -M 255.255.240.0",
        " -M 64",
        " -s sh",
        " -b sh-port,flag-3",
        " -b flag-1",
        " -o",
        " --pe sip",
        " -m",
        " -g",
        " -i",
        " -w 0",
        " -w 65535",
        " -x 9",
        " -y 3",
        " --tun-type gue",
        " --tun-type gre",
        " --tun-port 1",
        " --tun-csum",
        " --tun-remcsum",
        " --tun-nocsum",
        "\n-C",
        "\n-E -f 7 -s rr",
        "\n-Z",
        "\n-e -f 7 -r 10.1.0.1",
        "\n-D -f 7",
        "\n-d -f 7 -r 10.1.0.1",
        " ipvsadm",
        " #",
        "\r",
        "\t",
        "\0",
        "\n-h",
        "\n--set 1 2 3",
    ]);
    Mill::new(mill::texts(include_str!("corpus/rules")), pieces)
}

fn open() -> Result<Reader> {
    let mut names = Names::numeric();
    Ok(Box::new(move |text, _| {
        let entries = read(text, &names);
        let saved = saved(&entries, &mut names);
        for line in saved.split(|&byte| byte == b'\n') {
            if let Err(error) = rules::read(line, &names) {
                panic!("{:?} was saved: {error}", line.escape_ascii().to_string());
            }
        }
        let again = read(&saved, &names);
        assert_eq!(again.len(), entries.len());
        let saved_again = self::saved(&again, &mut names);
        assert_eq!(
            saved_again.escape_ascii().to_string(),
            saved.escape_ascii().to_string()
        );
    }))
}

/// The services and servers that a file adds, without what a kernel would refuse.
fn read(text: &[u8], names: &Names) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let command = match rules::read(line, names) {
            Ok(Some(command)) => command,
            Ok(None) => continue,
            Err(error) => {
                // It can be printed, and has a status other than success.
                error.message();
                assert_ne!(error.status(), 0);
                continue;
            }
        };
        match command {
            Command::Change(Change::AddService(service))
                if is_known(service.scheduler)
                    && service.engine.is_none_or(is_known)
                    && find(&mut entries, service.id).is_none() =>
            {
                let stats = Stats::default();
                entries.push(Entry {
                    service: ServiceState { service, stats },
                    servers: Vec::new(),
                });
            }
            Command::Change(Change::AddServer(id, server)) => {
                let is_same = |state: &ServerState| state.server.id == server.id;
                let entry = find(&mut entries, id);
                if let Some(entry) = entry.filter(|entry| !entry.servers.iter().any(is_same)) {
                    entry.servers.push(ServerState {
                        server,
                        active: 0,
                        inactive: 0,
                        persistent: 0,
                        stats: Stats::default(),
                    });
                }
            }
            // With deletions the table would differ from what the file adds.
            _ => {}
        }
    }
    entries
}

fn find(entries: &mut [Entry], id: ServiceId) -> Option<&mut Entry> {
    let mut entries = entries.iter_mut();
    entries.find(|entry| entry.service.service.id == id)
}

/// Valid module names. A name like `#` would start a comment, and has no module.
fn is_known<const N: usize>(name: Name<N>) -> bool {
    let bytes = name.as_bytes();
    bytes
        .iter()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        && bytes != b"ipvsadm"
}

fn saved(entries: &[Entry], names: &mut Names) -> Vec<u8> {
    let mut text = Vec::new();
    let mut out = Out::new(&mut text);
    let mut unsaid = Vec::new();
    for entry in entries {
        save::entry(&mut out, names, entry, &mut unsaid).expect("room in memory");
    }
    out.flush().expect("room in memory");
    assert!(unsaid.is_empty(), "commands can say what commands said");
    text
}
