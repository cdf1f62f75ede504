"""A program that leaks in every way the checker is to see: a canary each, named for the way.

`python leaks.py FOLDER SEED`: FOLDER is on a disk. What the kernel refuses was tried all the same.
"""

import base64
import ctypes
import gzip
import json
import mmap
import os
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.factory.canary.forms import canary
from tests.factory.canary.trace import MEMORY

FOLDER = Path(sys.argv[1]) if __name__ == "__main__" else Path()
SEED = sys.argv[2] if __name__ == "__main__" else ""


def text(way: str, seed: str = SEED) -> str:
    return canary(f"{seed}/{way}")


def _file(way: str) -> int:
    return os.open(FOLDER / way, os.O_RDWR | os.O_CREAT, 0o600)


def _memory(data: bytes) -> int:
    fd = os.memfd_create("leak")
    os.write(fd, data)
    os.lseek(fd, 0, 0)
    return fd


def plain(one: str) -> None:
    os.write(_file("plain"), b"a line with " + one.encode() + b" in it\n")


def base64_(one: str) -> None:
    os.write(_file("base64"), base64.b64encode(b"x" + one.encode() + b"yz"))


def hex_(one: str) -> None:
    os.write(_file("hex"), one.encode().hex().encode())


def utf16(one: str) -> None:
    os.write(_file("utf16"), one.encode("utf-16-le"))


def json_(one: str) -> None:
    os.write(
        _file("json"),
        json.dumps("".join(f"\\u{ord(c):04x}" for c in one)).replace("\\\\", "\\").encode(),
    )


def gzip_(one: str) -> None:
    os.write(_file("gzip"), b"head" + gzip.compress(one.encode() * 3))


def zip_(one: str) -> None:
    with zipfile.ZipFile(FOLDER / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", f"{one} and {one}")


def split(one: str) -> None:
    fd = _file("split")
    for at in range(0, len(one), 5):
        os.write(fd, one[at : at + 5].encode())


def vector(one: str) -> None:
    os.writev(_file("vector"), [one[:20].encode(), one[20:].encode()])


def placed(one: str) -> None:
    os.pwritev(_file("placed"), [b"..", one.encode()], 4096)


def deleted(one: str) -> None:
    fd = _file("deleted")
    (FOLDER / "deleted").unlink()
    os.write(fd, one.encode())


def child(one: str) -> None:
    subprocess.run(
        ["/bin/sh", "-c", 'printf %s "$1" > "$2"', "sh", one, str(FOLDER / "child")], check=True
    )


def thread(one: str) -> None:
    made = threading.Thread(target=lambda: (FOLDER / "thread").write_text(one))
    made.start()
    made.join()


def daemon(one: str) -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            (FOLDER / "daemon").write_text(one)
        os._exit(0)
    os.wait()


def mapped(one: str) -> None:
    fd = _file("mapped")
    os.ftruncate(fd, 4096)
    with mmap.mmap(fd, 4096) as memory:
        memory[: len(one)] = one.encode()


def sendfile(one: str) -> None:
    os.sendfile(_file("sendfile"), _memory(one.encode()), 0, len(one))


def copied(one: str) -> None:
    os.copy_file_range(_memory(one.encode()), _file("copied"), len(one))


def spliced(one: str) -> None:
    out, into = os.pipe()
    os.write(into, one.encode())
    os.splice(out, _file("spliced"), len(one))


def ring(_one: str) -> None:
    ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(256))


def file_name(one: str) -> None:
    os.close(os.open(FOLDER / one, os.O_CREAT | os.O_WRONLY))


def folder_name(one: str) -> None:
    (FOLDER / one).mkdir()


def link_name(one: str) -> None:
    (FOLDER / "link").symlink_to(one)


def renamed(one: str) -> None:
    (FOLDER / "plain").rename(FOLDER / one)


def attribute(one: str) -> None:
    os.setxattr(FOLDER / "zip", "user.leak", one.encode())


def tcp(_one: str) -> None:
    with socket.socket() as made:
        made.setblocking(False)
        made.connect_ex(("192.0.2.1", 9))


def tcp6(_one: str) -> None:
    with socket.socket(socket.AF_INET6) as made:
        made.setblocking(False)
        made.connect_ex(("2001:db8::1", 9))


def udp(one: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        made.sendto(one.encode(), ("192.0.2.2", 9))


def message(one: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as made:
        made.sendmsg([one.encode()], [], 0, ("192.0.2.3", 9))


def other_port(_one: str) -> None:
    with socket.socket() as made:
        made.connect_ex(("127.0.0.1", 9))


def unix(_one: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(str(FOLDER / "elsewhere.sock"))


def abstract(_one: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.connect("\0elsewhere")


def vsock(_one: str) -> None:
    with socket.socket(socket.AF_VSOCK) as made:
        made.connect((2, 9))


#: Ways in which a canary's own bytes are seen on their way to a disk.
TOLD: tuple[Callable[[str], None], ...] = (
    *(plain, base64_, hex_, utf16, json_, gzip_, zip_, split, vector, placed, deleted, child),
    *(thread, daemon, file_name, folder_name, link_name, renamed, attribute),
)
#: Ways that are seen for what they are, each with what must be said of it.
SEEN: dict[Callable[[str], None], str] = {
    mapped: "mapped ",
    sendfile: "by sendfile",
    copied: "by copy_file_range",
    spliced: "by splice",
    ring: "io_uring_setup",
    tcp: "192.0.2.1 port 9",
    tcp6: "2001:db8::1 port 9",
    udp: "192.0.2.2 port 9",
    message: "192.0.2.3 port 9",
    other_port: "127.0.0.1 port 9",
    unix: "elsewhere.sock",
    abstract: "@elsewhere",
    vsock: "AF_VSOCK",
}


def harmless(one: str) -> None:
    """In memory, and to itself."""
    os.write(_memory(b""), one.encode())
    out, into = os.pipe()
    os.write(into, one.encode())
    os.read(out, 100)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(one.encode())
    made = MEMORY / one
    made.write_text(one)
    made.unlink()


if __name__ == "__main__":
    for way in (*TOLD, *SEEN, harmless):
        try:
            way(text(way.__name__.rstrip("_")))
        except OSError as error:
            print(f"{way.__name__}: {error}", file=sys.stderr)
