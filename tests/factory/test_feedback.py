"""What was said of a real answer: by its receipt, on the books without a word of it, and data that
goes where it came from goes."""

import json
from pathlib import Path

from tests.factory.running import MODEL, Running

ASKED = [{"role": "user", "content": "Say: canary-3b77"}]
CORRECTION = "canary-90aa, as it should have been"
PATH = "/factory/v1/feedback"


def test_what_a_tenant_says_of_an_answer_becomes_its_data_and_is_erased(
    factory: Running, tmp_path: Path
):
    demo = factory.as_tenant("demo")
    with factory.client("demo") as client:
        made = client.chat.completions.create(model=MODEL, messages=ASKED, max_tokens=1)
    factory.booked(made.id)
    said = {"receipt": made.id, "thumbs": "down", "correction": CORRECTION, "messages": ASKED}
    with factory.http("acme") as http:
        assert http.post(PATH, json=said).status_code == 404
    with factory.http("demo") as http:
        given = http.post(PATH, json=said)
        assert given.status_code == 200, given.text
    file, body = tmp_path / "correction.txt", tmp_path / "body.json"
    file.write_text(CORRECTION)
    body.write_text(json.dumps({"model": MODEL, "messages": ASKED}))
    words = ("--thumbs", "down", "--correction", str(file), "--messages", str(body))
    assert demo.json("feedback", "give", made.id, *words)["book"] == given.json()["book"]
    assert CORRECTION in demo.run("feedback", "show", made.id).stdout

    collected = demo.json("feedback", "collect", MODEL)
    data = collected["dataset"]
    assert (collected["made"], collected["examples"]) == (True, 1)
    assert "train" not in data["label"]["purposes"]
    out = tmp_path / "data.jsonl"
    demo.run("asset", "export", data["id"], "-o", str(out))
    answer = {"role": "assistant", "content": CORRECTION}
    assert json.loads(out.read_text()) == {"messages": [*ASKED, answer]}
    assert not demo.json("feedback", "collect", MODEL)["made"]

    booked = (factory.home / "inland.db").read_bytes()
    booked += b"".join(one.read_bytes() for one in factory.home.glob("inland.db-*"))
    assert b"canary-3b77" not in booked
    assert b"canary-90aa" not in booked
    factory.run("asset", "erase", given.json()["book"], "--yes", "-o", str(tmp_path / "gone.json"))
    (left,) = demo.json("feedback", "list")
    assert (left["thumbs"], left["book"]) == ("down", None)
    assert data["id"] not in {one["id"] for one in demo.json("asset", "list")}
