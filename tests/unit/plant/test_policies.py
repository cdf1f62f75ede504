"""Policy sets: in force whole or not at all, and never forgotten."""

import pytest

from inland.decide.policy_set import default_files, policy_digest, split_files
from inland.domain.errors import BadInput
from inland.plant.explain import Explain, Question
from tests.unit.plant.parts import SITE

EXTRA = '@id("nobody")\nforbid (principal, action, resource);\n'


def test_first_start_takes_the_folder_or_else_the_defaults(plant):
    digest, files = plant.policies.in_force()
    assert files == default_files()
    assert digest == policy_digest(plant.snapshot.policy_text)
    assert plant.folder.read() == default_files()
    assert plant.feed.waited == [], "the first set takes nothing away"


def test_a_set_is_applied_whole_and_waits_until_it_is_in_force(plant):
    files = {**default_files(), "extra.cedar": EXTRA}
    digest = plant.policies.apply("op", files)
    assert plant.snapshot.policy_digest == digest
    assert plant.feed.waited[-1] == plant.snapshot.version
    assert plant.folder.read() == files
    plant.policies.apply("op", default_files())
    assert plant.folder.read() == default_files()


def test_a_broken_set_changes_nothing(plant):
    before, there = plant.snapshot, plant.folder.read()
    with pytest.raises(BadInput):
        plant.policies.apply("op", {**default_files(), "extra.cedar": "permit ("})
    assert plant.changes.snapshot() == before
    assert plant.folder.read() == there


def test_a_file_edited_by_hand_is_told_and_not_in_force(plant):
    (plant.home / "policies" / "use.cedar").write_text(EXTRA)
    (plant.home / "policies" / "new.cedar").write_text(EXTRA)
    (plant.home / "policies" / "border.cedar").unlink()
    assert plant.policies.drift() == ["border.cedar", "new.cedar", "use.cedar"]
    assert plant.policies.in_force()[1] == default_files()


class _OneRecord:
    def __init__(self, record):
        self.record = record

    def locate(self, ref):
        return (self.record["tenant"], self.record) if ref == self.record["id"] else None


def test_a_record_is_explained_by_the_policy_of_its_time(plant):
    digest = plant.snapshot.policy_digest
    record = {
        "id": "r1",
        "kind": "request",
        "time": 1,
        "tenant": "acme",
        "decision": "allow",
        "decided_by": ["use"],
        "policy": digest,
        "place": {"stands": "DE"},
    }
    explain = Explain(plant.changes, _OneRecord(record), SITE)
    then = explain.record("r1")
    assert "containsAny" in then["rules"]["use"]
    plant.policies.apply(
        "op", {"extra.cedar": EXTRA + EXTRA.replace("forbid", "permit").replace("nobody", "any")}
    )
    assert explain.record("r1") == then


def test_a_question_is_answered_by_the_policy_in_force(plant):
    plant.tenants.add("op", "acme")
    plant.tenants.add("op", "held", ["US"])
    explain = Explain(plant.changes, _OneRecord({"id": "", "tenant": None}), SITE)
    assert explain.question(Question("acme", deployment="smollm2"))["decision"] == "allow"
    denied = explain.question(Question("held", deployment="smollm2"))
    assert denied["decision"] == "deny"
    assert denied["decided_by"] == ["border.tenant"]
    assert "forbid" in denied["rules"]["border.tenant"]
    elsewhere = explain.question(Question("held", deployment="smollm2", place="US/US"))
    assert elsewhere["decision"] == "allow"


def test_every_set_that_was_in_force_can_be_read_back(plant):
    first = plant.snapshot.policy_digest
    files = {**default_files(), "extra.cedar": EXTRA}
    plant.policies.apply("op", files)
    with plant.store.read() as transaction:
        assert split_files(transaction.state.policy(first)) == default_files()
