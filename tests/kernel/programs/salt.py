"""Calls every function of Salt's module for IPVS and prints what comes back."""

import shlex
import subprocess
import sys

sys.path.insert(0, "/opt/python")
from salt.modules import lvs


def run_all(command, **_):
    """What Salt gives its modules to run commands with."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True)
    return {
        "retcode": done.returncode,
        "stdout": done.stdout.rstrip("\n"),
        "stderr": done.stderr.rstrip("\n"),
    }


lvs.__salt__ = {
    "cmd.run_all": run_all,
    "cmd.run": lambda command, **_: run_all(command)["stdout"],
}

WEB = {"protocol": "tcp", "service_address": "10.0.0.1:80"}


def call(name, **arguments):
    print(name, *arguments.values(), "->", getattr(lvs, name)(**WEB, **arguments))


def of_server(name, number, **arguments):
    call(name, server_address=f"10.0.0.{number}:80", **arguments)


def show(text):
    for line in text.splitlines():
        print("|", line.rstrip())


call("add_service", scheduler="rr")
call("add_service", scheduler="rr")
call("edit_service", scheduler="wrr")
call("check_service")
call("check_service", scheduler="wrr")
call("check_service", scheduler="rr")
of_server("add_server", 2, packet_forward_method="nat", weight=3)
of_server("add_server", 3)
of_server("add_server", 4, packet_forward_method="tunnel", weight=5)
of_server("add_server", 4)
of_server("edit_server", 3, packet_forward_method="dr", weight=7)
of_server("check_server", 2)
of_server("check_server", 2, packet_forward_method="nat", weight=3)
of_server("check_server", 2, packet_forward_method="dr", weight=3)
show(lvs.get_rules())
show(lvs.list_(**WEB))
call("zero")
of_server("delete_server", 4)
of_server("delete_server", 4)
of_server("check_server", 4)
show(lvs.list_().partition("\n")[2])
call("delete_service")
call("delete_service")
call("add_service")
print("clear ->", lvs.clear())
show(lvs.get_rules())
