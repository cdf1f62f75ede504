"""What the filter tells of is refused by then, requests that have the kernel load a module too."""

import errno
import json
import subprocess
import sys

import pytest

from inland.adapters.isolation.shut_in import KERNEL, available

#: A thread that is held to the filter, and another that answers its notes.
_HELD = """
import ctypes, fcntl, json, select, socket, sys, threading
from inland.adapters.silence import filter as calls
listener, ready, found = [], threading.Event(), []
def held():
    ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        listener.append(calls.install())
        ready.set()
        for request in map(int, sys.argv[1:]):
            try:
                fcntl.ioctl(one, request, bytearray(64))
                found.append(0)
            except OSError as error:
                found.append(error.errno)
thread = threading.Thread(target=held)
thread.start()
ready.wait()
told = []
while thread.is_alive():
    if select.select(listener, [], [], 0.05)[0] and (what := calls.answer(listener[0])):
        told.append(what)
print(json.dumps([found, told]))
"""
_FLAGS, _INDEX = 0x8913, 0x8933


def _held(*requests: int) -> tuple[list[int], list[str]]:
    """The error of each request, and what was told of them."""
    argv = [sys.executable, "-c", _HELD, *map(str, requests)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    found, told = json.loads(done.stdout)
    return found, told


@pytest.mark.skipif(available() != KERNEL, reason="this kernel has no filter of system calls")
def test_requests_that_load_a_module_are_refused_and_told() -> None:
    loading = [0x8940, 0x8941, 0x8980, 0x8981, 0x8982, 0x8983, 0x89A0, 0x89A1]
    found, told = _held(*loading)
    assert told == [f"ioctl-{request:x}" for request in loading]
    assert set(found) == {errno.EPERM}


@pytest.mark.skipif(available() != KERNEL, reason="this kernel has no filter of system calls")
def test_other_requests_are_nobodys_business() -> None:
    found, told = _held(_FLAGS, _INDEX, 0x8942, 0x89A2)
    assert told == []
    assert errno.EPERM not in found
