"""Whether a replica works, what its template has, and its own counters. Blocking, bounded."""

import re

import msgspec

from inland.adapters.llama_cpp.sockets import vectors_beside
from inland.adapters.openai.unix_ask import ask
from inland.domain.plant import Feature

#: A model that needs longer for one token does not serve.
PROBE_S = 10.0
_COUNTER = re.compile(r"^llamacpp:(prompt_tokens_total|tokens_predicted_total) (\d+)", re.MULTILINE)


class _Caps(msgspec.Struct):
    """What llama.cpp found out about the model's chat template."""

    supports_system_role: bool = False
    supports_tools: bool = False
    supports_tool_calls: bool = False
    supports_parallel_tool_calls: bool = False


class _Props(msgspec.Struct):
    chat_template_caps: _Caps


class LlamaCppProber:
    """`ports.engine.Prober` over llama.cpp's unix sockets."""

    def __init__(self, limit_s: float = PROBE_S) -> None:
        self._limit_s = limit_s

    def prove(self, address: str, model: str) -> tuple[Feature, ...] | None:
        """What the template has, if the replica just produced a token and a vector."""
        try:
            if not (self._answers(address, model) and self._embeds(vectors_beside(address), model)):
                return None
            _, body = ask(address, b"GET /props HTTP/1.1\r\n", b"", self._limit_s)
            _, _, document = body.partition(b"\r\n\r\n")
            return _features(msgspec.json.decode(document, type=_Props).chat_template_caps)
        except (OSError, ValueError, msgspec.DecodeError):
            return None

    def _answers(self, address: str, model: str) -> bool:
        asked = {
            "model": model,
            "messages": [{"role": "user", "content": "Hi"}],
            "max_tokens": 1,
            "cache_prompt": False,
        }
        status, answer = self._post(address, b"/v1/chat/completions", asked)
        return status == 200 and b'"completion_tokens":1' in answer

    def _embeds(self, address: str, model: str) -> bool:
        status, answer = self._post(address, b"/v1/embeddings", {"model": model, "input": "Hi"})
        return status == 200 and b'"embedding":[' in answer

    def _post(self, address: str, path: bytes, asked: object) -> tuple[int, bytes]:
        head = b"POST %b HTTP/1.1\r\ncontent-type: application/json\r\n" % path
        return ask(address, head, msgspec.json.encode(asked), self._limit_s)


def _features(caps: _Caps) -> tuple[Feature, ...]:
    calls = caps.supports_tools and caps.supports_tool_calls
    has = {
        Feature.SYSTEM: caps.supports_system_role,
        Feature.TOOLS: calls,
        Feature.TOOL_CHOICE: calls,
        Feature.PARALLEL_TOOL_CALLS: calls and caps.supports_parallel_tool_calls,
    }
    return tuple(feature for feature, there in has.items() if there)


def counters(address: str) -> dict[str, int]:
    """The engine's own totals: `prompt` and `completion` tokens. Raises OSError, ValueError."""
    _, answer = ask(address, b"GET /metrics HTTP/1.1\r\n", b"", PROBE_S)
    found = dict(_COUNTER.findall(answer.decode()))
    return {
        "prompt": int(found["prompt_tokens_total"]),
        "completion": int(found["tokens_predicted_total"]),
    }
