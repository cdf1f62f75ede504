"""/v1/fine_tuning/jobs in the words of OpenAI's clients."""

import pytest

from inland.domain.assets import AssetKind
from inland.domain.lines import StepKind
from inland.lines.keeping import Content, Keeper, Making
from tests.unit.api.test_files import added

EXAMPLE = (
    b'{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}\n'
)
PATH = "/v1/fine_tuning/jobs"


def asked(factory, **more):
    """A body, with a file that may be trained on."""
    file = added(factory.as_("acme-member"), "fine-tune", EXAMPLE)["id"]
    return {"model": "smollm2", "training_file": file, **more}


def begun(factory, **more):
    got = factory.as_("acme-admin").post(PATH, json=asked(factory, **more))
    assert got.status_code == 200, got.text
    return got.json()


def test_a_job_is_begun_listed_shown_and_cancelled(factory):
    member = factory.as_("acme-member")
    chosen = {"n_epochs": 5, "batch_size": "auto", "learning_rate_multiplier": 2}
    body = asked(factory, suffix="mine", seed=3, hyperparameters=chosen, metadata={"a": "b"})
    body["validation_file"] = body["training_file"]
    assert member.post(PATH, json=body).status_code == 403, "its gate approves what it makes"
    made = factory.as_("acme-admin").post(PATH, json=body).json()
    told = {"n_epochs": 5, "batch_size": 4, "learning_rate_multiplier": 2.0}
    wanted = {
        "object": "fine_tuning.job",
        "status": "validating_files",
        "model": "smollm2",
        "training_file": body["training_file"],
        "validation_file": body["validation_file"],
        "fine_tuned_model": None,
        "hyperparameters": told,
        "method": {"type": "supervised", "supervised": {"hyperparameters": told}},
        "seed": 3,
        "metadata": {"a": "b"},
        "organization_id": "acme",
        "error": None,
        "finished_at": None,
    }
    assert made | wanted == made
    assert member.get(f"{PATH}/{made['id']}").json() == made
    assert member.get(PATH).json()["data"] == [made]
    ended = member.post(f"{PATH}/{made['id']}/cancel").json()
    assert (ended["status"], ended["finished_at"] is None) == ("cancelled", False)
    again = member.post(f"{PATH}/{made['id']}/cancel")
    assert (again.status_code, "cancelled" in again.json()["error"]["message"]) == (400, True)
    other = factory.as_("demo-member")
    assert other.get(f"{PATH}/{made['id']}").status_code == 404
    assert other.get(PATH).json()["data"] == []


def test_hyperparameters_are_read_where_the_method_has_them(factory):
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}}
    assert begun(factory, method=method)["hyperparameters"]["n_epochs"] == 1


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"training_file": "file-nothing"}, "training_file"),
        ({"validation_file": "file-nothing"}, "validation_file"),
        ({"model": "gpt-4o-mini"}, "model"),
        ({"suffix": "My Model"}, "suffix"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed"),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"n_epochs": "many"}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"n_epochs": None}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"batch_size": 2.5}}, "hyperparameters.batch_size"),
        ({"hyperparameters": {"learning_rate_multiplier": 0}},
         "hyperparameters.learning_rate_multiplier"),
        ({"hyperparameters": {"beta": 1}}, "hyperparameters.beta"),
        ({"hyperparameters": {"n_epochs": 1}, "method": {"type": "supervised"}}, "hyperparameters"),
        ({"method": {"type": "dpo", "dpo": {}}}, "method.type"),
        ({"method": {"type": "supervised", "dpo": {}}}, "method.dpo"),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, "integrations"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"n_epochs": 3}, "n_epochs"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_a_400_that_names_it(factory, more, param):
    got = factory.as_("acme-admin").post(PATH, json=asked(factory, **more))
    assert got.status_code == 400, got.text
    error = got.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param), error
    assert factory.control.lines.lines.all() == []


def test_its_log_is_its_events_and_what_it_kept_its_checkpoints(factory):
    job = begun(factory)
    run, _ = factory.control.lines.runs.show("acme", job["id"].removeprefix("ftjob-"))
    with factory.plant.store.write() as transaction:
        for number, text in enumerate(("begins", "epoch 1 of 3: loss 0.50", "failed: no room"), 1):
            transaction.lines.log(run.id, number * 1_000_000, StepKind.TRAIN.value, text, 10)
    member = factory.as_("acme-member")
    listed = member.get(f"{PATH}/{job['id']}/events", params={"limit": 2}).json()
    told = [(one["message"], one["level"], one["created_at"]) for one in listed["data"]]
    assert told == [
        ("train: failed: no room", "error", 3),
        ("train: epoch 1 of 3: loss 0.50", "info", 2),
    ]
    assert listed["has_more"] is True
    last = {"after": listed["last_id"]}
    rest = member.get(f"{PATH}/{job['id']}/events", params=last).json()
    assert ([one["message"] for one in rest["data"]], rest["has_more"]) == (
        ["train: begins"],
        False,
    )
    wrong = member.get(f"{PATH}/{job['id']}/events", params={"after": "ftevent-9"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "after")

    keeper, base = Keeper(factory.plant.changes, factory.plant.room), factory.plant.snapshot
    making = Making(run, (run.materials.train[0].asset,), base.models[run.materials.model])
    for step in (20, 40):
        keeper.keep(making, AssetKind.CHECKPOINT, "c", Content.of(b"x"), f"step {step}")
        factory.plant.clock.sleep(1)
    shown = member.get(f"{PATH}/{job['id']}/checkpoints").json()["data"]
    assert [(one["step_number"], one["fine_tuning_job_id"]) for one in shown] == [
        (40, job["id"]),
        (20, job["id"]),
    ]
    assert shown[0]["fine_tuned_model_checkpoint"].startswith("asset:")
