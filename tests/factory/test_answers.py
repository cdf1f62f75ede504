"""Two tenants are answered by the real model through the official client, on the books."""

import json
import threading
from pathlib import Path

import openai
import pytest

from tests.factory.running import MODEL, Running, verify_outside

ASK = [{"role": "user", "content": "Say hello to the harbour master."}]


def test_two_tenants_at_once_streamed_and_not(factory: Running, tmp_path: Path) -> None:
    refs: dict[str, list[str]] = {"demo": [], "acme": []}

    def work(tenant: str) -> None:
        client = factory.client(tenant)
        for round_ in range(2):
            whole = client.chat.completions.create(
                model=MODEL, messages=ASK, stop=["."], temperature=0, seed=round_
            )
            assert whole.choices[0].message.content
            refs[tenant].append(whole.id)
            with client.chat.completions.stream(
                model=MODEL, messages=ASK, stop=["."], temperature=0, seed=round_
            ) as stream:
                stream.until_done()
                done = stream.get_final_completion()
            assert done.choices[0].message.content == whole.choices[0].message.content
            refs[tenant].append(done.id)

    threads = [threading.Thread(target=work, args=[tenant]) for tenant in refs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(ids) == 4 for ids in refs.values())

    vkey = factory.vkey(tmp_path)
    for tenant, ids in refs.items():
        receipts = {ref: factory.receipt(ref, tmp_path / f"{ref}.json") for ref in ids}
        exported = factory.records(tenant, tmp_path)  # a receipt waits for booking, this does not
        recorded = {r["id"]: r for r in exported if r["kind"] == "request"}
        for ref, receipt in receipts.items():
            record = recorded[ref.removeprefix("chatcmpl-")]
            assert record["tenant"] == tenant
            assert record["outcome"] == "complete"
            outside = verify_outside(receipt, vkey)
            assert outside.returncode == 0, outside.stdout + outside.stderr
            inside = factory.run("verify", str(receipt), "--vkey", str(vkey))
            assert inside.returncode == 0


def test_what_the_caller_kept_opens_the_receipt(factory: Running, tmp_path: Path) -> None:
    body = json.dumps({"model": MODEL, "messages": ASK, "max_tokens": 8}).encode()
    with factory.http("demo") as http:
        got = http.post(
            "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
        )
    assert got.status_code == 200, got.text
    ref, entry = got.headers["inland-receipt"], got.headers["inland-entry"]
    text = got.json()["choices"][0]["message"]["content"]
    (tmp_path / "in").write_bytes(body)
    (tmp_path / "out").write_text(text)
    receipt = factory.receipt(ref, tmp_path / "r.json")
    key = factory.as_tenant("demo").json("receipt", "open", ref)["key"]
    kept = ["--entry", entry, "--key", key, "--input", str(tmp_path / "in")]
    vkey = factory.vkey(tmp_path)
    good = verify_outside(receipt, vkey, *kept, "--output", str(tmp_path / "out"))
    assert good.returncode == 0, good.stdout + good.stderr
    (tmp_path / "out").write_text(text + " And that is a promise.")
    assert verify_outside(receipt, vkey, *kept, "--output", str(tmp_path / "out")).returncode == 1


def test_a_later_receipt_is_consistent_with_a_kept_checkpoint(
    factory: Running, tmp_path: Path
) -> None:
    with factory.http() as http:
        kept = tmp_path / "kept"
        kept.write_bytes(http.get("/ledger/checkpoint").content)
    answer = factory.client("demo").chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)
    receipt = factory.receipt(answer.id, tmp_path / "r.json", "--since", str(kept))
    vkey = factory.vkey(tmp_path)
    good = verify_outside(receipt, vkey, "--kept", str(kept))
    assert good.returncode == 0, good.stdout + good.stderr


def test_streamed_answer_ends_with_its_entry_before_done(factory: Running) -> None:
    body = {"model": MODEL, "messages": ASK, "max_tokens": 4, "stream": True}
    with (
        factory.http("acme") as http,
        http.stream("POST", "/v1/chat/completions", json=body) as got,
    ):
        assert got.status_code == 200
        lines = [line for line in got.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert lines[-2].startswith(": inland-entry ")


def test_usage_is_sent_when_asked_and_counts_every_choice(factory: Running) -> None:
    client = factory.client("demo")
    whole = client.chat.completions.create(
        model=MODEL, messages=ASK, max_tokens=6, n=2, temperature=0
    )
    assert len(whole.choices) == 2
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 12
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=ASK,
            max_tokens=6,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 6


def test_logprobs_and_stop_are_honoured(factory: Running) -> None:
    got = factory.client("demo").chat.completions.create(
        model=MODEL, messages=ASK, max_tokens=5, logprobs=True, top_logprobs=2, temperature=0
    )
    logprobs = got.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert len(logprobs.content) == 5
    assert len(logprobs.content[0].top_logprobs) == 2
    text = got.choices[0].message.content or ""
    word = text.split()[1]
    stopped = factory.client("demo").chat.completions.create(
        model=MODEL, messages=ASK, max_tokens=5, temperature=0, stop=[word]
    )
    assert word not in (stopped.choices[0].message.content or "")
    assert stopped.choices[0].finish_reason == "stop"


def test_unknown_field_is_refused_by_name(factory: Running) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        factory.client("demo").chat.completions.create(
            model=MODEL, messages=ASK, extra_body={"id_slot": 3}
        )
    assert refused.value.param == "id_slot"


def test_models_lists_what_the_tenant_may_use(factory: Running) -> None:
    assert MODEL in [m.id for m in factory.client("acme").models.list()]


def test_wrong_key_and_unknown_model(factory: Running) -> None:
    stranger = openai.OpenAI(base_url=f"{factory.url}/v1", api_key="inl_x_y", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(model=MODEL, messages=ASK)
    with pytest.raises(openai.NotFoundError):
        factory.client("demo").chat.completions.create(model="no-such", messages=ASK)
