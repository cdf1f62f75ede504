"""One running factory for the tests that do not break it; those that do make their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factory.running import Running, running


@pytest.fixture(scope="session")
def factory(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """A factory with tenants demo and acme; `model_file` has put the model where `up` looks."""
    assert model_file.exists()
    with running(tmp_path_factory.mktemp("factory") / "home") as up:
        yield up
