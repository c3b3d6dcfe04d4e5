//! Which service a line is about.

use super::ON_A_SERVICE;
use crate::cli::commands::Verb;
use crate::cli::complete::Completes;
use crate::cli::slots::Slot;
use crate::cli::spec::{Form, Group, OPTION, OptionSpec, Value};
use crate::model::{Family, Protocol, ServiceId};

pub const GROUP: Group = Group {
    name: "SERVICE",
    options: OPTIONS,
};

pub const SERVICE_ADDRESS: Slot = Slot::new(2, "service-address");

/// What every option that names a service has in common.
const SERVICE: OptionSpec = OptionSpec {
    slot: SERVICE_ADDRESS,
    must: ON_A_SERVICE,
    may: &[Verb::Zero, Verb::Drain, Verb::Doctor],
    one_of: &[Verb::List],
    ..OPTION
};

const fn address(protocol: Protocol) -> Value {
    Value::Required(Form {
        name: "host:port",
        allowed: "host:port, as in 192.0.2.1:80 or [2001:db8::1]:80",
        completes: Completes::Services(Some(protocol)),
    })
}

const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        short: Some(b't'),
        long: "tcp-service",
        value: address(Protocol::TCP),
        take: |line, text| line.address_service(Protocol::TCP, text.unwrap_or_default()),
        help: "a TCP service",
        manual: "\
            The TCP service at this address and port. Both may be names. Write IPv6 addresses in \
            brackets: [2001:db8::1]:80. Port 0, or no port, means every port and needs \
            --persistent. With --list: lists only this service, or with -c its connections; port 0 \
            then means every port without a service of its own.",
        ..SERVICE
    },
    OptionSpec {
        short: Some(b'u'),
        long: "udp-service",
        value: address(Protocol::UDP),
        take: |line, text| line.address_service(Protocol::UDP, text.unwrap_or_default()),
        help: "a UDP service",
        manual: "The UDP service at this address and port.",
        ..SERVICE
    },
    OptionSpec {
        long: "sctp-service",
        value: address(Protocol::SCTP),
        take: |line, text| line.address_service(Protocol::SCTP, text.unwrap_or_default()),
        help: "an SCTP service",
        manual: "The SCTP service at this address and port.",
        ..SERVICE
    },
    OptionSpec {
        short: Some(b'f'),
        long: "fwmark-service",
        value: Value::Required(Form {
            name: "mark",
            allowed: "a number from 1 to 4294967295, decimal or with 0x",
            completes: Completes::Services(None),
        }),
        take: |line, text| line.mark_service(text.unwrap_or_default()),
        help: "the packets with a firewall mark",
        manual: "\
            The service that takes every packet with this firewall mark, from 1 to 4294967295, \
            decimal or with 0x. See FIREWALL MARKS. With --list -c: lists the clients that \
            persistence remembers for the mark; the kernel does not show the mark of other \
            connections.",
        ..SERVICE
    },
    OptionSpec {
        short: Some(b'6'),
        long: "ipv6",
        slot: Slot::new(35, "ipv6"),
        is_free: true,
        may: &[
            Verb::AddService,
            Verb::EditService,
            Verb::DeleteService,
            Verb::AddServer,
            Verb::EditServer,
            Verb::DeleteServer,
            Verb::Zero,
            Verb::List,
            Verb::Drain,
            Verb::Doctor,
        ],
        take: |line, _| line.ipv6(),
        is_useful: |line| {
            matches!(
                line.service,
                Some(ServiceId::Mark {
                    family: Family::V4,
                    ..
                })
            )
        },
        help: "the mark is for IPv6 packets",
        manual: "The firewall mark is for IPv6 packets.",
        ..OPTION
    },
];
