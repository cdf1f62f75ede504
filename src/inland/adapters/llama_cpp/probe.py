"""Whether a replica works: asked for one token, and for its own counters. Blocking, bounded."""

import re
import socket
from contextlib import closing

import msgspec

#: A model that needs longer for one token does not serve.
PROBE_S = 10.0
#: The longest answer read.
_ANSWER_BYTES = 1 << 20
_COUNTER = re.compile(r"^llamacpp:(prompt_tokens_total|tokens_predicted_total) (\d+)", re.MULTILINE)


class LlamaCppProber:
    """`ports.engine.Prober` over llama.cpp's unix socket."""

    def __init__(self, limit_s: float = PROBE_S) -> None:
        self._limit_s = limit_s

    def produces(self, address: str, model: str) -> bool:
        """Whether the replica at `address` just produced a token."""
        body = msgspec.json.encode(
            {
                "model": model,
                "messages": [{"role": "user", "content": "Hi"}],
                "max_tokens": 1,
                "cache_prompt": False,
            }
        )
        head = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\n"
        try:
            status, answer = _ask(address, head, body, self._limit_s)
            return status == 200 and b'"completion_tokens":1' in answer
        except (OSError, ValueError):
            return False


def counters(address: str) -> dict[str, int]:
    """The engine's own totals: `prompt` and `completion` tokens. Raises OSError, ValueError."""
    _, answer = _ask(address, b"GET /metrics HTTP/1.1\r\n", b"")
    found = dict(_COUNTER.findall(answer.decode()))
    return {
        "prompt": int(found["prompt_tokens_total"]),
        "completion": int(found["tokens_predicted_total"]),
    }


def _ask(address: str, head: bytes, body: bytes, limit_s: float = PROBE_S) -> tuple[int, bytes]:
    """Status and everything after the status line. Raises OSError, ValueError."""
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
