"""No byte of what a tenant keeps or asks reaches a disk in the open, and nothing is connected to.

Every process is followed by strace. That the checker sees is shown by a program that leaks in each
way there is, and by an export to a disk, which leaks by being one.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factory.canary import leaks
from tests.factory.canary.forms import Needles, canary, names
from tests.factory.canary.judging import Allowed, Disks, Finding, judged
from tests.factory.canary.life import life
from tests.factory.canary.trace import Call, Trace

SEED = "test"


def _name(way: object) -> str:
    return str(getattr(way, "__name__", "")).rstrip("_")


@pytest.fixture(scope="module")
def leaked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Finding]]:
    """What is found of a program that leaks in every way."""
    folder = tmp_path_factory.mktemp("leaks")
    if not Disks().hold(str(folder)):
        pytest.skip(f"{folder} lies in memory: nothing rests there (see --basetemp)")
    trace = Trace(rings=True)
    words = [sys.executable, "-m", "tests.factory.canary.leaks", str(folder), SEED]
    subprocess.run([*trace.words(), *words], check=True, stderr=subprocess.PIPE)
    trace.settle()
    told = {_name(way): leaks.text(_name(way), SEED) for way in (*leaks.TOLD, leaks.harmless)}
    yield judged(trace.calls(), Needles(told), Allowed())
    trace.close()


@pytest.mark.parametrize("way", leaks.TOLD, ids=_name)
def test_a_text_is_found_whatever_way_it_goes_to_a_disk(leaked: list[Finding], way: object) -> None:
    assert _name(way) in {name for one in leaked for name in names(one.canaries)}


@pytest.mark.parametrize("way", leaks.SEEN, ids=_name)
def test_what_no_text_can_be_read_of_is_found_for_what_it_is(
    leaked: list[Finding], way: object
) -> None:
    assert [one for one in leaked if leaks.SEEN[way] in one.what]


def test_what_stays_in_memory_is_not_found(leaked: list[Finding]) -> None:
    assert "harmless" not in {name for one in leaked for name in names(one.canaries)}
    assert not [one.what for one in leaked if "/dev/shm" in one.what]  # noqa: S108 - of the text


def test_where_a_path_lies_is_told_by_the_mounts_of_who_writes_there() -> None:
    """A job's own folder is memory, and another's of the same name a disk."""
    memory, disk = (Disks(f"1 0 0:1 / / rw - {kind} none rw") for kind in ("tmpfs", "ext4"))
    text = canary(SEED)

    def hexed(of: str) -> str:
        return "".join(f"\\x{one:02x}" for one in of.encode())

    argument = f'3<{hexed("/var/own")}>, "{hexed(text)}", {len(text)}) = {len(text)}'
    calls = [Call(pid, "write", argument) for pid in (7, 8)]
    found = judged(calls, Needles({"it": text}), Allowed(), {7: memory, 8: disk})
    assert [(one.pid, one.what) for one in found] == [(8, "wrote to /var/own")]


def test_nothing_planted_rests_on_a_disk_and_nothing_is_connected_to(
    tmp_path: Path, model_file: Path
) -> None:
    """All there is to find is the export to a disk, which shows that the rest would be found."""
    assert model_file.exists()
    with life(tmp_path, SEED) as lived:
        asset = lived.upload(300_000)
        lived.read(asset)
        lived.serve()
        lived.refuse()
        followed = lived.followed()
        assert lived.resting() == {}
        exported = lived.leak(asset)
        calls = lived.calls()
        assert set(followed) >= {"supervisor", "control", "gateway", "engine"}
        seen = {one.pid for one in calls}
        assert {role for role, pids in followed.items() if not pids <= seen} == set()
        (found,) = lived.judged(calls)
        assert found.what.startswith(f"wrote to {exported.parent}/.{exported.name}")
        assert names(found.canaries) == {"bytes"}
        assert set(lived.resting()) == {str(exported)}
