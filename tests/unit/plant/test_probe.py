"""An engine works when it has produced a token and a vector; any other answer, or none, is no."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from inland.adapters.llama_cpp.probe import LlamaCppProber
from inland.adapters.llama_cpp.sockets import vectors_beside
from inland.domain.plant import Feature
from tests.patience import PATIENCE_S

CHAT, VECTORS, PROPS = b"/v1/chat/completions", b"/v1/embeddings", b"/props"


def _answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


def _props(**caps: bool) -> bytes:
    return _answer(msgspec.json.encode({"chat_template_caps": caps}))


TOKEN = _answer(b'{"usage":{"completion_tokens":1}}')
GOOD = {
    CHAT: TOKEN,
    VECTORS: _answer(b'{"data":[{"embedding":[0.5]}]}'),
    PROPS: _props(supports_system_role=True),
}

Begin = Callable[..., str]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Begin]:
    """Starts something on both sockets that answers by path, and hangs up or not."""
    address = str(tmp_path / "engine-e.sock")
    held: list[socket.socket] = []

    def serve(listener: socket.socket, answers: dict[bytes, bytes], hang_up: bool) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            with suppress(OSError, IndexError):  # whoever asked may have lost patience by now
                path = connection.recv(65536).split(b" ")[1]
                connection.sendall(answers.get(path, _answer(b"{}", b"404 Not Found")))
            if hang_up:
                connection.close()

    def begin(changed: dict[bytes, bytes] | None = None, *, hang_up: bool = True) -> str:
        for path in (address, vectors_beside(address)):
            listener = socket.socket(socket.AF_UNIX)
            held.append(listener)
            listener.bind(path)
            listener.listen()
            answers = GOOD | (changed or {})
            threading.Thread(target=serve, args=(listener, answers, hang_up), daemon=True).start()
        return address

    yield begin
    for one in held:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


def test_a_token_and_a_vector_are_a_yes(engine: Begin) -> None:
    assert LlamaCppProber(PATIENCE_S).prove(engine(), "m") == (Feature.SYSTEM,)


def test_what_the_template_has_is_what_the_engine_found(engine: Begin) -> None:
    caps = _props(supports_tools=True, supports_tool_calls=True, supports_parallel_tool_calls=False)
    found = LlamaCppProber(PATIENCE_S).prove(engine({PROPS: caps}), "m")
    assert found == (Feature.TOOLS, Feature.TOOL_CHOICE)


def test_a_template_that_shows_tools_but_takes_no_calls_has_none(engine: Begin) -> None:
    caps = _props(supports_tools=True, supports_parallel_tool_calls=True)
    assert LlamaCppProber(PATIENCE_S).prove(engine({PROPS: caps}), "m") == ()


@pytest.mark.parametrize("path", [CHAT, VECTORS, PROPS])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        _answer(b"{}", b"503 Loading"),
        _answer(b'{"usage":{"completion_tokens":0}}'),
        _answer(b"[]"),
        _answer(b"not json"),
        TOKEN[:-8],
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000,
    ],
)
def test_any_other_answer_is_a_no(engine: Begin, path: bytes, answer: bytes) -> None:
    assert LlamaCppProber(PATIENCE_S).prove(engine({path: answer}), "m") is None


def test_an_engine_that_never_answers_is_a_no_in_bounded_time(engine: Begin) -> None:
    silent = {CHAT: b"HTTP/1.1 200"}
    assert LlamaCppProber(0.05).prove(engine(silent, hang_up=False), "m") is None


def test_nobody_there_is_a_no(tmp_path: Path) -> None:
    assert LlamaCppProber(PATIENCE_S).prove(str(tmp_path / "none.sock"), "m") is None
