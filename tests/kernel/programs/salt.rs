//! Salt's module for IPVS, which runs `ipvsadm` for each of its functions.

use anyhow::{Result, ensure};

use super::debian::Debian;
use crate::lab::world::World;

const CALLS: &str = include_str!("salt.py");

/// What the functions return, and the table between the calls.
const EXPECTED: &str = "\
add_service rr -> True
add_service rr -> Service already exists
edit_service wrr -> True
check_service -> True
check_service wrr -> True
check_service rr -> Error: service not exists
add_server 10.0.0.2:80 nat 3 -> True
add_server 10.0.0.3:80 -> True
add_server 10.0.0.4:80 tunnel 5 -> True
add_server 10.0.0.4:80 -> Destination already exists
edit_server 10.0.0.3:80 dr 7 -> True
check_server 10.0.0.2:80 -> True
check_server 10.0.0.2:80 nat 3 -> True
check_server 10.0.0.2:80 dr 3 -> Error: server not exists
| -A -t 10.0.0.1:80 -s wrr
| -a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 3
| -a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 7
| -a -t 10.0.0.1:80 -r 10.0.0.4:80 -i -w 5 --tun-type ipip
| Prot LocalAddress:Port Scheduler Flags
|   -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
| TCP  10.0.0.1:80 wrr
|   -> 10.0.0.2:80                  Masq    3      0          0
|   -> 10.0.0.3:80                  Route   7      0          0
|   -> 10.0.0.4:80                  Tunnel  5      0          0
zero -> True
delete_server 10.0.0.4:80 -> True
delete_server 10.0.0.4:80 -> No such destination
check_server 10.0.0.4:80 -> Error: server not exists
| Prot LocalAddress:Port Scheduler Flags
|   -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
| TCP  10.0.0.1:80 wrr
|   -> 10.0.0.2:80                  Masq    3      0          0
|   -> 10.0.0.3:80                  Route   7      0          0
delete_service -> True
delete_service -> No such service
add_service -> True
clear -> True
";

pub fn every_function(world: &mut World) -> Result<()> {
    let debian = Debian::new("director")?;
    let director = world.namespace("director")?;
    let python = debian.program("python3").args(["-"]).stdin(CALLS);
    let output = director.run(&python)?.success()?;
    let output = String::from_utf8(output)?;
    ensure!(
        output == EXPECTED,
        "there came\n{output}instead of\n{EXPECTED}"
    );
    Ok(())
}
