"""Faults at small size: an engine that lies. `make soak` has each larger."""

from pathlib import Path

import pytest

from inland.domain.plant import EngineKind
from tests.chaos.liars import LIES, mutated
from tests.chaos.lies import hold

MUTATIONS = 40


@pytest.mark.parametrize("kind", list(EngineKind))
def test_an_engine_that_lies_is_never_billed_beyond_what_was_asked(
    kind: EngineKind, tmp_path: Path
) -> None:
    told, broken = hold(kind, tmp_path, LIES)
    assert not broken, broken
    honest = {"two-answers", "two-answers-at-once"}
    assert all(one.ended == "complete" for one in told if one.lie in honest)
    complete = {one.lie for one in told if one.ended == "complete"}
    assert complete <= honest | {"count-of-nothing", "ten-times-uncounted", "after-the-end"}


@pytest.mark.parametrize("kind", list(EngineKind))
def test_an_answer_changed_anywhere_is_whole_or_unbilled(kind: EngineKind, tmp_path: Path) -> None:
    lies = {f"seed-{seed}": mutated(seed) for seed in range(MUTATIONS)}
    _, broken = hold(kind, tmp_path, lies)
    assert not broken, broken
