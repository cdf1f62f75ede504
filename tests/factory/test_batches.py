"""The official client's files and batches, unmodified, at a real factory with the real model."""

import json
from pathlib import Path

import openai
import pytest

from tests.factory.running import MODEL, Running, verify_outside
from tests.patience import until

REQUESTS = 12


def requests(count: int, seed: int = 0) -> bytes:
    """So many questions, the first for a model that is not there."""
    lines = []
    for number in range(count):
        body = {
            "model": MODEL if number else "no-such-model",
            "messages": [{"role": "user", "content": f"Say the number {number}."}],
            "max_tokens": 3,
            "seed": seed,
        }
        asked = {"method": "POST", "url": "/v1/chat/completions", "body": body}
        lines.append(json.dumps({"custom_id": f"number-{number}", **asked}))
    return "\n".join(lines).encode() + b"\n"


def test_a_file_is_uploaded_and_answered_as_a_batch(factory: Running, tmp_path: Path):
    path = tmp_path / "requests.jsonl"
    path.write_bytes(requests(REQUESTS))
    with factory.client("demo") as client:
        with path.open("rb") as content:
            file = client.files.create(file=content, purpose="batch")
        assert (file.filename, file.status, file.purpose) == (path.name, "processed", "batch")
        assert client.files.content(file.id).read() == path.read_bytes()
        batch = client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"night": "shift"},
        )
        until(lambda: client.batches.retrieve(batch.id).completed_at is not None)
        done = client.batches.retrieve(batch.id)
        assert (done.status, done.metadata) == ("completed", {"night": "shift"})
        counts = done.request_counts
        assert counts is not None
        assert (counts.total, counts.completed, counts.failed) == (REQUESTS, REQUESTS - 1, 1)
        assert done.output_file_id
        assert done.error_file_id
        answers = [json.loads(o) for o in client.files.content(done.output_file_id).iter_lines()]
        assert [one["custom_id"] for one in answers] == [f"number-{n}" for n in range(1, REQUESTS)]
        (refused,) = client.files.content(done.error_file_id).text.splitlines()
        assert json.loads(refused)["response"]["body"]["error"]["code"] == "model_not_found"
        assert batch.id in [one.id for one in client.batches.list(limit=1)]
        listed = [one.id for one in client.files.list(purpose="batch_output", limit=1)]
        assert {done.output_file_id, done.error_file_id} <= set(listed)
        with pytest.raises(openai.BadRequestError, match="completed"):
            client.batches.cancel(batch.id)
    with factory.client("acme") as other, pytest.raises(openai.NotFoundError):
        other.files.retrieve(done.output_file_id)
    _are_on_the_books(factory, [one["response"] for one in answers], tmp_path)


def _are_on_the_books(factory: Running, responses: list[dict], folder: Path) -> None:
    """Each answer is a record of the tenant, asked with a key of its batches, and billed."""
    ids = {one["request_id"] for one in responses}
    assert len(ids) == len(responses)
    until(lambda: ids <= {one.get("id") for one in factory.records("demo", folder)})
    records = [one for one in factory.records("demo", folder) if one.get("id") in ids]
    assert all(one["billed"] for one in records)
    (key,) = {one["key"] for one in records}
    (kept,) = [one for one in factory.json("key", "list", "--tenant", "demo") if one["id"] == key]
    assert kept["expires"] is not None
    first = factory.receipt(responses[0]["request_id"], folder / "receipt.json")
    assert verify_outside(first, factory.vkey(folder)).returncode == 0
