"""A line's file is read whole, or refused by table and field."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.decide.lines.line_file import TEXT_BYTES, line_of
from inland.domain.errors import BadInput
from inland.domain.lines import MethodKind, StepKind, TriggerKind

EXAMPLES = Path(__file__).parents[3] / "examples" / "lines"
TRAINED = (EXAMPLES / "work-orders.toml").read_text()
UNTRAINED = (EXAMPLES / "answers-stay-good.toml").read_text()


def test_the_examples_are_lines():
    trained, untrained = line_of(TRAINED), line_of(UNTRAINED)
    assert trained.method is not None
    assert trained.method.kind is MethodKind.LORA
    assert trained.steps == tuple(StepKind)
    assert trained.train == ("work-order-notes",)
    assert trained.gate.suites == ("orders", "general")
    assert untrained.steps == (StepKind.CHECK, StepKind.EVALUATE, StepKind.GATE)
    assert [one.kind for one in untrained.triggers] == [TriggerKind.SCHEDULE]


def test_what_a_trigger_leaves_out_is_not_asked():
    text = 'on = "feedback"\ncorrections = 50\n\n[[trigger]]\non = "score"\npoints = 10'
    feedback, score = line_of(_changed('on = "data"', text)).triggers
    assert (feedback.corrections, feedback.thumbs) == (50, None)
    assert (score.points, score.least, score.thumbs, score.hours) == (10, None, 20, None)


def _changed(old: str, new: str) -> str:
    assert old in TRAINED
    return TRAINED.replace(old, new, 1)


UNRELEASED = _changed('[release]\nname = "work-orders"', "")


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("name =", "file", "TOML"),
        ("#" * (TEXT_BYTES + 1), "file", "longer"),
        ("", "name", "missing"),
        (_changed('name = "work-orders"', 'name = "Work Orders"'), "name", "a-z"),
        (_changed('base = "smollm2"', "base = 3"), "base", "text in quotes"),
        (_changed("epochs = 2", "epochs = 0"), "method.epochs", "from 1 to"),
        (_changed("epochs = 2", "epochs = true"), "method.epochs", "whole number"),
        (_changed("epochs = 2", "epoch = 2"), "method.epoch", "no such field"),
        (_changed("learning_rate = 0.0012", "learning_rate = nan"), "method.learning_rate", "from"),
        (_changed('kind = "lora"', 'kind = "magic"'), "method.kind", "lora, full"),
        (_changed("least = 0.80", "least = 85"), "gate.score[1].least", "from 0 to 1"),
        (_changed('suite = "orders"', 'suite = "order"'), "gate", "orders, general"),
        (_changed("[[gate.score]]", "[gate.score]"), "gate.score", "[[gate.score]]"),
        (_changed("[20, 100]", "[10, 500]"), "rollout.percents", "from 1 to 100"),
        (_changed("[20, 100]", "[50, 10, 100]"), "rollout.percents", "rising"),
        (_changed("[20, 100]", '["all"]'), "rollout.percents", "list of whole numbers"),
        (_changed("samples = 8", "samples = -1"), "rollout.samples", "from 0 to"),
        (
            _changed('name = "work-orders"          # the model', 'approve = "me"\nname = "x" #'),
            "release.approve",
            "person, gate",
        ),
        (_changed('on = "data"', 'on = "schedule"'), "trigger[1].hours", "missing"),
        (_changed('on = "data"', 'on = "moon"'), "trigger[1].on", "data, schedule"),
        (_changed('on = "data"', 'on = "feedback"'), "trigger[1].corrections", "thumbs"),
        (_changed('on = "data"', 'on = "feedback"\nthumbs = 0'), "trigger[1].thumbs", "from 1"),
        (_changed('on = "data"', 'on = "score"\nthumbs = 9'), "trigger[1].points", "least"),
        (_changed('on = "data"', 'on = "score"\npoints = 101'), "trigger[1].points", "100"),
        (_changed('on = "data"', 'on = "data"\nhours = 1'), "trigger[1].hours", "no such field"),
        (
            UNTRAINED.replace('on = "schedule"\nhours = 24', 'on = "score"\nleast = 0.5'),
            "trigger",
            "[release]",
        ),
        (_changed('train = ["work-order-notes"]', "train = []"), "data.train", "needs one"),
        (_changed('["work-order-notes"]', '["a", "a"]'), "data.train", "once"),
        (UNRELEASED, "method.start", "[release]"),
        (UNRELEASED.replace('start = "live"', ""), "rollout", "[release]"),
        (UNTRAINED.replace("[[gate.score]]", "[[gate.regression]]"), "gate.regression[1]", "most"),
        (
            UNTRAINED.replace("[[gate.score]]", "[[gate.regression]]").replace("least", "most"),
            "gate.regression",
            "[method]",
        ),
        (UNTRAINED + '\n[release]\nname = "x"\n', "release", "[method]"),
        (UNTRAINED.replace('name = "general"', 'name = "other"', 1), "gate", "other"),
        (UNTRAINED + "\n[unknown]\n", "unknown", "no such field"),
    ],
)
def test_what_is_wrong_is_told_by_table_and_field(text, field, says):
    with pytest.raises(BadInput) as refused:
        line_of(text)
    assert refused.value.field.startswith(field)
    assert says in str(refused.value)


@given(st.data())
def test_no_file_is_half_a_line(data):
    """Whatever a line of the example is changed to: a line, or a refusal that names a field."""
    lines = TRAINED.splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(
        st.text(max_size=20) | st.from_regex(r"[a-z]{1,9} = (-?[0-9]{1,12}|\{\})")
    )
    text = "\n".join(lines)
    try:
        field, said = "name", line_of(text).name
        assert re.match(r"[a-z0-9._-]+\Z", said)
    except BadInput as refused:
        field, said = refused.field, refused.why
    # A field may be called anything, nothing among it: whoever wrote the file named it.
    assert field or '""' in text or "''" in text
    assert said


def test_deep_files_are_refused():
    with pytest.raises(BadInput):
        line_of("name = " + "[" * 20_000)
    assert tomllib.loads(UNTRAINED)
