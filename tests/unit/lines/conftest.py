"""A world of lines for every test."""

from collections.abc import Iterator

import pytest

from tests.unit.assets.world import small_parts
from tests.unit.lines.world import LineWorld


@pytest.fixture
def world(tmp_path, monkeypatch) -> Iterator[LineWorld]:
    small_parts(monkeypatch)
    made = LineWorld(tmp_path)
    yield made
    made.tokens.gate.set()
    made.room.worker.stop_all()
    made.quiet()
    made.plant.store.close()
