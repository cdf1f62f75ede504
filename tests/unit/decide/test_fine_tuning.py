"""A line's file is made of a fine-tuning job, whatever it is, and reads as what was asked."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.decide.evaluation.suite import tasks
from inland.decide.lines.fine_tuning import (
    BATCH,
    DRAWN_CHARS,
    EPOCHS,
    SUFFIX_CHARS,
    SUITE,
    Wanted,
    learning_rate,
    line_text,
    model_name,
    shipped_suite,
)
from inland.decide.lines.line_file import line_of
from inland.domain.errors import BadInput
from inland.domain.ids import is_name
from inland.domain.lines import Approval, Method, StepKind

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?", fullmatch=True)
SUFFIXES = st.just("") | NAMES.filter(lambda text: len(text) <= SUFFIX_CHARS)
DRAWN = st.from_regex(rf"[a-z2-7]{{{DRAWN_CHARS}}}", fullmatch=True)
IDS = st.from_regex(r"[0-9a-f-]{36}", fullmatch=True)
TEXTS = st.dictionaries(st.text(min_size=1, max_size=64), st.text(max_size=512), max_size=16)


@given(
    name=NAMES,
    training=IDS,
    validation=st.none() | IDS,
    seed=st.integers(0, 2**31 - 1),
    epochs=st.none() | st.integers(1, 1000),
    batch=st.none() | st.integers(1, 4096),
    rate=st.none() | st.floats(1e-3, 100),
    metadata=TEXTS,
)
def test_the_file_reads_as_what_was_asked(
    name, training, validation, seed, epochs, batch, rate, metadata
):
    wanted = Wanted(name, training, seed, validation, "", epochs, batch, rate, metadata)
    line = line_of(line_text(name, wanted, None))
    assert (line.name, line.base, line.release, line.once) == (name, name, name, True)
    assert line.train == (f"asset:{training}",)
    assert line.holdout == (() if validation is None else (f"asset:{validation}",))
    assert line.method is not None
    assert (line.method.epochs, line.method.batch) == (epochs or EPOCHS, batch or BATCH)
    assert line.method.learning_rate == Method().learning_rate * (1 if rate is None else rate)
    assert (line.method.seed, line.metadata) == (seed, metadata)
    assert (line.gate.suites, line.approve) == ((SUITE,), Approval.GATE)
    assert line.steps == tuple(StepKind)


@given(base=NAMES, suffix=SUFFIXES, drawn=DRAWN)
def test_its_model_has_a_name_that_a_model_may_have(base, suffix, drawn):
    name = model_name(base, suffix, drawn)
    assert is_name(name)
    assert name.startswith(f"ft-{base[0]}")
    assert name.endswith(f"-{suffix}-{drawn}" if suffix else f"-{drawn}")


@pytest.mark.parametrize("suffix", ["My Model", "x:y", "-", "é", "a" * (SUFFIX_CHARS + 1)])
def test_a_suffix_that_no_name_can_have_is_refused_by_name(suffix):
    with pytest.raises(BadInput, match="suffix"):
        model_name("smollm2", suffix, "abcdefgh")


def test_the_suite_that_ships_is_the_one_of_the_examples():
    assert shipped_suite() == (EXAMPLES / "knowledge" / "suite.jsonl").read_bytes()
    assert len(tasks("shipped", shipped_suite())) == 50


def test_a_base_that_was_tried_has_a_rate_of_its_own():
    tried = "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert learning_rate(tried) > learning_rate("sha256:" + "0" * 64) == learning_rate(None)
