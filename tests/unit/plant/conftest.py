"""A plant of its own for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.plant.parts import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """Begun, with the declared model and deployment."""
    made = Plant(tmp_path)
    made.begin()
    yield made
    made.store.close()
