"""The doctor finds what is wrong, and says what to do about it."""

from pathlib import Path

import pytest

from inland.adapters.host import machine
from inland.adapters.host.findings import Finding, Health
from inland.adapters.host.private import private


def test_a_private_home_is_good_and_each_open_entry_is_found(tmp_path: Path) -> None:
    for name in ("keys", "run", "journal", "records"):
        (tmp_path / name).mkdir(mode=0o700)
    for path in (tmp_path / "keys" / "operator", tmp_path / "inland.db"):
        path.touch(mode=0o600)
    assert private(tmp_path).health is Health.GOOD
    for path in (tmp_path / "keys" / "operator", tmp_path / "run", tmp_path / "inland.db"):
        before = path.stat().st_mode
        path.chmod(before | 0o004)
        found = private(tmp_path)
        assert found.health is Health.BAD
        assert str(path.relative_to(tmp_path)) in found.told
        path.chmod(before)


def test_a_model_that_does_not_fit_in_memory_is_warned_of() -> None:
    assert machine.memory(1 << 60).health is Health.WARN
    assert machine.memory(0).health is Health.GOOD


def test_a_disk_without_the_journals_reserve_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "RESERVE_BYTES", 1 << 62)
    assert machine.disk(tmp_path).health is Health.BAD
    monkeypatch.setattr(machine, "RESERVE_BYTES", 0)
    monkeypatch.setattr(machine, "WARN_DISK_BYTES", 1 << 62)
    assert machine.disk(tmp_path).health is Health.WARN


def test_everything_but_good_says_what_to_do(tmp_path: Path) -> None:
    findings: list[Finding] = machine.machine(tmp_path, 1 << 60)
    assert {f.what for f in findings} >= {"disk", "memory", "swap", "clock", "open files"}
    for finding in findings:
        assert (finding.remedy == "") == (finding.health is Health.GOOD)
