"""Ways out that are no network: each is shut, or there is no evidence."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.factory.silence.proving import LOOKS, Prove, output, python
from tests.patience import until

MORE = """
import ctypes, fcntl, os, platform, socket, stat, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
folder, secret, pid, key, queue = sys.argv[1:]
PID, KEY = int(pid), int(key)
USERFAULTFD = {"x86_64": 323, "aarch64": 282}[platform.machine()]
USER, MOUNTS, CGROUP, NETWORK = 0x10000000, 0x20000, 0x2000000, 0x40000000
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
def semaphores():
    done(libc.semget(KEY, 1, 0o600))
def system_v_queue():
    done(libc.msgget(KEY, 0o600))
def first_descriptors():
    open("/proc/1/fd/" + os.listdir("/proc/1/fd")[0], "wb").write(b"leaked")
def signal_by_file():
    reading, _ = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, PID)
def clock():
    time.clock_settime(time.CLOCK_REALTIME, time.time())
def clock_speed():
    done(libc.adjtimex(struct.pack("=I4xq", 2, 1) + bytes(192)))
def flags_of_file():
    with open(folder + "/file") as file:
        file.read()
        fcntl.ioctl(file, 0x40086602, struct.pack("l", 0x40))
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
def inside(what, apart=USER | MOUNTS | CGROUP):
    if os.fork() == 0:
        try:
            done(libc.unshare(apart))
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
def told(kind, data):
    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
def wire():
    def lay():
        peer = told(1, bytes(16) + told(19, struct.pack("I", 1)))
        link = bytes(16) + told(18, told(1, b"veth") + told(2, peer))
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as routes:
            routes.send(struct.pack("IHHII", 16 + len(link), 16, 0x605, 1, 0) + link)
            error = struct.unpack_from("i", routes.recv(4096), 16)[0]
        if error:
            raise OSError(-error, "no")
    inside(lay, USER | NETWORK)
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
    flags, queued = libc.semget(key, 1, 0o1600), libc.msgget(key, 0o1600)
    messages = libc.mq_open(queue.encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
    assert min(segment, flags, queued, messages) >= 0, os.strerror(ctypes.get_errno())
    os.utime(folder / "file", (1, 2))  # so long ago that reading it would be noted
    try:
        with socket.socket(socket.AF_UNIX) as served:
            served.bind(str(folder / "s"))
            words = (str(folder), str(secret), str(os.getpid()), str(key), queue)
            done = prove(*python(MORE), *words, read=(folder,))
    finally:
        libc.shmctl(segment, 0, None)
        libc.semctl(flags, 0, 0)
        libc.msgctl(queued, 0, None)
        os.close(messages)
        libc.mq_unlink(queue.encode())
    assert done.code == 0, done.said
    told = dict(line.split() for line in done.printed.splitlines())
    assert len(told) == 33
    assert "DONE" not in told.values(), told
    assert (folder / "file").stat().st_atime == 1, "it is seen that it read"
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
        until(lambda: printed.exists() and printed.read_text())
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


SPEAK = """
import os, socket, sys
folder = sys.argv[1]
try:
    socket.socket(socket.AF_UNIX).connect(folder + "/socket")
    print("connected")
except OSError:
    pass
try:
    os.write(os.open(folder + "/pipe", os.O_WRONLY | os.O_NONBLOCK), b"leaked")
    print("written")
except OSError:
    pass
"""


def test_a_socket_or_a_pipe_that_is_mounted_on_a_plain_file_is_masked(
    home: Path, tmp_path: Path
) -> None:
    """As containers are given those of their machine."""
    given, outside, evidence = tmp_path / "given", tmp_path / "outside", tmp_path / "evidence.json"
    for folder in (given, outside):
        folder.mkdir()
    for name in ("socket", "pipe"):
        (given / name).touch()
    os.mkfifo(outside / "pipe")
    reader = os.open(outside / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    mount = 'for x in socket pipe; do mount --bind "$1/$x" "$2/$x"; done; shift 2; exec "$@"'
    argv = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(outside), str(given)]
    argv += [sys.executable, "-m", "inland", "egress", "prove", "-o", str(evidence)]
    argv += ["--home", str(home), "--read", str(given), "--", *python(SPEAK), str(given)]
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(outside / "socket"))
        theirs.listen()
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    os.close(reader)
    assert done.returncode == 0, done.stderr
    assert output(evidence).read_text() == ""
    facts = json.loads(evidence.read_bytes())["evidence"]
    assert {str(given / "socket"), str(given / "pipe")} <= set(facts["masked"])


def test_what_somebody_serves_is_covered_or_not_read_at_all(home: Path, tmp_path: Path) -> None:
    """A mounted queue stands for a network's file system: no disk and no memory of files."""
    given, evidence, link = tmp_path / "given", tmp_path / "evidence.json", tmp_path / "link"
    (given / "served").mkdir(parents=True)
    link.symlink_to(given / "served")
    ways = (("--read", given), ("--read", given / "served"), ("--read", link))
    for (option, path), code in zip((*ways, ("--scratch", link)), (0, 1, 1, 1), strict=True):
        words = ["egress", "prove", "-o", str(evidence), "--home", str(home), option, str(path)]
        words += ["--", "/bin/ls", "-a", str(given / "served")]
        mount = 'mount -t mqueue none "$1" && shift && exec "$@"'
        argv = ["unshare", "-Urmi", "sh", "-c", mount, "sh", str(given / "served")]
        argv += [sys.executable, "-m", "inland", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        if code:
            assert f"{given}/served lies on {given}/served (mqueue, none)" in done.stderr
        else:
            facts = json.loads(evidence.read_bytes())["evidence"]
            assert facts["covered"] == [f"{given}/served (mqueue, none)"]
