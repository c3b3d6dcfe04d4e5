//! The listing of connections.

use std::io;
use std::net::SocketAddr;

use crate::model::terms::Vocabulary;
use crate::model::{Connection, Protocol};
use crate::names::Names;
use crate::render::Out;
use crate::render::endpoint::{Cut, endpoint};

pub fn titles(out: &mut Out, engines: bool) -> io::Result<()> {
    out.text("IPVS connection entries").end_row()?;
    out.text("pro expire state       source             virtual            destination");
    if engines {
        out.text("        pe name          pe_data");
    }
    out.end_row()
}

pub fn entry(
    out: &mut Out,
    names: &mut Names,
    engines: bool,
    connection: &Connection,
) -> io::Result<()> {
    out.left(connection.protocol, 3).text(" ");
    let mark = out.mark();
    two_digits(out, connection.expires / 60);
    out.text(":");
    two_digits(out, connection.expires % 60);
    out.pad(mark, 6).text(" ");
    out.left(connection.state, 11).text(" ");

    let protocol = Protocol::from_title(connection.protocol);
    let mut column = |out: &mut Out, address: SocketAddr, width| {
        let mark = out.mark();
        let (ip, port) = (address.ip(), address.port());
        endpoint(out, names, ip, port, protocol, Cut::AsOriginal);
        out.pad(mark, width);
    };
    column(out, connection.client, 18);
    out.text(" ");
    column(out, connection.virtual_service, 18);
    out.text(" ");
    match connection.engine.filter(|_| engines) {
        Some((name, data)) => {
            column(out, connection.server, 16);
            out.text(" ").left(name, 18).text(" ").text(data);
        }
        None => column(out, connection.server, 0),
    }
    out.end_row()
}

fn two_digits(out: &mut Out, number: u32) {
    if number < 10 {
        out.text("0");
    }
    out.number(number);
}
