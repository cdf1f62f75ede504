"""Whether a vLLM works, and its own counters. Blocking, bounded."""

import re

import msgspec

from inland.adapters.openai.unix_ask import ask
from inland.adapters.openai.wire import ANSWER
from inland.domain.plant import Feature

#: A model that needs longer for one token does not serve.
PROBE_S = 30.0
#: Its counters, as `/metrics` has them: one line for each engine core.
_COUNTER = re.compile(
    r"^vllm:(prompt_tokens_total|generation_tokens_total)\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE
)
_OK, _REFUSED = 200, 400


class VllmProber:
    """`ports.engine.Prober` over vLLM's unix sockets."""

    def __init__(self, limit_s: float = PROBE_S) -> None:
        self._limit_s = limit_s

    def prove(self, address: str, model: str) -> tuple[Feature, ...] | None:
        """What the template has, if the replica just produced a token. A template that knows no
        system message refuses one."""
        try:
            status, answer = self._asked(address, model, "system", "user")
            if _is_token(status, answer):
                return (Feature.SYSTEM,)
            if status == _REFUSED and _is_token(*self._asked(address, model, "user")):
                return ()
        except (OSError, ValueError, msgspec.DecodeError):
            return None
        return None

    def _asked(self, address: str, model: str, *roles: str) -> tuple[int, bytes]:
        asked = {
            "model": model,
            "messages": [{"role": role, "content": "Hi"} for role in roles],
            "max_tokens": 1,
            "cache_salt": "probe",
        }
        head = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\n"
        return ask(address, head, msgspec.json.encode(asked), self._limit_s)


def _is_token(status: int, answer: bytes) -> bool:
    if status != _OK:
        return False
    usage = ANSWER.decode(answer.partition(b"\r\n\r\n")[2]).usage
    return usage is not None and usage.completion_tokens == 1


def counters(address: str) -> dict[str, int]:
    """The engine's own totals: `prompt` and `completion` tokens. Raises OSError, ValueError."""
    _, answer = ask(address, b"GET /metrics HTTP/1.1\r\n", b"", PROBE_S)
    sums = {"prompt_tokens_total": 0, "generation_tokens_total": 0}
    for name, value in _COUNTER.findall(answer.decode()):
        sums[name] += int(float(value))
    return {"prompt": sums["prompt_tokens_total"], "completion": sums["generation_tokens_total"]}
