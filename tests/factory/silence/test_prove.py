"""Evidence of silence: a command that sends nothing gets it, one that tries to does not."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inland.ledger import canonical
from tests.factory.silence.proving import LOOKS, Prove, inland, python
from tests.patience import until

#: A quiet job: it computes, talks to itself, writes what it may, and says so.
QUIET = """
import os, socket, tempfile
with socket.create_server(("127.0.0.1", 0)) as door:
    with socket.create_connection(door.getsockname()) as one:
        one.sendall(b"to itself")
with tempfile.NamedTemporaryFile() as file:
    file.write(b"private")
print(sum(range(1000)))
"""


def test_a_silent_job_gets_evidence_that_anybody_verifies(
    prove: Prove, home: Path, tmp_path: Path
) -> None:
    job = tmp_path / "job.py"
    job.write_text(QUIET)
    done = prove(sys.executable, str(job))
    assert done.code == 0, done.said
    assert done.printed == "499500\n"
    facts = done.facts
    assert facts["command"] == [sys.executable, str(job)]
    assert set(facts["files"]) == {str(job)}
    assert all(count > 0 for count in facts["canary"].values())
    assert not any(facts["sent"].values())
    vkey = tmp_path / "vkey"
    vkey.write_text(inland("ledger", "vkey", "--home", str(home)).stdout)
    told = inland("egress", "verify", str(done.evidence), "--vkey", str(vkey), "--json")
    assert json.loads(told.stdout)["evidence"] == facts


def test_changed_evidence_is_refused(prove: Prove, home: Path) -> None:
    done = prove("/bin/true")
    assert done.code == 0, done.said
    told = json.loads(done.evidence.read_bytes())
    told["evidence"]["command"] = ["/bin/false"]
    done.evidence.write_bytes(canonical.encode(told, 17))
    refused = inland("egress", "verify", str(done.evidence), "--home", str(home))
    assert refused.returncode == 1
    assert "signature" in refused.stderr


def test_how_the_command_ended_is_told_and_is_no_claim_against_it(prove: Prove) -> None:
    done = prove("/bin/sh", "-c", "exit 7")
    assert done.code == 7
    assert done.facts["exit_status"] == 7


SEND = (
    "import socket\n"
    "socket.socket(socket.{family}, socket.SOCK_DGRAM).sendto(b'x', ('{to}', {port}))"
)
CONNECT = "import socket; socket.socket(socket.{family}).connect_ex(('{to}', 443))"
TRY = "import socket\ntry:\n    {}\nexcept OSError:\n    pass"
FRAMES = {
    "tcp4": CONNECT.format(family="AF_INET", to="93.184.215.14"),
    "tcp6": CONNECT.format(family="AF_INET6", to="2606:2800:21f:cb07:6820:80da:af6b:8b2c"),
    "private4": CONNECT.format(family="AF_INET", to="10.0.0.1"),
    "metadata": CONNECT.format(family="AF_INET", to="169.254.169.254"),
    "udp4": SEND.format(family="AF_INET", to="1.1.1.1", port=4444),
    "udp6": SEND.format(family="AF_INET6", to="2606:4700:4700::1111", port=4444),
    "multicast": SEND.format(family="AF_INET", to="239.255.255.250", port=1900),
    "names": TRY.format("socket.getaddrinfo('secret.example.com', 443)"),
    "names-on-loopback": SEND.format(family="AF_INET", to="127.0.0.53", port=53),
    "names-on-loopback-tcp": "import socket; socket.socket().connect_ex(('127.0.0.53', 53))",
    "raw": TRY.format("socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)"),
    "packet": TRY.format("socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)"),
    "vsock": TRY.format("socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((2, 9999))"),
    "bluetooth": TRY.format("socket.socket(31, socket.SOCK_RAW, 1)"),
    "sctp": TRY.format("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)"),
    "vlan": TRY.format("__import__('fcntl').ioctl(socket.socket(), 0x8982, bytes(64))"),
    "tipc-pair": TRY.format("socket.socketpair(30, socket.SOCK_RDM)"),
    "setns": "import ctypes, os; ctypes.CDLL(None).setns(os.open('/proc/self/ns/net', 0), 0)",
}


@pytest.mark.parametrize("way", FRAMES)
def test_what_is_sent_or_tried_is_counted_and_there_is_no_evidence(prove: Prove, way: str) -> None:
    done = prove(*python(FRAMES[way]))
    assert done.code is None
    assert "no evidence: it " in done.said


DAEMON = """
import os, socket, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(0.5)
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"later", ("192.0.2.7", 9))
    os._exit(0)
