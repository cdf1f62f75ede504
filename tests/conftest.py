"""What every test has: sockets closed but for this machine's own, and the embedded model.

Under CI a skip is a failure: there, whatever a test needs must have been installed.
"""

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

from tests.model import embedded_model

#: Laws are tried on the same examples each time; `make soak` tries far more, from a printed seed.
#: How long making them takes is the machine's affair.
_AT_ANY_SPEED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("test", derandomize=True, max_examples=100, **_AT_ANY_SPEED)
SOAK_EXAMPLES = 1000


_FAILED = pytest.StashKey[bool]()
#: Folders, by how long a file in them may take.
_LONGEST_FIRST = ("chaos", "factory", "contract")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak` tries each law on far more examples, or on as many as `--examples` says."""
    parser.addoption("--soak", action="store_true", help="many more examples of each law")
    parser.addoption("--examples", type=int, default=SOAK_EXAMPLES, help="how many, with --soak")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two processes for each processor, for many tests wait most of their time."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The rooms whose files take longest come first, so that no process works alone at the end; in
    a room, files that share what it has come last: a factory that waits for them takes a part of a
    core from the others."""
    shared = {item.path for item in items if _shares(item)}
    items.sort(key=lambda item: (_turn(item), item.path in shared))


def _shares(item: pytest.Item) -> bool:
    """Whether it asks for a fixture that lasts as long as its room."""
    assert isinstance(item, pytest.Function)
    known = item._fixtureinfo.name2fixturedefs.values()
    return any(made[-1].scope == "package" for made in known)


def _turn(item: pytest.Item) -> int:
    names = item.nodeid.split("/")
    return next(
        (turn for turn, room in enumerate(_LONGEST_FIRST) if room in names), len(_LONGEST_FIRST)
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples a law is tried on, and where one of several processes works."""
    hypothesis.settings.register_profile(
        "soak", max_examples=config.getoption("--examples"), print_blob=True, **_AT_ANY_SPEED
    )
    hypothesis.settings.load_profile("soak" if config.getoption("--soak") else "test")
    if hasattr(config, "workerinput"):  # a home lies in it, whose sockets' paths must be short
        config.option.basetemp = tempfile.mkdtemp(prefix="inl-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """What such a process leaves is removed, unless a test failed and somebody may want to look."""
    if hasattr(config, "workerinput") and not config.stash.get(_FAILED, False):
        shutil.rmtree(config.option.basetemp, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under CI, end in failure if anything was skipped, and say what."""
    session.config.stash[_FAILED] = session.testsfailed > 0
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get("CI", "").lower() not in {"1", "true"}:
        return
    for report in reporter.stats.get("skipped", []):
        reporter.write_line(f"skipped under CI: {report.nodeid}: {report.longreprtext}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The embedded model, here from now on."""
    return embedded_model()
