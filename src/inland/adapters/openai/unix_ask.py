"""One request to an engine of ours and the whole of its answer. Blocking, bounded."""

import socket
from contextlib import closing

#: The longest answer read.
_ANSWER_BYTES = 1 << 20


def ask(address: str, head: bytes, body: bytes, limit_s: float) -> tuple[int, bytes]:
    """Status and everything after the status line, of the server on the unix socket `address`.

    `head`: its first lines, each ended. Raises OSError, ValueError.
    """
    rest = b"host: engine\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    with closing(socket.socket(socket.AF_UNIX)) as engine:
        engine.settimeout(limit_s)
        engine.connect(address)
        engine.sendall(head + rest + body)
        data = b""
        while len(data) < _ANSWER_BYTES and (more := engine.recv(65536)):
            data += more
    line, _, after = data.partition(b"\r\n")
    version, _, status = line.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError("no HTTP answer")
    return int(status[:3]), after
