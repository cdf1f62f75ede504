"""Processes of two versions beside one another: they work, or every side says why not.

The package is replaced under a running factory, as an upgrade does, by a copy that speaks another
form of the feed; then one process after the other is killed and comes back as the copy.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import inland
from inland.adapters.feed.frames import SPOKEN
from tests.factory.running import MODEL, Running
from tests.patience import until

LATER = "9.9.9"
#: What a version speaks that ours does not.
NEXT = (SPOKEN[1] + 1, SPOKEN[1] + 1)
ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 2}


@dataclass
class Installed:
    """Where the factory's processes find the package: the version of today, or a later one."""

    link: Path
    later: Path

    def upgrade(self) -> None:
        self._point(self.later)

    def downgrade(self) -> None:
        self._point(Path(inland.__file__).parent)

    def _point(self, target: Path) -> None:
        aside = self.link.with_name("next")
        aside.symlink_to(target)
        aside.replace(self.link)


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    later = tmp_path / "later" / "inland"
    ours = Path(inland.__file__).parent
    shutil.copytree(ours, later, ignore=shutil.ignore_patterns("__pycache__"))
    for file, before, after in (
        ("__init__.py", f'"{inland.__version__}"', f'"{LATER}"'),
        ("adapters/feed/frames.py", f"SPOKEN = {SPOKEN}", f"SPOKEN = {NEXT}"),
    ):
        text = (later / file).read_text()
        assert before in text
        (later / file).write_text(text.replace(before, after))
    (tmp_path / "path").mkdir()
    made = Installed(tmp_path / "path" / "inland", later)
    made.downgrade()
    return made


@pytest.fixture
def factory(tmp_path: Path, model_file: Path, installed: Installed) -> Iterator[Running]:
    assert model_file.exists()
    up = Running(tmp_path / "h", environment={"PYTHONPATH": str(installed.link.parent)})
    up.up()
    try:
        yield up
    finally:
        up.run("down", check=False)


def answer(factory: Running) -> tuple[int, str | None]:
    """The status of one request, and the code of its refusal; 0 where nobody listens just now."""
    try:
        with factory.http("demo", trust_env=False) as http:
            reply = http.post("/v1/chat/completions", json=ASK)
    except OSError:
        return 0, None
    except Exception as error:  # noqa: BLE001 - httpx has its own for what a socket says
        return 0, type(error).__name__
    return reply.status_code, (reply.json().get("error") or {}).get("code")


def versions(factory: Running) -> dict[str, str]:
    """What each process says that it runs."""
    return {one["name"]: one["inland"] for one in factory.json("status")["processes"]}


def demand_said(factory: Running, home: Path) -> None:
    """The caller, the status and both logs say that versions differ."""
    until(lambda: answer(factory) == (503, "versions_differ"))
    until(lambda: "their feeds differ" in factory.run("status").stdout)
    assert "restart the factory" in factory.run("status").stdout
    for name in ("control", "gateway-0"):
        until(lambda: _says_which(home / "logs" / f"{name}.log"), name)  # noqa: B023 - called at once


def _says_which(log: Path) -> bool:
    said = log.read_text()
    return f"is Inland {LATER}" in said or f"this is {LATER}" in said


def test_an_upgrade_under_a_running_factory_works_or_says_why_not(
    factory: Running, installed: Installed
) -> None:
    assert answer(factory) == (200, None)
    installed.upgrade()
    factory.kill("gateway")
    demand_said(factory, factory.home)  # a newer gateway beside an older control
    factory.kill("control")
    until(lambda: answer(factory) == (200, None))
    until(lambda: versions(factory)["control"] == versions(factory)["gateway-0"] == LATER)
    assert versions(factory)["supervisor"] == inland.__version__
    installed.downgrade()
    assert f"control runs Inland {LATER}" in factory.run("status").stdout
    for log in ("control", "gateway-0"):
        (factory.home / "logs" / f"{log}.log").write_text("")
    factory.kill("gateway")
    demand_said(factory, factory.home)  # and the other way round
    assert factory.run("ledger", "check").returncode == 0
    factory.kill("control")
    until(lambda: answer(factory) == (200, None))
    until(  # of three versions' journals
        lambda: sum(one["requests"] for one in factory.json("usage")) >= 3
    )
