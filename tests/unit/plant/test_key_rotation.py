"""A key's successor: what it may do, when the old one ends, and that nobody is locked out."""

import os
from pathlib import Path

import pytest

from inland.domain.api_keys import secret_sha256, split_api_key
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.plant import Key, Role
from inland.plant.changes import Changes
from inland.plant.keys import MAX_OVERLAP_S, is_live
from tests.unit.plant.parts import NotedFeed, Plant

DAY_S = 86_400


def now_s(plant: Plant) -> int:
    return plant.clock.unix_us() // 1_000_000


@pytest.fixture
def key(plant: Plant) -> Key:
    plant.tenants.add("op", "acme")
    made, _ = plant.keys.add("op", "acme", Role.TENANT_ADMIN, ["smollm2"])
    return made


def test_the_successor_may_do_the_same_and_the_old_one_ends_after_the_overlap(plant, key):
    old, new, text = plant.keys.rotate("op", key.id, DAY_S)
    secret = (split_api_key(text) or ("", ""))[1]
    assert new.secret_sha256 == secret_sha256(secret) != old.secret_sha256
    assert (new.tenant, new.role, new.models) == (key.tenant, key.role, key.models)
    assert (new.expires_unix_s, new.revoked, new.successor) == (None, False, None)
    assert (old.expires_unix_s, old.revoked) == (now_s(plant) + DAY_S, False)
    assert is_live(old, now_s(plant) + DAY_S - 1)
    assert not is_live(old, now_s(plant) + DAY_S)
    assert plant.snapshot.keys[old.id] == old
    assert plant.snapshot.keys[new.id] == new
    assert plant.feed.waited == [plant.snapshot.version], "every gateway takes both"


def test_one_record_names_both_and_no_secret(plant, key):
    before = len(plant.records())
    _, new, text = plant.keys.rotate("op", key.id, 60)
    (record,) = plant.records()[before:]
    assert (record["what"], record["subject"], record["who"]) == ("key.rotate", key.id, "op")
    assert record["details"] == {
        "successor": new.id,
        "tenant": "acme",
        "role": "tenant-admin",
        "expires": None,
        "ends": now_s(plant) + 60,
    }
    assert text.rpartition("_")[2] not in str(record)


def test_without_overlap_the_old_one_is_revoked_in_force(plant, key):
    old, new, _ = plant.keys.rotate("op", key.id, 0)
    assert old.revoked
    assert not new.revoked
    assert plant.feed.waited == [plant.snapshot.version]
    assert plant.records()[-1]["details"]["ends"] == now_s(plant)


def test_a_key_made_to_last_a_while_is_followed_by_one_that_lasts_as_long(plant, key):
    short, _ = plant.keys.add("op", "acme", expires_unix_s=now_s(plant) + 30 * DAY_S)
    plant.clock.now_s += 29 * DAY_S
    old, new, _ = plant.keys.rotate("op", short.id, 7 * DAY_S)
    assert old.expires_unix_s == short.expires_unix_s, "an overlap lengthens nothing"
    assert new.expires_unix_s == now_s(plant) + 30 * DAY_S


def test_a_key_is_rotated_once(plant, key):
    _, new, _ = plant.keys.rotate("op", key.id, DAY_S)
    with pytest.raises(Conflict, match=new.id):
        plant.keys.rotate("op", key.id, DAY_S)
    plant.keys.rotate("op", new.id, DAY_S)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_key_that_has_ended_has_no_successor(plant, key, end):
    if end == "revoked":
        plant.keys.revoke("op", key.id)
    else:
        key, _ = plant.keys.add("op", "acme", expires_unix_s=now_s(plant) + 1)
        plant.clock.now_s += 2
    with pytest.raises(Conflict, match="inland key add"):
        plant.keys.rotate("op", key.id, DAY_S)


def test_another_tenants_key_is_not_found_and_an_endless_overlap_is_refused(plant, key):
    with pytest.raises(NotFound):
        plant.keys.rotate("op", key.id, DAY_S, tenant="demo")
    for wrong in (-1, MAX_OVERLAP_S + 1):
        with pytest.raises(BadInput):
            plant.keys.rotate("op", key.id, wrong)
    assert plant.snapshot.keys[key.id] == key


