"""One running factory for the tests that do not break it; those that do make their own.

It is gone before tests of other rooms begin: even one that nobody asks takes a part of a core.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factory import tools_model
from tests.factory.running import Running, running


@pytest.fixture(scope="package")
def factory(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """A factory with tenants demo and acme; `model_file` has put the model where `up` looks."""
    assert model_file.exists()
    with running(tmp_path_factory.mktemp("factory") / "home") as up:
        yield up


@pytest.fixture(scope="package")
def plant(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    """A factory with the embedded model twice: as it is, and under a template that knows tools."""
    folder = tmp_path_factory.mktemp("dialect")
    file = tools_model.write(model_file, folder / "tools.gguf")
    declared = tools_model.declared(file, tools_model.NAME)
    with running(folder / "home", more=declared) as up:
        yield up
