"""Supervisors in short folders: unix sockets lie in them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.processes.standing import Standing, config


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="in-") as folder:
        yield Path(folder)


@pytest.fixture
def standing(home: Path) -> Iterator[Standing]:
    factory = Standing(config(home))
    yield factory
    factory.stop()