os.wait()
"""


def test_who_outlives_the_command_is_waited_for_and_counted(prove: Prove) -> None:
    done = prove(*python(DAEMON))
    assert done.code is None
    assert "192.0.2.7" in done.said


def test_who_does_not_end_leaves_no_evidence_and_is_ended(prove: Prove) -> None:
    mark = f"sleep {os.getpid()}1.5"
    done = prove("/bin/sh", "-c", f"{mark} & exit 0", wait_s=0.2)
    assert done.code is None
    assert "had not ended" in done.said
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert mark not in listed.stdout.splitlines()


WRITES = """
import os
for fd in range(256):
    try:
        os.write(fd, b"leaked")
    except OSError:
        pass
"""


def test_the_command_line_hands_no_descriptor_on_and_removes_old_evidence(
    home: Path, tmp_path: Path
) -> None:
    ours, theirs = socket.socketpair()
    evidence = tmp_path / "evidence.json"
    words = ("egress", "prove", "-o", str(evidence), "--home", str(home), "--json", "--")
    with ours, theirs:
        handed = {"pass_fds": [theirs.fileno()], "stdin": theirs}
        done = inland(*words, *python(WRITES), **handed)
        assert done.returncode == 0, done.stderr
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(10)
    assert json.loads(done.stdout)["left_behind"] == 0
    assert evidence.exists()
    done = inland(*words, *python(FRAMES["tcp4"]))
    assert done.returncode == 1
    assert "no evidence: it sent" in done.stderr
    assert not evidence.exists()


REACH = """
import os, socket, sys
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
folder, named, pid, shared = sys.argv[1:]
def path_socket():
    socket.socket(socket.AF_UNIX).connect(folder + "/s")
def abstract_socket():
    socket.socket(socket.AF_UNIX).connect("\\0" + name)
def pipe():
    os.write(os.open(folder + "/fifo", os.O_WRONLY | os.O_NONBLOCK), b"leaked")
def file():
    open(folder + "/file", "w").write("leaked")
def new():
    open(folder + "/new", "w").write("leaked")
def memory():
    open("/dev/shm/" + shared, "r+").write("leaked")
def process():
    os.kill(int(pid), 0)
def setting():
    open("/proc/sys/kernel/core_pattern", "w").write("|/bin/true")
def device():
    os.write(os.open("/dev/tty", os.O_WRONLY), b"leaked")
def place():
    open("/dev/new", "w").write("leaked")
def network():
    os.open("/proc/1/ns/net", os.O_RDONLY)
def trace():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, int(pid), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
def keys():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(250, 0, -3, 1) < 0:
        raise OSError(ctypes.get_errno(), "keyctl")
def ring():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 8, ctypes.create_string_buffer(256)) < 0:
        raise OSError(ctypes.get_errno(), "io_uring")
for name, way in list(globals().items()):
    if type(way) is type(tried) and way is not tried:
        print(name, tried(way))
