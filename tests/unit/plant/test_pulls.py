"""A pull that fails in any way is over, and on the books."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from inland.domain.errors import Conflict
from inland.domain.labels import public_label
from inland.domain.plant import Model
from inland.plant.pulls import Pulls, PullStage
from inland.ports.intake import Order

ORDER = Order("m", "file:/x")


class Changes:
    """Of the changes a pull makes: what it notes."""

    def __init__(self, broken: str = "", **models: Model) -> None:
        state = SimpleNamespace(models=lambda: models)
        self.store = SimpleNamespace(read=lambda: nullcontext(SimpleNamespace(state=state)))
        self.noted: list[str] = []
        self.whys: list[str] = []
        self.broken = broken

    def note(self, _who: str, what: str, _name: str, **more: str) -> None:
        if what == self.broken:
            raise OSError("the disk is full")
        self.noted.append(what)
        self.whys.append(more.get("why", ""))


class Breaking:
    """An intake with a fault."""

    def is_here(self, _model: Model) -> bool:
        return True

    def take(self, _order: Order, _progress: Callable[[int, int], None]) -> None:
        raise ZeroDivisionError


class Talkative(Breaking):
    """An intake that refuses at length, in a stranger's words."""

    def take(self, _order: Order, _progress: Callable[[int, int], None]) -> None:
        raise Conflict("what was pulled", "\a" * 500_000)


def refuse(_run: Callable[[], None]) -> None:
    raise RuntimeError("no thread")


def test_a_fault_of_ones_own_is_booked() -> None:
    changes = Changes()
    pulls = Pulls(changes, Breaking(), lambda run: run(), 8)
    with pytest.raises(ZeroDivisionError):
        pulls.pull("me", ORDER)
    assert changes.noted == ["model.pull", "model.refuse"]
    assert pulls.last("m").stage is PullStage.FAILED


def test_what_is_booked_of_a_refusal_is_short() -> None:
    changes = Changes()
    pulls = Pulls(changes, Talkative(), lambda run: run(), 8)
    pulls.pull("me", ORDER)
    assert changes.noted == ["model.pull", "model.refuse"]
    assert changes.whys[1] == pulls.last("m").why
    assert changes.whys[1].startswith("what was pulled")
    assert len(changes.whys[1]) <= 1000


def test_what_could_not_begin_holds_no_name() -> None:
    for changes, begin in ((Changes("model.pull"), lambda run: run()), (Changes(), refuse)):
        pulls = Pulls(changes, Breaking(), begin, 8)
        with pytest.raises((OSError, RuntimeError)):
            pulls.pull("me", ORDER)
        assert pulls.last("m").stage is PullStage.FAILED


def test_a_pull_takes_no_other_models_file() -> None:
    """Called by the name of another model's weights, it would replace them."""
    other = Model("other", public_label(), (), "sha256:00", file="models/m.v2.gguf")
    changes = Changes(other=other)
    pulls = Pulls(changes, Breaking(), lambda run: run(), 8)
    with pytest.raises(Conflict, match=r"other.*choose another name"):
        pulls.pull("me", replace(ORDER, name="m.v2"))
    assert changes.noted == []
    with pytest.raises(ZeroDivisionError):
        pulls.pull("me", ORDER)
