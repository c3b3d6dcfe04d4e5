//! Tables as any program may have created them: what is saved and read again is the same, and
//! everything not saved is reported.

use ipvsadm::command::Command;
use ipvsadm::model::*;
use ipvsadm::names::Names;
use ipvsadm::render::{Out, save};
use ipvsadm::rules;
use proptest::prelude::*;

use crate::any;

fn entry() -> impl Strategy<Value = Entry> {
    let entry = any::service_id().prop_flat_map(|id| {
        (
            any::service(id),
            prop::collection::vec(any::server(id), 0..4),
        )
    });
    entry.prop_map(|(service, servers)| {
        let servers = servers.into_iter().map(|server| ServerState {
            server,
            active: 0,
            inactive: 0,
            persistent: 0,
            stats: Stats::default(),
        });
        let (stats, servers) = (Stats::default(), servers.collect());
        let service = ServiceState { service, stats };
        Entry { service, servers }
    })
}

proptest! {
    #![proptest_config(any::cases(5_000))]

    #[test]
    fn any_table_is_saved_or_named(entry in entry()) {
        let mut names = Names::numeric();
        let (mut text, mut unsaid) = (Vec::new(), Vec::new());
        let mut out = Out::new(&mut text);
        save::entry(&mut out, &mut names, &entry, &mut unsaid).unwrap();
        out.flush().unwrap();

        let service = entry.service.service;
        let servers = entry.servers.iter().map(|state| said_server(state.server));
        let changes = [Change::AddService(said_service(service))].into_iter();
        let changes = changes.chain(servers.map(|server| Change::AddServer(service.id, server)));
        let mut saved = text.split(|&byte| byte == b'\n').peekable();
        let mut unsaid = unsaid.iter().map(Vec::as_slice);
        let mut service_is_missing = false;
        for change in changes {
            let command = Command::Change(change);
            let is_said = |line: &[u8]| {
                matches!(rules::read(line, &names), Ok(Some(read)) if read == command)
            };
            if !service_is_missing && saved.next_if(|line| is_said(line)).is_some() {
                continue;
            }
            let line = unsaid.next();
            prop_assert!(line.is_some(), "{command:?} became {}", text.escape_ascii());
            prop_assert!(
                service_is_missing || !line.is_some_and(is_said),
                "{:?} says it",
                line.map(|line| line.escape_ascii().to_string())
            );
            // Without their service servers cannot be restored: they are all reported after it.
            service_is_missing |= matches!(change, Change::AddService(_));
        }
        prop_assert_eq!(saved.collect::<Vec<_>>(), [b""]);
        prop_assert_eq!(unsaid.next(), None);
    }
}

/// A service without settings that have no effect because a flag is missing.
fn said_service(service: Service) -> Service {
    let known = (Flags::ONE_PACKET | Flags::SCHEDULER).bits();
    Service {
        flags: Flags::from_bits(service.flags.bits() & known),
        mask: if service.persistence.is_some() {
            service.mask
        } else {
            Mask::whole(service.id.family())
        },
        ..service
    }
}

/// A server without settings that its kind of tunnel does not use.
fn said_server(mut server: Server) -> Server {
    if server.forwarding == Forwarding::Local {
        server.forwarding = Forwarding::DirectRouting;
    }
    let tunnel = server.tunnel;
    server.tunnel = match (server.forwarding, tunnel.kind) {
        (Forwarding::Tunnel, TunnelKind::Gre) => Tunnel { port: 0, ..tunnel },
        (Forwarding::Tunnel, TunnelKind::Gue | TunnelKind::Unknown(_)) => tunnel,
        _ => Tunnel::IPIP,
    };
    server
}
