"""A line run by the real factory: its suite is asked of the real model, on the books, and gated."""

import json
from pathlib import Path

from tests.factory.running import MODEL, Running, verify_outside

LINE = f"""
name = "answers"
base = "{MODEL}"

[[suite]]
name = "greetings"
asset = "greetings"

[[gate.score]]
suite = "greetings"
least = 0.2
"""
NONE = "no-such-word-at-all"


def _suite(folder: Path, reference: str) -> Path:
    """Tasks whose answers have the reference in them, or do not."""
    task = {"input": "Say: yes", "reference": reference, "scorer": "contains", "max_tokens": 4}
    file = folder / "suite.jsonl"
    file.write_text(
        "".join(json.dumps({**task, "input": f"Say: yes {n}"}) + "\n" for n in range(2))
    )
    return file


def test_a_line_is_run_refused_and_resumed_through_commands(factory: Running, tmp_path: Path):
    admin = factory.as_tenant("demo")
    file, line = tmp_path / "suite.jsonl", tmp_path / "line.toml"
    line.write_text(LINE)
    assert admin.json("line", "add", str(line))["steps"] == ["check", "evaluate", "gate"]
    add = ("asset", "add", str(file), "--name", "greetings", "--kind", "suite")
    file.write_text("{}\n")
    admin.run(*add)
    refused = admin.run("line", "run", "answers", "--json", check=False)
    assert refused.returncode == 1
    told = json.loads(refused.stdout)
    assert told["state"] == "refused"
    assert "line 1" in told["why"]

    _suite(tmp_path, NONE)
    admin.run(*add)
    failed = json.loads(admin.run("line", "run", "answers", "--json", check=False).stdout)
    assert failed["state"] == "refused"
    assert "greetings" in failed["why"]
    whole = admin.json("run", "show", failed["id"])
    assert [step["kind"] for step in whole["steps"]] == ["check", "evaluate", "gate"]
    receipts = whole["steps"][1]["receipts"]
    assert len(receipts) == 2
    factory.booked(receipts[1])
    receipt = factory.receipt(receipts[0], tmp_path / "receipt.json")
    vkey = factory.vkey(tmp_path)
    assert verify_outside(receipt, vkey).returncode == 0
    record = json.loads(receipt.read_bytes())
    assert "demo" in json.dumps(record)
    proof = tmp_path / "refused.proof"
    admin.run("run", "proof", failed["id"], "-o", str(proof))
    signer = ("--signer", str(factory.home / "keys" / "models.pub"), "--json")
    proved = verify_outside(proof, vkey, *signer)
    assert proved.returncode == 0, proved.stdout
    shown = json.loads(proved.stdout)
    assert (shown["run"], shown["refused_by"], shown["requests"]) == (failed["id"], "gate", 2)

    line.write_text(LINE.replace("least = 0.2", "least = 0.0"))
    admin.run("line", "add", str(line))
    done = admin.json("line", "run", "answers")
    assert done["state"] == "done", done["why"]
    again = admin.json("run", "show", done["id"])
    assert again["steps"][1]["reused"] == failed["id"], "nothing changed, so nothing is asked again"
    logs = admin.run("run", "logs", done["id"]).stdout
    assert "not done again" in logs
    runs = admin.json("run", "list")
    assert [one["id"] for one in runs][:2] == [done["id"], failed["id"]]
    keys = [one for one in admin.json("key", "list") if one["models"] == [MODEL]]
    assert all(one["expires"] is not None for one in keys)
