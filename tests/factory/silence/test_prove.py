"""Evidence of silence: a command that sends nothing gets it, one that tries to does not."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from inland.bootstrap import silence
from inland.bootstrap.silence import Asked
from inland.domain.errors import InlandError
from inland.ledger import canonical
from inland.settings import from_environment
from tests.books_home import BooksHome

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


@dataclass
class Proved:
    """What became of a run."""

    code: int | None  # the command's; None where there is no evidence
    evidence: Path
    said: str

    @property
    def printed(self) -> str:
        return _output(self.evidence).read_text()

    @property
    def facts(self) -> dict:
        told: dict = json.loads(self.evidence.read_bytes())["evidence"]
        return told


Prove = Callable[..., Proved]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A factory that is not running, whose log has been signed."""
    root = tmp_path_factory.mktemp("silence") / "home"
    made = BooksHome(root)
    made.take_in_first_keys()
    made.books.tick()
    made.close()
    return root


def inland(*words: str, **more) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "inland", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False, **more)


@pytest.fixture
def prove(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prove:
    """As the command does it, without a process of its own for the command line."""

    monkeypatch.chdir(tmp_path)

    def run(*command: str, environment: dict[str, str] | None = None, **asked) -> Proved:
        file = tmp_path / "evidence.json"
        settings = from_environment(environment)
        try:
            data, facts = silence.prove(home, Asked(command, _output(file), **asked), settings)
        except InlandError as error:
            return Proved(None, file, str(error))
        file.write_bytes(data)
        return Proved(facts["exit_status"], file, "")

    return run


def _output(evidence: Path) -> Path:
    return evidence.with_name(f"{evidence.name}.output")


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


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
    "raw": TRY.format("socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)"),
    "packet": TRY.format("socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)"),
    "vsock": TRY.format("socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((2, 9999))"),
    "bluetooth": TRY.format("socket.socket(31, socket.SOCK_RAW, 1)"),
    "sctp": TRY.format("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)"),
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


MORE = """
import ctypes, os, platform, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
folder, secret, pid, key, queue = sys.argv[1:]
PID, KEY = int(pid), int(key)
USERFAULTFD = {"x86_64": 323, "aarch64": 282}[platform.machine()]
USER, MOUNTS, CGROUP = 0x10000000, 0x20000, 0x2000000
REMOUNT, BIND = 32, 4096
def done(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "no")
    return result
def memory_read():
    data = ctypes.create_string_buffer(8)
    local = (ctypes.c_void_p * 2)(ctypes.addressof(data), 8)
    done(libc.process_vm_readv(PID, local, 1, local, 1, 0))
def process_handle():
    done(libc.syscall(434, PID, 0))
def others_descriptor():
    done(libc.syscall(438, done(libc.syscall(434, os.getpid(), 0)), 0, 0))
def first_root():
    open("/proc/1/root" + secret).read()
def parents_root():
    open(f"/proc/{PID}/root" + secret).read()
def shared_segment():
    done(libc.shmget(KEY, 0, 0o600))
def message_queue():
    done(libc.mq_open(queue.encode(), os.O_WRONLY))
def handle():
    done(libc.syscall({"x86_64": 304, "aarch64": 265}[platform.machine()], -1, 0, 0))
def fanotify():
    done(libc.fanotify_init(0x200, 0))
def page_faults():
    done(libc.syscall(USERFAULTFD, 1))
def device():
    os.mknod("/tmp/device", stat.S_IFBLK | 0o600, os.makedev(254, 0))
def kernel_log():
    open("/dev/kmsg", "w").write("leaked")
def host_name():
    done(libc.sethostname(b"leaked", 6))
def priority():
    os.setpriority(os.PRIO_PROCESS, PID, 19)
def attribute():
    os.setxattr(folder + "/file", "user.leaked", b"x")
def time_of_file():
    os.utime(folder + "/file", (1, 1))
def mode_of_file():
    os.chmod(folder + "/file", 0o777)
def name_of_file():
    os.rename(folder + "/file", folder + "/leaked")
def link_to_file():
    os.link(folder + "/file", folder + "/leaked")
def hardware():
    open("/sys/devices/system/cpu/cpu0/online", "w").write("1")
def module():
    done(libc.syscall({"x86_64": 313, "aarch64": 273}[platform.machine()], 0, b"", 0))
def inside(what):
    if os.fork() == 0:
        try:
            done(libc.unshare(USER | MOUNTS | CGROUP))
            what()
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.wait()[1]):
        raise OSError("no")
def control_group():
    def make():
        os.mkdir("/tmp/groups")
        done(libc.mount(b"none", b"/tmp/groups", b"cgroup2", 0, None))
        os.mkdir("/tmp/groups/leaked")
    inside(make)
def writable_again():
    def write():
        done(libc.mount(None, folder.encode(), None, REMOUNT | BIND, None))
        open(folder + "/file", "w").write("leaked")
    inside(write)
def uncovered():
    inside(lambda: done(libc.umount2((folder + "/s").encode(), 2)))
def other_tree():
    inside(lambda: done(libc.syscall(428, -100, b"/", 1)))
for name, way in list(globals().items()):
    if type(way) is type(done) and way.__code__.co_argcount == 0:
        try:
            way()
        except OSError as error:
            print(name, type(error).__name__)
        else:
            print(name, "DONE")
"""


def test_no_other_route_leads_out(prove: Prove, tmp_path: Path) -> None:
    """Of the kernel's ways between processes: a namespace, a right or the filter shuts each."""
    folder, secret = tmp_path / "shared", tmp_path.parent / "secret"
    folder.mkdir()
    (folder / "file").write_text("theirs")
    secret.write_text("theirs")
    libc = ctypes.CDLL(None, use_errno=True)
    key, queue = 0x1A1A0000 | os.getpid() & 0xFFFF, f"/inland-test-{os.getpid()}"
    segment = libc.shmget(key, 4096, 0o1600)  # made, for its user alone
    messages = libc.mq_open(queue.encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
    assert min(segment, messages) >= 0, os.strerror(ctypes.get_errno())
    try:
        with socket.socket(socket.AF_UNIX) as served:
            served.bind(str(folder / "s"))
            words = (str(folder), str(secret), str(os.getpid()), str(key), queue)
            done = prove(*python(MORE), *words, read=(folder,))
    finally:
        libc.shmctl(segment, 0, None)
        os.close(messages)
        libc.mq_unlink(queue.encode())
    assert done.code == 0, done.said
    told = dict(line.split() for line in done.printed.splitlines())
    assert len(told) == 25
    assert "DONE" not in told.values(), told
    assert (folder / "file").read_text() == "theirs"


DUMPS = """
import os, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.prlimit(os.getpid(), resource.RLIMIT_CORE, (0, 0))
print(*resource.getrlimit(resource.RLIMIT_CORE))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_the_limit_on_dumps_stays_whoever_lowers_it(prove: Prove) -> None:
    """Of none, the kernel would hand them to the machine's program."""
    done = prove(*python(DUMPS))
    assert done.code == 0, done.said
    assert done.printed == "1 1\n64 64\n"


@pytest.mark.parametrize("make", ["socket", "pipe", "plain"])
def test_what_was_made_and_removed_where_it_could_read_leaves_no_evidence(
    prove: Prove, tmp_path: Path, make: str
) -> None:
    """By somebody else, in a folder that was not there either. A plain file that stays may."""
    folder = tmp_path / "shared"
    folder.mkdir()
    printed = tmp_path / "evidence.json.output"

    def appear() -> None:
        while not printed.exists() or not printed.read_text():
            time.sleep(0.01)
        if make == "plain":
            (folder / "late").write_text("plain")
            (folder / "late").rename(folder / "later")
        elif make == "pipe":
            os.mkfifo(folder / "late")
            (folder / "late").unlink()
        else:
            with socket.socket(socket.AF_UNIX) as late:
                late.bind(str(folder / "late"))
                (folder / "late").unlink()
        (folder / "go").touch()

    thread = threading.Thread(target=appear, daemon=True)
    thread.start()
    done = prove(*python(LOOKS), str(folder), read=(folder,))
    thread.join()
    if make == "plain":
        assert done.code == 0, done.said
    else:
        assert done.code is None
        assert f"somebody made a socket, pipe or device where it could read: {folder}" in done.said


def test_what_somebody_serves_is_covered_or_not_read_at_all(home: Path, tmp_path: Path) -> None:
    """A mounted queue stands for a network's file system: no disk and no memory of files."""
    given, evidence = tmp_path / "given", tmp_path / "evidence.json"
    (given / "served").mkdir(parents=True)
    for read, code in ((given, 0), (given / "served", 1)):
        words = ["egress", "prove", "-o", str(evidence), "--home", str(home), "--read", str(read)]
        words += ["--", "/bin/ls", "-a", str(given / "served")]
        mount = 'mount -t mqueue none "$1" && shift && exec "$@"'
        argv = ["unshare", "-Urmi", "sh", "-c", mount, "sh", str(given / "served")]
        argv += [sys.executable, "-m", "inland", *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == code, done.stderr
        if code:
            assert f"{given}/served lies on {given}/served (mqueue, none)" in done.stderr
        else:
            facts = json.loads(evidence.read_bytes())["evidence"]
            assert facts["covered"] == [f"{given}/served (mqueue, none)"]


LOOKS = """
import os, sys
print("begun", flush=True)
while not os.path.exists(sys.argv[1] + "/go"):
    pass
"""


def test_a_socket_that_appears_where_it_could_read_leaves_no_evidence(
    prove: Prove, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    printed = tmp_path / "evidence.json.output"
    with socket.socket(socket.AF_UNIX) as late:

        def appear() -> None:
            while not printed.exists() or not printed.read_text():
                time.sleep(0.01)
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


def test_where_the_kernel_refuses_namespaces_there_is_no_claim(
    prove: Prove, home: Path, tmp_path: Path
) -> None:
    """In a user namespace that may make no others."""
    evidence = tmp_path / "evidence.json"
    words = ["egress", "prove", "-o", str(evidence), "--home", str(home), "--", "/bin/true"]
    limit = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    argv = ["unshare", "-Ur", "sh", "-c", limit, "sh", sys.executable, "-m", "inland", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
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
