"""An order and an event survive being written down."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.adapters.training import command, events
from inland.domain.lines import Method, MethodKind, Start
from inland.ports.trainer import (
    Checkpoint,
    Progress,
    Refused,
    Trained,
    TrainOrder,
    TrainPlaces,
)

PATHS = st.sampled_from(["/run/assets/a", "/proc/self/fd/7", "asset:b", "-odd name"]).map(
    lambda path: f"/x/{path}"
)
SEVERAL = st.lists(PATHS, max_size=3).map(tuple)
FLOATS = st.floats(0, 10, allow_nan=False)
METHODS = st.builds(
    Method,
    kind=st.sampled_from(MethodKind),
    start=st.sampled_from(Start),
    learning_rate=st.floats(1e-6, 1.0),
    rank=st.integers(1, 64),
    packing=st.booleans(),
    seed=st.integers(0, 2**31),
    checkpoint_steps=st.integers(1, 99),
    gradient_checkpointing=st.booleans(),
)
ORDERS = st.builds(
    TrainOrder,
    base=PATHS,
    data=SEVERAL,
    holdout=SEVERAL,
    method=METHODS,
    threads=st.integers(1, 64),
    start_adapter=st.none() | PATHS,
    rehearsal=SEVERAL,
    checkpoint=st.none() | PATHS,
)
PLACES = st.builds(TrainPlaces, st.tuples(PATHS, PATHS), PATHS, PATHS)


@given(order=ORDERS, places=PLACES)
def test_an_order_is_what_its_words_say(order, places):
    assert command.parsed(command.words(order, places)) == (order, places)


def test_every_path_is_a_word_of_its_own():
    """So that whoever shuts the trainer in can put others in their place."""
    order = TrainOrder("asset:b", ("asset:d",), ("asset:h",), Method(), 1, "asset:s", ("asset:r",))
    words = command.words(replace(order, checkpoint="asset:c"), TrainPlaces(("0", "1"), "2", "3"))
    assert {"asset:b", "asset:d", "asset:h", "asset:s", "asset:r", "asset:c"} <= set(words)


TEXTS = st.text(max_size=9)
EVENTS = (
    st.builds(Progress, st.integers(), st.integers(), FLOATS, st.none() | FLOATS, FLOATS, FLOATS)
    | st.builds(Checkpoint, st.integers(), st.integers(), st.integers(), TEXTS)
    | st.builds(Refused, TEXTS)
    | st.builds(
        Trained,
        order=TEXTS,
        adapter_sha256=TEXTS,
        adapter_bytes=st.integers(),
        gguf_sha256=TEXTS,
        gguf_bytes=st.integers(),
        steps=st.integers(),
        planned=st.integers(),
        loss=FLOATS,
        holdout_loss=st.none() | FLOATS,
        tokens=st.integers(),
        seconds=FLOATS,
        parameters=st.dictionaries(TEXTS, st.integers()),
    )
)


@given(event=EVENTS)
def test_an_event_is_one_line_that_says_it(event):
    line = events.line(event)
    assert "\n" not in line
    assert events.event(line) == event


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"done": {}}', '{"step": 1}', "warning: hot"])
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ValueError, match=r".+"):
        events.event(line)
