"""A world of batches for every test."""

from collections.abc import Iterator

import pytest

from tests.unit.assets.world import small_parts
from tests.unit.batches.world import BatchWorld


@pytest.fixture
def world(tmp_path, monkeypatch) -> Iterator[BatchWorld]:
    small_parts(monkeypatch)
    made = BatchWorld(tmp_path)
    yield made
    made.end()
    made.plant.store.close()
