"""A batch of two hundred through the official client, control killed in the middle of it: each
request is answered once in its file, and what was asked twice is counted."""

import json
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.factory.running import Running, running
from tests.factory.test_batches import requests
from tests.patience import until

REQUESTS = 200
#: A batch of this size takes minutes on two cores: longer than anything else is waited for.
_WAIT_S = 1800


def soak(seed: int, size: int = REQUESTS) -> int:
    """Prints its line; 1 where it does not hold. `size`: requests, one of them for no model."""
    with (
        tempfile.TemporaryDirectory(prefix="inl-") as folder,
        running(Path(folder) / "home") as factory,
    ):
        figure = _measured(factory, Path(folder), seed, size)
    print(json.dumps({"soak": "openai-batch", "seed": seed, **figure}))
    return int(not figure["holds"])


def _measured(factory: Running, folder: Path, seed: int, size: int) -> dict[str, object]:
    begin = time.monotonic()
    with factory.client("demo", max_retries=20) as client:
        file = client.files.create(file=("r.jsonl", requests(size, seed)), purpose="batch")
        batch = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )

        def answered() -> int:
            counts = client.batches.retrieve(batch.id).request_counts
            return 0 if counts is None else counts.completed

        until(lambda: answered() >= size // 10)
        factory.kill("control")
        while (done := client.batches.retrieve(batch.id)).completed_at is None:
            assert time.monotonic() - begin < _WAIT_S, done
            time.sleep(0.5)
        seconds = time.monotonic() - begin
        assert done.output_file_id is not None
        lines = client.files.content(done.output_file_id).text.splitlines()
    told = [json.loads(line) for line in lines]
    names = Counter(one["custom_id"] for one in told)
    once = names == Counter(f"number-{number}" for number in range(1, size))
    ids = {one["response"]["request_id"] for one in told}
    until(lambda: ids <= {one.get("id") for one in factory.records("demo", folder)})
    found = {one.get("id"): one for one in factory.records("demo", folder)}
    (key,) = {found[one]["key"] for one in ids}
    billed = [one for one in found.values() if one.get("key") == key and one.get("billed")]
    again = len(billed) - len(ids)
    limit = 4  # limits.batch_at_once
    return {
        "holds": once and done.status == "completed" and 0 <= again <= limit,
        "requests": size,
        "answered": len(told),
        "seconds": round(seconds, 1),
        "asked_again_after_a_kill": again,
    }
