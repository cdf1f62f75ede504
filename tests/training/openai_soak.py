"""The whole way of the official client, with the real trainer and the embedded model: a file, a
job, its events, and questions to the model that came of it.

`python -m tests.training.openai_soak` prints one JSON line.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.factory.running import MODEL, Running, running
from tests.training.environment import ROOT, python
from tests.training.line_soak import DECLARED, LOOK_S, TENANT, TRAINED_S

DATA = ROOT / "examples" / "work-orders"
#: Examples that are learned, and held out; what is asked of it then.
LEARNED, HELD, ASKED = 24, 8, 8


def measure(seed: int) -> dict[str, Any]:
    """The figure."""
    python()  # where the trainer is not there yet
    with (
        tempfile.TemporaryDirectory(prefix="inl-") as folder,
        running(Path(folder) / "home", more=DECLARED) as factory,
    ):
        return _measured(factory, seed)


def _measured(factory: Running, seed: int) -> dict[str, Any]:
    factory.key(TENANT, "--role", "tenant-admin")
    began = time.monotonic()
    with factory.client(TENANT, max_retries=20) as client:
        files = [
            client.files.create(
                file=(f"{name}.jsonl", b"".join(_lines(name)[:most])), purpose="fine-tune"
            ).id
            for name, most in (("train", LEARNED), ("holdout", HELD))
        ]
        job = client.fine_tuning.jobs.create(
            model=MODEL,
            training_file=files[0],
            validation_file=files[1],
            suffix="orders",
            seed=seed,
            hyperparameters={"n_epochs": 2},
        )
        while (done := client.fine_tuning.jobs.retrieve(job.id)).finished_at is None:
            assert time.monotonic() - began < TRAINED_S, done
            time.sleep(LOOK_S)
        events = [one.message for one in client.fine_tuning.jobs.list_events(job.id, limit=100)]
        seconds = time.monotonic() - began
        answers = [
            client.chat.completions.create(
                model=done.fine_tuned_model or MODEL,
                messages=[json.loads(line)["messages"][0]],
                max_tokens=96,
                temperature=0,
            )
            for line in _lines("holdout")[HELD : HELD + ASKED]
        ]
    named = {answer.model for answer in answers} == {done.fine_tuned_model}
    return {
        "holds": done.status == "succeeded" and named and bool(done.trained_tokens),
        "status": done.status,
        "error": None if done.error is None else done.error.message,
        "model": done.fine_tuned_model,
        "trained_tokens": done.trained_tokens,
        "events": len(events),
        "json_answers": sum(_is_json(one.choices[0].message.content or "") for one in answers),
        "asked": len(answers),
        "seconds": round(seconds, 1),
    }


def _lines(name: str) -> list[bytes]:
    return (DATA / f"{name}.jsonl").read_bytes().splitlines(keepends=True)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def soak(seed: int) -> int:
    """Prints its line; 1 where it does not hold."""
    figure = measure(seed)
    print(json.dumps({"soak": "openai-fine-tuning", "seed": seed, **figure}))
    return int(not figure["holds"])


if __name__ == "__main__":
    sys.exit(soak(1))