"""


def test_nothing_of_the_machine_can_be_written_reached_or_seen(
    prove: Prove, tmp_path: Path
) -> None:
    """The folder may be read, and holds a socket, a pipe and a file of somebody outside."""
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "file").write_text("theirs")
    os.mkfifo(folder / "fifo")
    reader = os.open(folder / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    name = f"inland-test-{os.getpid()}"
    memory = Path("/dev/shm") / name  # noqa: S108 - what the host shares
    memory.write_text("theirs")
    with socket.socket(socket.AF_UNIX) as path, socket.socket(socket.AF_UNIX) as abstract:
        path.bind(str(folder / "s"))
        path.listen()
        abstract.bind(f"\0{name}")
        abstract.listen()
        arguments = (str(folder), name, str(os.getpid()), name)
        done = prove(*python(REACH), *arguments, read=(folder,))
        memory.unlink()
    os.close(reader)
    assert done.code == 0, done.said
    told = dict(line.split() for line in done.printed.splitlines())
    assert len(told) == 14
    assert "done" not in told.values(), told
    assert (folder / "file").read_text() == "theirs"
    assert {str(folder / "s"), str(folder / "fifo")} <= set(done.facts["masked"])


def test_a_socket_that_appears_where_it_could_read_leaves_no_evidence(
    prove: Prove, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    printed = tmp_path / "evidence.json.output"
    with socket.socket(socket.AF_UNIX) as late:

        def appear() -> None:
            until(lambda: printed.exists() and printed.read_text())
            late.bind(str(folder / "late"))
            (folder / "go").touch()

        thread = threading.Thread(target=appear, daemon=True)
        thread.start()
        done = prove(*python(LOOKS), str(folder), read=(folder,))
    assert done.code is None
    assert "somebody made a socket" in done.said


def test_it_writes_where_it_may_and_that_is_told(prove: Prove, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    text = "import os; open(os.environ['INLAND_SCRATCH'] + '/result', 'w').write('found')"
    done = prove(*python(text), scratch=scratch)
    assert done.code == 0, done.said
    assert (scratch / "result").read_text() == "found"
    assert done.facts["left_in_folder"] == {"files": 1, "bytes": 5}
    again = prove("/bin/true", scratch=scratch)
    assert again.code is None
    assert "is not empty" in again.said


def test_it_knows_neither_the_factorys_keys_nor_the_environment(prove: Prove, home: Path) -> None:
    key = str(home / "keys" / "log")
    look = f"import os; print(os.path.exists({key!r}), 'SECRET' in os.environ)"
    environment = {**os.environ, "SECRET": "x"}
    done = prove(*python(look), read=(home.parent,), environment=environment)
    assert done.code == 0, done.said
    assert done.printed == "False False\n"


def test_a_link_is_what_it_leads_to(prove: Prove, home: Path, tmp_path: Path) -> None:
    """One to a folder that holds the factory shows no key, one to a file is read by its name."""
    link, key, job = tmp_path / "link", Path(home.name) / "keys" / "log", tmp_path / "job.py"
    link.symlink_to(home.parent)
    (home.parent / "plain").write_text("theirs")
    (home.parent / "job").write_text("import os, sys; print(*map(os.path.exists, sys.argv[1:]))")
    job.symlink_to(home.parent / "job")
    looked = [str(one) for one in (link / key, home.parent / key, link / "plain")]
    done = prove(sys.executable, str(job), *looked[:2], looked[2] + "/", looked[2], read=(link,))
    assert done.code == 0, done.said
    assert done.printed == "False False False True\n"
    for folder in (Path("/"), Path("/run")):
        link.unlink()
        link.symlink_to(folder)
        assert "is the command's own" in prove("/bin/true", read=(link,)).said


def test_where_the_kernel_refuses_namespaces_there_is_no_claim(
    prove: Prove, home: Path, tmp_path: Path
) -> None:
    """In a user namespace that may make no others."""
    evidence = tmp_path / "evidence.json"
    words = ["egress", "prove", "-o", str(evidence), "--home", str(home), "--", "/bin/true"]
    limit = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    argv = ["unshare", "-Ur", "sh", "-c", limit, "sh", sys.executable, "-m", "inland", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the kernel does not let it be made" in done.stderr
    assert not evidence.exists()


def test_a_socket_or_a_pipe_is_not_named_as_readable(prove: Prove, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(str(tmp_path / "s.sock"))
        for name in ("s.sock", "pipe"):
            done = prove("/bin/true", read=(tmp_path / name,))
            assert "is a socket, pipe or device" in done.said


def test_a_folder_that_is_passed_through_unlisted_leaves_no_evidence(
    prove: Prove, tmp_path: Path
) -> None:
    shut = tmp_path / "given" / "shut"
    shut.mkdir(parents=True)
    shut.chmod(0o311)
    if os.geteuid() == 0:  # root is kept from others' folders alone, and there as anybody is
        os.chown(shut, 65_534, 65_534)
    done = prove("/bin/true", read=(tmp_path / "given",))
    assert done.code is None
    assert f"what {shut} holds cannot be listed" in done.said
