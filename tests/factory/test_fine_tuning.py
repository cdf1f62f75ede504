"""The official client's fine-tuning jobs, unmodified, at a real factory: what a check finds is told
of its file. What trains is too much for a test: `make soak` has it."""

import openai
import pytest

from inland.decide.lines.fine_tuning import SUITE
from tests.factory.running import MODEL, Running
from tests.patience import until

GOOD = (
    b'{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}\n'
)


def test_a_job_is_created_watched_and_told_what_is_wrong(factory: Running):
    factory.run("tenant", "add", "tuned", "--purposes", "serve,train,evaluate")
    factory.key("tuned", "--role", "tenant-admin")
    with factory.client("tuned") as client:
        file, bad = (
            client.files.create(file=("train.jsonl", content), purpose="fine-tune")
            for content in (GOOD, GOOD + b"{}\n")
        )
        jobs = client.fine_tuning.jobs
        job = jobs.create(
            model=MODEL,
            training_file=bad.id,
            validation_file=file.id,
            suffix="notes",
            seed=4,
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}},
            metadata={"for": "the night shift"},
        )
        assert (job.object, job.model, job.seed) == ("fine_tuning.job", MODEL, 4)
        assert (job.training_file, job.validation_file) == (bad.id, file.id)
        until(lambda: jobs.retrieve(job.id).finished_at is not None)
        done = jobs.retrieve(job.id)
        assert (done.status, done.fine_tuned_model) == ("failed", None)
        assert done.error is not None
        assert done.error.code == "check_refused"
        assert done.metadata == {"for": "the night shift"}
        events = jobs.list_events(job.id, limit=1)
        assert events.data[0].level == "error"
        assert events.data[0].message.startswith("check: refused")
        assert list(jobs.checkpoints.list(job.id)) == []
        assert [one.id for one in jobs.list(limit=1)] == [job.id]
        with pytest.raises(openai.BadRequestError, match="refused"):
            jobs.cancel(job.id)
        with pytest.raises(openai.BadRequestError) as refused:
            jobs.create(model=MODEL, training_file="file-nothing")
        assert refused.value.param == "training_file"
    assert factory.as_tenant("tuned").json("asset", "list")[-1]["name"] == SUITE
    with factory.client("acme") as other, pytest.raises(openai.NotFoundError):
        other.fine_tuning.jobs.retrieve(job.id)
