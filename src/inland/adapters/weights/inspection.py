"""Having a stranger's weights inspected by a child, and believing only the form of what it says."""

import subprocess
import sys

import msgspec

from inland.adapters.weights.formats.window import Refused
from inland.adapters.weights.opened import Opened

INSPECT_S = 300.0
_SAID_BYTES = 64 * 1024


class Inspected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of weights is and says of itself. `isolation`: what held the child in."""

    kind: str
    tensors: int
    parameters: int
    licence: str = ""
    name: str = ""
    architecture: str = ""
    isolation: str = ""


class _No(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    refused: str


def inspect(file: Opened, isolation: str) -> Inspected:
    """What the file is. Raises Refused with the reason, which may be the child's death."""
    argv = [sys.executable, "-P", "-m", "inland.adapters.weights.inspector"]
    argv += [str(file.descriptor), str(file.size), isolation]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(file.descriptor,),
            env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": "/usr/bin:/bin"},
            cwd="/",
            timeout=INSPECT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"could not be inspected within {INSPECT_S:.0f} s") from None
    found = _parsed(done.stdout[:_SAID_BYTES]) if done.returncode == 0 else None
    if found is None:
        raise Refused(f"could not be inspected: the child that read it ended ({done.returncode})")
    if isinstance(found, _No):
        raise Refused(found.refused)
    return msgspec.structs.replace(found, isolation=isolation)


def _parsed(data: bytes) -> Inspected | _No | None:
    try:
        return msgspec.json.decode(data, type=_No)
    except msgspec.MsgspecError:
        pass
    try:
        return msgspec.json.decode(data, type=Inspected)
    except msgspec.MsgspecError:
        return None
