"""Having a stranger's weights inspected by a child, and believing only the form of what it says."""

import os
import selectors
import subprocess
import sys
import time
from contextlib import suppress

import msgspec

from inland.adapters.weights.formats.window import Refused
from inland.adapters.weights.opened import Opened

INSPECT_S = 300.0
_SAID_BYTES = 64 * 1024
#: A home, though it is none: without one Python asks whoever serves names on this machine for it.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/"}


class Inspected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of weights is and says of itself. `isolation`: what held the child in. `role`:
    `model` or `adapter`, of a GGUF that says so."""

    kind: str
    tensors: int
    parameters: int
    licence: str = ""
    name: str = ""
    architecture: str = ""
    isolation: str = ""
    role: str = ""


class _No(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    refused: str


def inspect(file: Opened, isolation: str) -> Inspected:
    """What the file is. Raises Refused with the reason, which may be the child's death."""
    argv = [sys.executable, "-P", "-m", "inland.adapters.weights.inspector"]
    argv += [str(file.descriptor), str(file.size), isolation]
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(file.descriptor,),
        env=_ENVIRONMENT | {"PYTHONPATH": ":".join(filter(None, sys.path))},
        cwd="/",
    ) as child:
        try:
            said = _said(child, time.monotonic() + INSPECT_S)
        finally:
            child.kill()  # it has said all, or was to say no more
    found = _parsed(said) if child.returncode == 0 else None
    if found is None:
        raise Refused(f"could not be inspected: the child that read it ended ({child.returncode})")
    if isinstance(found, _No):
        raise Refused(found.refused)
    return msgspec.structs.replace(found, isolation=isolation)


def _said(child: "subprocess.Popen[bytes]", until_s: float) -> bytes:
    """All that the child says until it ends. Raises Refused: it says too much, or takes too long.

    It is held to be taken over: what it says is kept nowhere beyond the bound.
    """
    assert child.stdout is not None
    said = bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ)
        while waiting.select(max(0.0, until_s - time.monotonic())):
            more = os.read(child.stdout.fileno(), _SAID_BYTES)
            if not more:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(max(0.0, until_s - time.monotonic()))
                    return bytes(said)
                break
            said += more
            if len(said) > _SAID_BYTES:
                raise Refused(
                    f"could not be inspected: the child said more than {_SAID_BYTES} bytes"
                )
    raise Refused(f"could not be inspected within {INSPECT_S:.0f} s")


def _parsed(data: bytes) -> Inspected | _No | None:
    try:
        return msgspec.json.decode(data, type=_No)
    except msgspec.MsgspecError:
        pass
    try:
        return msgspec.json.decode(data, type=Inspected)
    except msgspec.MsgspecError:
        return None
