"""Journal frames: what was written is read, what was not is not."""

from hypothesis import given
from hypothesis import strategies as st

from inland.ledger import frames
from inland.ledger.frames import FrameKind

payloads = st.lists(st.tuples(st.sampled_from(FrameKind), st.binary(min_size=1, max_size=60)))


@given(payloads, st.integers(0, 2**40), st.integers(0, 2**40))
def test_what_is_written_is_read(written, synced, base):
    data = frames.write(written, synced)
    found = frames.read(data, base, 1000)
    assert [(frame.kind, frame.payload) for frame in found] == written
    assert {frame.synced for frame in found} <= {synced}
    assert (found[-1].end if found else base) == base + len(data)


@given(payloads, st.data())
def test_a_cut_stream_gives_its_whole_frames_and_no_other(written, data):
    whole = frames.write(written, 0)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [frame.end for frame in frames.read(whole, 0, 1000)]
    found = frames.read(whole[:cut], 0, 1000)
    assert [frame.end for frame in found] == [end for end in ends if end <= cut]


@given(st.binary(min_size=1, max_size=60), st.integers(0, 2**40), st.data())
def test_a_frame_with_any_bit_flipped_is_none(payload, synced, data):
    whole = bytearray(frames.write([(FrameKind.RECORD, payload)], synced))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    assert frames.read(bytes(whole), 0, 1) == []


@given(payloads.filter(bool), st.binary(max_size=40).filter(lambda b: frames.MAGIC[0] not in b))
def test_later_frames_are_found_behind_any_rubbish(written, rubbish):
    data = rubbish + frames.write(written, 77)
    assert frames.claimed_after(data, 0) == 77


def test_a_limit_leaves_the_rest_for_later():
    data = frames.write([(FrameKind.RECORD, b"x")] * 5, 0)
    first = frames.read(data, 0, 2)
    assert len(first) == 2
    assert len(frames.read(data[first[-1].end :], first[-1].end, 9)) == 3
