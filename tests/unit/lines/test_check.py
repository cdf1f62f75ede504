"""Whatever forbids a run is told before a step of it is done, with what would make it pass."""

import json
from dataclasses import replace

from inland.bootstrap.evaluation import File, check, said
from inland.domain.labels import Purpose
from inland.domain.lines import RunState, StepKind
from inland.lines.steps.check import Check
from inland.plant.asset_terms import AssetTerms
from tests.unit.lines.world import LINE, SUITE, LineWorld

TRAINED = (
    LINE
    + """
[data]
train = ["notes"]
holdout = ["held"]

[method]
kind = "lora"
"""
)


def example(question: str) -> bytes:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": "Noted."}]
    return json.dumps({"messages": turns}).encode() + b"\n"


NOTES = b"".join(example(f"The pump number {n} in hall {n * 7} leaks oil") for n in range(3))
HELD = example("Why does the crane by the northern gate refuse to turn?")


def refused(world: LineWorld, line: str = LINE) -> str:
    """Why a run was, of which no step but the check was begun."""
    world.declare(line)
    run = world.ended(world.start())
    assert run.state is RunState.REFUSED, run.why
    assert tuple(world.steps(run)) == (StepKind.CHECK,)
    assert world.tokens.asked == []
    assert run.why
    return " ".join(
        str(value)
        for one in world.steps(run)[StepKind.CHECK].outputs["findings"]
        for value in one.values()
    )


def able(world: LineWorld) -> None:
    """As if the factory had a part for every step."""
    check_step = world.room.worker._kinds[StepKind.CHECK]
    assert isinstance(check_step, Check)
    check_step._can_do = frozenset(StepKind)
    label_acme(world, Purpose.SERVE, Purpose.TRAIN)


def label_acme(world: LineWorld, *purposes: Purpose) -> None:
    """What the tenant's own label lets be done with what it sends."""
    with world.plant.changes.change("op") as change:
        acme = change.state.tenants()["acme"]
        label = replace(acme.label, purposes=purposes)
        change.state.put_tenant(replace(acme, label=label))
        change.touch()


def data(world: LineWorld, notes: bytes = NOTES, held: bytes = HELD, **more) -> str:
    world.add_suite()
    world.add(held, name="held")
    return world.add(notes, name="notes", **more)


def test_a_method_that_nothing_here_does_is_refused_by_name(world):
    able(world)
    data(world)
    assert "give lora" in refused(world, TRAINED.replace('"lora"', '"full"'))


def test_a_method_without_a_trainer_says_how_to_have_one(world):
    able(world)
    data(world)
    world.trainer.there = False
    why = refused(world, TRAINED)
    assert "no trainer is installed here" in why
    assert world.trainer.remedy() in why


def test_a_tenants_label_that_forbids_training(world):
    able(world)
    data(world)
    label_acme(world, Purpose.SERVE)
    why = refused(world, TRAINED)
    assert "train of model smol is refused (use.purpose)" in why
    assert "inland tenant label acme --purposes serve,train" in why
    with world.plant.changes.change("op") as change:
        change.state.put_tenant(replace(change.state.tenants()["acme"], declared=True))
        change.touch()
    assert 'purposes = ["serve", "train"] in factory.toml' in refused(world, TRAINED)


def test_a_label_that_forbids_training(world):
    able(world)
    asset = data(world, terms=AssetTerms(purposes=(Purpose.SERVE,)))
    why = refused(world, TRAINED)
    assert asset in why
    assert "to train" in why
    assert f"inland asset label {asset} --purposes serve,train" in why


def test_a_label_of_the_result_that_forbids_serving_here(world):
    able(world)
    data(world, terms=AssetTerms(derived_purposes=(Purpose.EVALUATE,)))
    why = refused(world, TRAINED)
    assert "could not be served here" in why
    assert "derived_purposes" in why


def test_a_release_that_a_deployment_is_called_as(world):
    able(world)
    data(world)
    why = refused(world, TRAINED + '\n[release]\nname = "smollm2"\n')
    assert "a deployment is called 'smollm2'" in why


def test_a_suite_that_may_not_be_evaluated_with(world):
    world.add_suite(terms=AssetTerms(purposes=(Purpose.TRAIN,)))
    assert "to evaluate" in refused(world)


def test_a_base_that_does_not_verify(world):
    world.add_suite()
    world.broken = "its bytes are not what was signed"
    why = refused(world)
    assert world.broken in why
    assert "inland model verify" in why


BAD_NOTES = {
    b"\n": "has no line",
    b"not json\n": "line 1",
    NOTES + b'{"messages": []}\n': "line 4: messages",
    NOTES + b'{"messages": [{"role": "king", "content": "x"}]}\n': "line 4: messages[0].role",
    NOTES + HELD: "leaks: 1 of its questions",
}


def test_data_that_is_empty_malformed_or_leaking(world):
    able(world)
    data(world)
    for notes, says in BAD_NOTES.items():
        world.add(notes, name="notes")
        assert says in refused(world, TRAINED)


def test_a_suite_that_is_malformed_or_asks_another_model(world):
    world.add_suite(SUITE + b'{"input": "x"}\n')
    assert "line 3: reference" in refused(world)
    world.add_suite(SUITE + b'{"input": "x", "reference": "y", "scorer": "judge"}\n')
    assert "scorer judge" in refused(world)


def test_all_that_is_in_order_is_found_so():
    files = [File("train", "n", NOTES), File("holdout", "h", HELD), File("suite", "s", SUITE)]
    told = check(files)
    assert told["findings"] == []
    assert told["counts"] == {"train n": 3, "holdout h": 1, "suite s": 2}


def test_what_reads_answers_even_about_what_it_cannot_read(tmp_path):
    file = tmp_path / "suite"
    file.write_bytes(b"?")
    assert "refused" in json.loads(said(["ask", "suite", "=s", str(file)]))
