"""No road is left beside networks to who is shut in: other sockets, and those of others here."""

import errno
import json
import platform
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from inland.adapters.isolation.shut_in import KERNEL, UNFILTERED, available, without_files
from inland.adapters.processes.protocol import spec_to
from inland.adapters.silence import filter as calls
from inland.domain.plant import EngineKind
from inland.ports.runner import EngineSpec

pytestmark = pytest.mark.skipif(
    available() != KERNEL, reason="this kernel has no filter of system calls, or less than that"
)

#: Tries each road, and says what it got: 0, or the error.
_TRIES = """
import ctypes, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def tried(what):
    try:
        what()
    except OSError as error:
        return error.errno
    return 0
def made(*kind):
    return lambda: socket.socket(*kind).close()
def called(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
def dialled():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(theirs)
def paired(kind):
    for one in socket.socketpair(socket.AF_UNIX, kind):
        one.close()
def itself():
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(own)
        door.listen()
def tell(theirs_, own_):
    global theirs, own
    theirs, own = theirs_, own_
    print(json.dumps({
        "vsock": tried(made(socket.AF_VSOCK, socket.SOCK_STREAM)),
        "packet": tried(made(socket.AF_PACKET, socket.SOCK_RAW)),
        "tipc": tried(lambda: socket.socketpair(30, socket.SOCK_RDM)),
        "crypto": tried(made(socket.AF_ALG, socket.SOCK_SEQPACKET)),
        "sctp": tried(made(socket.AF_INET, socket.SOCK_STREAM, 132)),
        "generic netlink": tried(made(socket.AF_NETLINK, socket.SOCK_RAW, 16)),
        "io_uring": tried(lambda: called(425, 1, ctypes.create_string_buffer(120))),
        "routes": tried(made(socket.AF_NETLINK, socket.SOCK_RAW, 0)),
        "tcp": tried(made(socket.AF_INET6, socket.SOCK_STREAM)),
        "udp": tried(made(socket.AF_INET, socket.SOCK_DGRAM)),
        "dial": tried(dialled),
        "datagram": tried(made(socket.AF_UNIX, socket.SOCK_DGRAM)),
        "pair of datagrams": tried(lambda: paired(socket.SOCK_DGRAM)),
        "pair": tried(lambda: paired(socket.SOCK_STREAM)),
        "serve": tried(itself),
    }), flush=True)
"""
_REFUSED = {
    "vsock": errno.EAFNOSUPPORT,
    "packet": errno.EAFNOSUPPORT,
    "tipc": errno.EAFNOSUPPORT,
    "crypto": errno.EAFNOSUPPORT,
    "sctp": errno.EPERM,
    "generic netlink": errno.EPROTONOSUPPORT,
    "io_uring": errno.EPERM,
}
_DIALLING = dict.fromkeys(("dial", "datagram", "pair of datagrams"), errno.EPERM)


def _refused(before: str, folder: Path, *words: str) -> dict[str, int]:
    """What a child that did `before` is refused, where somebody of its user listens."""
    own = folder / "own"
    own.mkdir()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "theirs"))
        door.listen()
        code = f"import sys\n{_TRIES}\n{before}\ntell(*sys.argv[1:3])"
        argv = [sys.executable, "-c", code, str(folder / "theirs"), str(own / "own"), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    told: dict[str, int] = json.loads(done.stdout)
    return {name: error for name, error in told.items() if error}


_SHUT_IN = """
from pathlib import Path
from inland.adapters.isolation.shut_in import shut_in
shut_in(sys.argv[3], (), Path(sys.argv[2]).parent)
"""


def test_who_is_shut_in_has_no_road_beside_networks_and_dials_nobody(tmp_path: Path) -> None:
    assert _refused(_SHUT_IN, tmp_path, KERNEL) == _REFUSED | _DIALLING


def test_where_the_kernel_has_no_filter_nothing_claims_one(tmp_path: Path) -> None:
    assert not _refused(_SHUT_IN, tmp_path, UNFILTERED).keys() & _DIALLING
    assert without_files(UNFILTERED) == "network-namespace"


def test_who_is_held_alone_dials_whom_it_likes(tmp_path: Path) -> None:
    held = "from inland.adapters.silence.filter import hold; hold()"
    assert _refused(held, tmp_path) == _REFUSED


def test_a_machine_whose_calls_are_not_known_has_no_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "sparc64")
    with pytest.raises(OSError, match="sparc64"):
        calls.hold()
    assert available() == UNFILTERED


_OTHER_CONVENTION = """
import ctypes, mmap
from inland.adapters.silence.filter import hold
hold()
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000cd80c3"))  # getpid, as i386 calls it
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it has no other convention of calls")
def test_calls_by_another_convention_end_who_is_held() -> None:
    done = subprocess.run([sys.executable, "-c", _OTHER_CONVENTION], timeout=300, check=False)
    assert done.returncode in {-signal.SIGSYS, -signal.SIGSEGV}, "a kernel without i386 faults it"


_VLLM = """#!{python}
import sys
{tries}
tell("{theirs}", "{own}")
"""
_SERVE = """
import json, sys
from inland.adapters.processes.protocol import spec_from
from inland.adapters.vllm.serve import serve
from inland.domain.errors import Damaged
try:
    serve(spec_from(json.loads(sys.argv[1])), {"PATH": sys.argv[2]})
except Damaged:
    pass  # what stands for it ends by itself
"""


def test_a_vllm_has_no_road_beside_networks_and_dials_its_own(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program, own, said = tmp_path / "bin" / "vllm", tmp_path / "own", tmp_path / "said"
    own.mkdir()
    isolation = without_files(KERNEL)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "theirs"))
        door.listen()
        where = {"theirs": tmp_path / "theirs", "own": own / "own"}
        program.write_text(_VLLM.format(python=sys.executable, tries=_TRIES, **where))
        program.chmod(0o700)
        spec = EngineSpec(
            *("r0", "m", str(tmp_path), str(own / "vllm"), 1, 512, 1),
            isolation=isolation,
            engine=EngineKind.VLLM.value,
        )
        argv = [sys.executable, "-c", _SERVE, json.dumps(spec_to(spec)), str(program.parent)]
        with said.open("wb") as told:
            subprocess.run(argv, stdout=told, timeout=300, check=True)
    assert isolation == "network-namespace+seccomp"
    assert {name: one for name, one in json.loads(said.read_bytes()).items() if one} == _REFUSED
