"""An engine works when it has produced a token; any other answer, or none, is no."""

import socket
import threading

import pytest

from inland.adapters.llama_cpp.probe import LlamaCppProber

GOOD = b'{"usage":{"completion_tokens":1}}'


def _answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


@pytest.fixture
def engine(tmp_path):
    """Starts something on a socket that answers one call with given bytes, and hangs up or not."""
    path = tmp_path / "e.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    held = []

    def begin(answer: bytes, *, hang_up: bool = True) -> str:
        def serve():
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(answer)
            held.append(connection)
            if hang_up:
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        return str(path)

    yield begin
    for connection in held:
        connection.close()
    listener.close()


def test_a_token_is_a_yes(engine):
    assert LlamaCppProber(5).produces(engine(_answer(GOOD)), "m")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        _answer(GOOD, b"503 Loading"),
        _answer(b'{"usage":{"completion_tokens":0}}'),
        _answer(b"{}"),
        _answer(b"[]"),
        _answer(b"not json"),
        _answer(GOOD)[:-8],
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000,
    ],
)
def test_any_other_answer_is_a_no(engine, answer):
    assert not LlamaCppProber(5).produces(engine(answer), "m")


def test_an_engine_that_never_answers_is_a_no_in_bounded_time(engine):
    assert not LlamaCppProber(0.05).produces(engine(b"HTTP/1.1 200", hang_up=False), "m")


def test_nobody_there_is_a_no(tmp_path):
    assert not LlamaCppProber(1).produces(str(tmp_path / "none.sock"), "m")
