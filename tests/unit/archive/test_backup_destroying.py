"""Records are destroyed while a backup is made: what is restored of it is good."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from inland.adapters.home.layout import Home
from inland.bootstrap.backup import Made, Wanted, back_up
from inland.bootstrap.books import check_ledger
from inland.bootstrap.restore import restore
from inland.domain.errors import Busy
from inland.plant.books.pinned import TRIES
from inland.plant.destroying import Destroying
from tests.unit.books.destroying_world import DECEMBER_S, JANUARY_S, KEYS, World


class Cut(Exception):
    """It ends here, for now."""


@contextmanager
def no_bar(_what: str) -> Iterator[Callable[[int, int], None]]:
    yield lambda _done, _total: None


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "home")
    yield made
    made.home.close()


def keep(world: World, file: Path, *meanwhile: Callable[[], object]) -> Made:
    """A backup, and each time that it has copied the books the next of `meanwhile` happens."""
    left = list(meanwhile)

    def tell(_: object) -> None:
        if left:
            left.pop(0)()

    home = world.home.home
    return back_up(home, file, passphrase=None, wanted=Wanted(), bar=no_bar, tell=tell)


def problems(file: Path, root: Path) -> tuple[str, ...]:
    restore(file, Home(root), passphrase=None, revoke_keys=False, bar=no_bar)
    return check_ledger(root).problems


def test_what_was_destroyed_meanwhile_is_on_the_books_of_the_backup(world: World, tmp_path: Path):
    keep(
        *(world, tmp_path / "b"),
        lambda: world.destroying.destroy(KEYS["admin"], "acme", DECEMBER_S),
        lambda: world.destroying.destroy(KEYS["other"], "demo", JANUARY_S),
    )
    assert problems(tmp_path / "b", tmp_path / "again") == ()
    again = World(tmp_path / "again")
    with again.store.read() as transaction:
        assert len(transaction.books.destructions()) == 2
    again.home.close()


def test_what_was_intended_before_and_is_ended_meanwhile_is_gone_on_with(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def cut(*_: object) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(Destroying, "_carry_out", cut)
        with pytest.raises(Cut):
            world.destroying.destroy(KEYS["admin"], "acme", JANUARY_S)
    keep(world, tmp_path / "b", world.destroying.step, lambda: pytest.fail("once is enough"))
    assert problems(tmp_path / "b", tmp_path / "again") == ()
    again = World(tmp_path / "again")
    again.destroying.step()
    again.home.close()
    assert check_ledger(tmp_path / "again").problems == ()


def test_one_destruction_after_the_other_leaves_no_backup(world: World, tmp_path: Path):
    befores = (DECEMBER_S - 86_000, DECEMBER_S, DECEMBER_S + 60, JANUARY_S)
    acts = [
        partial(world.destroying.destroy, KEYS[key], tenant, before)
        for key, tenant in (("admin", "acme"), ("other", "demo"))
        for before in befores
    ]
    assert len(acts) > TRIES
    with pytest.raises(Busy, match="destroyed"):
        keep(world, tmp_path / "b", *acts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]
