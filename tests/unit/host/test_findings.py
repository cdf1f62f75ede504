"""The doctor finds what is wrong, and says what to do about it."""

import os
import resource
import time
from pathlib import Path

import pytest

from inland.adapters.host import clocks, machine
from inland.adapters.host.findings import Finding, Health
from inland.adapters.host.private import ancestors, private
from inland.adapters.processes import lock
from inland.adapters.processes.identity import own_identity


def test_a_private_home_is_good_and_each_open_entry_is_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for name in ("keys", "run", "journal", "records", "policies"):
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
    (tmp_path / "policies").chmod(0o755)
    assert private(tmp_path).health is Health.WARN, "no secret, and yet nobody's business"


def test_a_model_that_does_not_fit_in_memory_is_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert machine.memory(1 << 60).health is Health.WARN
    free = {"MemAvailable": machine.SPARE_MEMORY_BYTES + 1000}  # not what others leave just now
    monkeypatch.setattr(machine, "_meminfo", lambda: free)
    assert machine.memory(1001).health is Health.WARN
    assert machine.memory(1000).health is Health.GOOD


def test_a_disk_without_the_journals_reserve_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "RESERVE_BYTES", 1 << 62)
    assert machine.disk(tmp_path).health is Health.BAD
    monkeypatch.setattr(machine, "RESERVE_BYTES", 0)
    monkeypatch.setattr(machine, "WARN_DISK_BYTES", 1 << 62)
    assert machine.disk(tmp_path).health is Health.WARN


def test_everything_but_good_says_what_to_do(tmp_path: Path) -> None:
    findings: list[Finding] = machine.machine(tmp_path, 1 << 60, 1024)
    assert {f.what for f in findings} >= {"disk", "memory", "swap", "clock", "open files"}
    for finding in findings:
        assert (finding.remedy == "") == (finding.health is Health.GOOD)


def test_what_belongs_to_another_user_is_found(tmp_path: Path) -> None:
    (tmp_path / "stray").touch(mode=0o600)
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(tmp_path / "stray", 65534, 65534)
    found = private(tmp_path)
    assert found.health is Health.BAD
    assert "stray" in found.told


def test_a_folder_above_that_others_may_write_is_found(tmp_path: Path) -> None:
    home = tmp_path / "open" / "home"
    home.mkdir(parents=True)
    home.parent.chmod(0o777)
    assert ancestors(home).health is Health.BAD
    home.parent.chmod(0o1777)
    assert ancestors(home).health is Health.GOOD


def test_few_inodes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_INODES", 1 << 62)
    found = machine.inodes(tmp_path)
    assert found.health is Health.BAD or found.told == "without limit"


def test_a_disk_that_takes_no_write_is_bad_and_a_slow_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine.syncs(tmp_path / "missing").health is Health.BAD
    monkeypatch.setattr(machine, "SLOW_SYNC_S", 0.0)
    assert machine.syncs(tmp_path).health is Health.WARN
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_fewer_files_than_callers_is_bad() -> None:
    assert machine.open_files(1 << 40).health in {Health.BAD, Health.GOOD}
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY:
        assert machine.open_files(most).health is Health.BAD
        assert machine.open_files(0).health is (
            Health.GOOD if most >= machine.OTHER_FILES else Health.BAD
        )


def test_a_low_limit_of_the_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1, 1))
    found = machine.limits()
    assert found.health is Health.BAD
    assert "RLIMIT_FSIZE is 1" in found.told


def test_a_clock_that_jumped_since_the_start_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    fd = lock.take(path)
    try:
        assert clocks.jumped(path).health in {Health.GOOD, Health.WARN}
        now = time.time() - _lived_s()
        os.utime(path, (now, now))
        assert clocks.jumped(path).health is Health.GOOD
        for by_s, way in ((3600, "back"), (-3600, "forward")):
            os.utime(path, (now + by_s, now + by_s))
            found = clocks.jumped(path)
            told_s, _, told_way = found.told.split()
            assert (found.health, told_way) == (Health.WARN, way)
            assert abs(int(told_s) - 3600) <= clocks.JUMP_S, "less than that is no jump"
    finally:
        os.close(fd)


def _lived_s() -> float:
    """How long this process has run, by the clock that never jumps."""
    _, ticks = own_identity()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def test_records_dated_after_now_are_bad() -> None:
    now_us = int(time.time() * 1e6)
    assert clocks.behind(None).health is Health.GOOD
    assert clocks.behind(now_us - 10**9).health is Health.GOOD
    assert clocks.behind(now_us + 60_000_000).health is Health.BAD


def test_a_process_opens_as_many_files_as_it_needs_and_no_more_than_it_may() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert machine.may_open(300) == 300
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
        assert machine.may_open(100) == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
        if hard != resource.RLIM_INFINITY:
            assert machine.may_open(hard + 1) == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_that_takes_core_dumps_is_warned_of(tmp_path: Path) -> None:
    pattern = tmp_path / "core_pattern"
    for text, health in (
        ("core\n", Health.GOOD),
        ("|/usr/lib/systemd/systemd-coredump %P\n", Health.WARN),
    ):
        pattern.write_text(text)
        assert machine.core_dumps(pattern).health is health
    assert machine.core_dumps(tmp_path / "none").health is Health.GOOD


def test_swap_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for total, health in ((0, Health.GOOD), (1 << 30, Health.WARN)):
        monkeypatch.setattr(machine, "_meminfo", lambda total=total: {"SwapTotal": total})
        assert machine.swap().health is health
