"""Frames carry whole messages over any cut of the stream, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.adapters.feed.frames import (
    PUSH_LIMIT_BYTES,
    Answer,
    Ask,
    Frames,
    Push,
    from_control,
    from_gateway,
    to_frame,
)
from inland.domain.errors import Damaged
from inland.domain.snapshot import Secrets
from tests.unit.decide.plants import plants

_ASKS = st.builds(
    Ask, st.integers(0, 9), st.text(), st.integers(0, 9), st.text(), st.integers(0, 9), st.none()
)


@given(st.lists(_ASKS, max_size=5), st.integers(1, 7))
def test_a_stream_gives_back_its_messages_however_it_is_cut(asks, step):
    stream = b"".join(to_frame(ask) for ask in asks)
    frames = Frames(1 << 20)
    found = []
    for at in range(0, len(stream), step):
        found += [from_gateway(one) for one in frames.feed(stream[at : at + step])]
    assert found == asks


@given(plants())
def test_a_snapshot_arrives_as_it_was_sent(snapshot):
    push = Push(snapshot, Secrets({"acme": bytes(range(32))}, {"d": "token"}))
    (payload,) = Frames(PUSH_LIMIT_BYTES).feed(to_frame(push))
    assert from_control(payload) == push
    assert to_frame(push) == to_frame(from_control(payload))


def test_a_frame_beyond_the_limit_is_refused_before_it_is_read():
    with pytest.raises(Damaged):
        Frames(10).feed(b"\x00\x00\x00\x0b")


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"type":"answer"}', b"\xff"])
def test_what_is_no_message_is_refused(payload):
    with pytest.raises(Damaged):
        from_gateway(payload)
    with pytest.raises(Damaged):
        from_control(payload)
    assert from_control(to_frame(Answer(1, 5.0, 2))[4:]) == Answer(1, 5.0, 2)
