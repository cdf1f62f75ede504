"""A child without the network talks to itself at most, and knows who runs it."""

import json
import os
import socket
import subprocess
import sys

import pytest

from inland.adapters.isolation.shut_in import KERNEL, NONE, without_files

_CHILD = """
import ctypes, json, os, socket, sys
from inland.adapters.isolation.network import leave_network, loopback_up
"loaded while it can be".encode("idna")
if sys.argv[3] == "another":
    os.setgroups([])
    os.setgid(12345)
    os.setuid(12345)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: as after an exec by that user
own = [os.geteuid(), os.getegid()]
leave_network()
if sys.argv[2] == "up":
    loopback_up()
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
def itself():
    with socket.create_server(("127.0.0.1", 0)) as door:
        socket.create_connection(door.getsockname(), timeout=5).close()
def outside():
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5).close()
names = [name for _, name in socket.if_nameindex()]
who = [os.geteuid(), os.getegid()] == own
print(json.dumps({"itself": tried(itself), "outside": tried(outside), "who": who, "names": names}))
"""


@pytest.mark.parametrize("loopback", ["up", "down"])
@pytest.mark.parametrize("user", ["ours", *["another"] * (os.geteuid() == 0)])
def test_it_reaches_itself_where_it_is_to_and_nothing_else(user: str, loopback: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = str(door.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, port, loopback, user],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    told = json.loads(done.stdout)
    assert (told["itself"] == "done") is (loopback == "up")
    assert told["outside"] != "done"
    assert told["who"], "it is nobody"
    assert told["names"] == ["lo"]


def test_what_is_left_without_files_is_the_network_or_nothing() -> None:
    assert without_files(KERNEL) == "network-namespace+seccomp"
    assert without_files(NONE) == NONE