def operators(plant: Plant) -> Key:
    """An operator's key, kept for the commands on this machine."""
    made, text = plant.keys.add("op", None, Role.OPERATOR)
    (plant.home / "keys" / "operator").write_text(f"{text}\n")
    return made


@pytest.mark.parametrize("overlap_s", [0, DAY_S])
def test_the_operators_commands_go_on_with_the_new_key(plant, overlap_s):
    key = operators(plant)
    _, new, text = plant.keys.rotate(key.id, key.id, overlap_s)
    assert (plant.home / "keys" / "operator").read_text() == f"{text}\n"
    assert (plant.home / "keys" / "operator").stat().st_mode & 0o777 == 0o600
    assert plant.secrets.operator_key() == new.id
    assert not (plant.home / "keys" / "operator.next").exists()


def test_another_operators_key_leaves_the_kept_one_alone(plant):
    kept = operators(plant)
    other, _ = plant.keys.add("op", None, Role.OPERATOR)
    plant.keys.rotate("op", other.id, 0)
    assert plant.secrets.operator_key() == kept.id


def test_a_rotation_that_is_refused_leaves_the_kept_key(plant):
    key = operators(plant)
    plant.keys._most = len(plant.keys.all())
    with pytest.raises(Conflict):
        plant.keys.rotate("op", key.id, 0)
    assert plant.secrets.operator_key() == key.id
    assert not (plant.home / "keys" / "operator.next").exists()


def test_the_successor_of_the_operators_key_is_not_revoked_while_the_old_one_runs_out(plant):
    key = operators(plant)
    old, new, _ = plant.keys.rotate(key.id, key.id, DAY_S)
    with pytest.raises(Conflict, match="last operator key"):
        plant.keys.revoke("op", new.id)
    assert plant.keys.revoke("op", old.id).revoked
    plant.keys.add("op", None, Role.OPERATOR)
    assert plant.keys.revoke("op", new.id).revoked


def test_an_operators_key_whose_time_is_over_can_be_revoked(plant):
    key, _ = plant.keys.add("op", None, Role.OPERATOR, expires_unix_s=now_s(plant) + 1)
    plant.clock.sleep(2)
    assert plant.keys.revoke("op", key.id).revoked


class Killed(BaseException):
    """The process is gone: nothing of it runs after this."""


@pytest.mark.parametrize("overlap_s", [0, DAY_S])
def test_no_kill_while_it_is_rotated_locks_the_operator_out(tmp_path, monkeypatch, overlap_s):
    struck, at = True, 0
    while struck:
        home = tmp_path / str(at)
        home.mkdir()
        struck = rotate_killed_at(at, home, monkeypatch, overlap_s)
        again = Plant(home)
        again.begin()
        again.keys.settle()
        kept = again.secrets.operator_key()
        assert kept is not None, at
        key = again.keys.find(kept)
        assert key is not None, f"killed at {at}: the key kept is not in force"
        assert is_live(key, now_s(again)), f"killed at {at}"
        assert not (home / "keys" / "operator.next").exists()
        again.store.close()
        at += 1
    assert at > 10, "each step was a place to die at"


def rotate_killed_at(at: int, home: Path, monkeypatch: pytest.MonkeyPatch, overlap_s: int) -> bool:
    """Whether there was a step number `at` to be killed before."""
    plant = Plant(home)
    plant.begin()
    key = operators(plant)
    steps = [0]

    def dying(real):
        def step(*args, **kwargs):
            if steps[0] >= at:
                raise Killed
            steps[0] += 1
            return real(*args, **kwargs)

        return step

    with monkeypatch.context() as patch:
        for where, name in (
            *((os, each) for each in ("open", "fsync")),
            *((Path, each) for each in ("rename", "unlink")),
            (Changes, "_publish"),
            (NotedFeed, "wait_in_force"),
        ):
            patch.setattr(where, name, dying(getattr(where, name)))
        try:
            plant.keys.rotate("op", key.id, overlap_s)
        except Killed:
            return True
        finally:
            plant.store.close()
    return False
