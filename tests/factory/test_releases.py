"""Releases: one base serves many tenants' adapters, each under a name of its tenant alone."""

import json
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from threading import Event
from typing import Any

import openai
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from inland.adapters.weights.statement import to_be_signed
from inland.decide.lines.rollout import point
from tests.factory.running import MODEL, Running, running, verify_outside
from tests.factory.trained import SAMPLES, Works
from tests.lora import WIDTH, adapter
from tests.patience import until
from tests.training import fake_trainer

ASK = [{"role": "user", "content": "Name three animals of the sea, please."}]
NOTES = "notes"
#: Each command starts a program, and the first test the factory too.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("releases")
    trainer = {"INLAND_TRAINER": str(fake_trainer.environment(folder / "trainer"))}
    with running(folder / "home", environment=trainer) as up:
        yield up


@pytest.fixture(scope="module")
def released(factory: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Both tenants have a model `notes` over the same engine, each its own."""
    folder = tmp_path_factory.mktemp("adapters")
    made = {}
    for seed, tenant in enumerate(("acme", "demo"), start=1):
        made[tenant] = proposed(factory, folder / f"{tenant}.gguf", tenant, seed)
        approve(factory, made[tenant]["id"])
    return {tenant: factory.json("release", "show", one["id"]) for tenant, one in made.items()}


def proposed(
    factory: Running, file: Path, tenant: str, seed: int, *words: str, width: int = WIDTH
) -> dict[str, Any]:
    adapter(file, seed, width=width)
    asset = added(factory, file, tenant, "adapter")
    named = ("--adapter", asset, "--deployment", MODEL, *words)
    return dict(factory.json("release", "propose", NOTES, *named))


def added(factory: Running, file: Path, tenant: str, kind: str) -> str:
    words = ("--tenant", tenant, "--kind", kind, "--name", file.name)
    return str(factory.json("asset", "add", str(file), *words)["id"])


def approve(factory: Running, release: str) -> dict[str, Any]:
    return dict(factory.json("release", "approve", release))


def answer(factory: Running, tenant: str, model: str, **more: Any) -> str:
    with factory.client(tenant) as client:
        made = client.chat.completions.create(
            model=model, messages=ASK, max_tokens=12, temperature=0, seed=1, **more
        )
    return str(made.choices[0].message.content)


def answering(factory: Running, tenant: str) -> str:
    """The release that an answer's record says it is by."""
    with factory.client(tenant) as client:
        made = client.chat.completions.with_raw_response.create(
            model=NOTES, messages=ASK, max_tokens=1
        )
    assert json.loads(made.text)["model"] == NOTES
    out = factory.receipt(made.headers["inland-receipt"], factory.home / "receipt.json")
    record = json.loads(out.read_text())["chain"][0]["record"]
    assert record["release"]["name"] == NOTES
    assert record["deployment"] == MODEL
    release = factory.json("release", "show", record["release"]["id"])
    assert record["adapter_digest"] == release["digest"]
    return str(release["id"])


def replicas(factory: Running) -> list[dict[str, Any]]:
    return list(factory.json("deploy", "show", MODEL)["replicas"])


def test_each_tenant_has_its_own_model_of_one_name(factory: Running, released) -> None:
    assert {one["state"] for one in released.values()} == {"live"}
    base = answer(factory, "acme", MODEL)
    acme, demo = answer(factory, "acme", NOTES), answer(factory, "demo", NOTES)
    assert len({base, acme, demo}) == 3
    assert answer(factory, "acme", MODEL) not in {acme, demo}, "an adapter is in the way"
    until(lambda: len(factory.processes("engine")) == 1, "both are not over one engine")


def test_a_prompt_read_under_one_adapter_is_not_reused_under_another(
    factory: Running, released
) -> None:
    long = [{"role": "user", "content": "Count the fish. " * 40}]

    def cached(model: str) -> int:
        with factory.client("acme") as client:
            made = client.chat.completions.create(
                model=model, messages=long, max_tokens=1, temperature=0
            )
        assert made.usage is not None
        assert made.usage.prompt_tokens_details is not None
        return made.usage.prompt_tokens_details.cached_tokens or 0

    until(lambda: cached(MODEL) > 100, "a tenant's own prompt is not reused")
    assert cached(NOTES) == 0
    until(lambda: cached(NOTES) > 100, "a tenant's own prompt is not reused under its adapter")


def test_a_name_is_its_tenants_alone(factory: Running, released, tmp_path: Path) -> None:
    mine = proposed(factory, tmp_path / "m.gguf", "acme", 9)
    own = factory.json(
        "asset",
        "add",
        str(adapter(tmp_path / "o.gguf", 8)),
        "--tenant",
        "acme",
        "--kind",
        "adapter",
        "--name",
        "own",
    )["id"]
    words = ("--adapter", own, "--deployment", MODEL)
    only = factory.json("release", "propose", "only-acme", *words)
    approve(factory, only["id"])
    with factory.client("demo") as demo, factory.client("acme") as acme:
        owners = lambda: {one.id: one.owned_by for one in acme.models.list()}  # noqa: E731
        until(lambda: owners().get("only-acme") == "acme", "it is no model of its tenant's")
        assert {one.id: one.owned_by for one in demo.models.list()}[NOTES] == "demo"
        assert "only-acme" not in {one.id for one in demo.models.list()}
        told = []
        for name in ("only-acme", "nobody-has-this"):
            with pytest.raises(openai.NotFoundError) as refused:
                demo.chat.completions.create(model=name, messages=ASK)
            told.append(str(refused.value).replace(name, "X"))
        assert told[0] == told[1], "demo can tell that acme has it"
        with pytest.raises(openai.NotFoundError):
            demo.models.retrieve("only-acme")
        assert acme.models.retrieve("only-acme").id == "only-acme"
        with pytest.raises(openai.BadRequestError):
            acme.embeddings.create(model="only-acme", input="fish")
    with factory.http("demo") as http:
        for path in ("", "/statement", "/origin"):
            there = http.get(f"/factory/v1/releases/{mine['id']}{path}")
            nowhere = http.get(f"/factory/v1/releases/{'0' * 8}{mine['id'][8:]}{path}")
            assert there.status_code == nowhere.status_code == 404
        assert [one["tenant"] for one in http.get("/factory/v1/releases").json()] == ["demo"]


def test_records_name_the_release_and_its_adapter(factory: Running, released) -> None:
    for tenant in ("acme", "demo"):
        assert answering(factory, tenant) == released[tenant]["id"]


def test_what_was_signed_names_what_it_is_made_of(factory: Running, released) -> None:
    one = released["acme"]
    envelope = json.loads(factory.json("release", "statement", one["id"])["envelope"])
    payload = b64decode(envelope["payload"])
    key = load_pem_public_key((factory.home / "keys" / "models.pub").read_bytes())
    assert isinstance(key, EllipticCurvePublicKey)
    signed = to_be_signed(envelope["payloadType"], payload)
    key.verify(b64decode(envelope["signatures"][0]["sig"]), signed, ECDSA(SHA256()))
    told = json.loads(payload)
    assert told["subject"][0]["name"] == f"acme/{NOTES}"
    assert f"hmac-sha256:{told['subject'][0]['digest']['hmac-sha256']}" == one["digest"]
    (base,) = told["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert f"sha256:{base['digest']['sha256']}" == one["base_digest"]


def test_its_tenant_proves_a_release_with_the_single_file(
    factory: Running, released, tmp_path: Path
) -> None:
    file, one = tmp_path / "proof", released["acme"]
    factory.as_tenant("acme").run("release", "proof", one["id"], "-o", str(file))
    keys = (factory.vkey(tmp_path), "--signer", str(factory.home / "keys" / "models.pub"))
    done = verify_outside(file, *keys, "--json")
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    assert (told["release"], told["model"], told["line"]) == (one["id"], f"acme/{NOTES}", False)
    words = ("release", "proof", one["id"], "-o", str(file))
    other = factory.as_tenant("demo").run(*words, check=False)
    assert other.returncode == 1


def test_a_second_release_takes_over_and_goes_back_with_no_request_lost(
    factory: Running, released, tmp_path: Path
) -> None:
    """While both tenants ask without a pause, streamed and whole. How soon is hardly compared: on
    a machine that does much else a few answers of either come many times later."""
    file = adapter(tmp_path / "second.gguf", 77)
    named = {
        "name": NOTES,
        "deployment": MODEL,
        "adapter": added(factory, file, "acme", "adapter"),
        "pace": {"percents": [50], "soak_s": 0, "samples": 5, "ttft_percent": 1000},
    }
    with factory.http() as http:
        operator = {"authorization": f"Bearer {factory.operator_key}"}
        answered = http.post("/factory/v1/releases", json=named, headers=operator)
        second = answered.raise_for_status().json()
    key = factory.keys["acme"].split("_")[1]
    users = [name for name in map(str, range(1000)) if point(second["id"], key, name) < 50]
    over, wrong, count = Event(), [], [0]

    def ask(tenant: str, *, stream: bool) -> None:
        with factory.client(tenant) as client:
            for user in cycle(users):
                if over.is_set():
                    return
                try:
                    made: Any = client.chat.completions.create(
                        model=NOTES, messages=ASK, max_tokens=4, stream=stream, user=user
                    )
                    if stream:
                        (*_, last) = [event for event in made if event.choices]
                        assert last.choices[0].finish_reason
                except Exception as error:  # noqa: BLE001 - whatever it is, it was lost
                    wrong.append(error)
                count[0] += 1

    with ThreadPoolExecutor() as pool:
        asking = [
            pool.submit(ask, tenant, stream=stream)
            for tenant in ("acme", "demo")
            for stream in (False, True)
        ]
        try:
            approve(factory, second["id"])
            now = lambda: factory.json("release", "show", second["id"])  # noqa: E731
            until(lambda: now()["state"] == "live", lambda: f"it does not go on by itself: {now()}")
            until(lambda: answering(factory, "acme") == second["id"], "it answers nobody")
            factory.run("release", "rollback", second["id"])
            again = answering(factory, "acme")
            until(lambda: count[0] > 10, "nobody was answered meanwhile")
        finally:
            over.set()
        for one in asking:
            one.result()
    assert not wrong, f"{len(wrong)} of {count[0]}: {wrong[0]}"
    assert again == released["acme"]["id"]
    assert factory.json("release", "show", second["id"])["state"] == "rolled-back"
    assert factory.json("release", "show", released["acme"]["id"])["state"] == "live"


def test_an_adapter_that_does_not_load_harms_nobody(
    factory: Running, released, tmp_path: Path
) -> None:
    broken = proposed(factory, tmp_path / "broken.gguf", "acme", 5, width=WIDTH // 2)
    told = factory.run("release", "approve", broken["id"], "--json", check=False)
    assert told.returncode == 1
    assert json.loads(told.stdout)["state"] == "rolled-back"
    assert answering(factory, "demo") == released["demo"]["id"]
    model = factory.run("deploy", "add", "x", "--model", f"asset:{broken['adapter']}", check=False)
    assert "no model" in model.stderr


def test_an_erased_adapter_answers_nobody_and_leaves_the_engine(factory: Running, released) -> None:
    demo = released["demo"]
    factory.run("asset", "erase", demo["adapter"], "--yes", "-o", str(factory.home / "cert.json"))
    with factory.client("demo") as client, pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=NOTES, messages=ASK)
    told = factory.json("release", "show", demo["id"])
    assert (told["state"], told["why"]) == ("retired", "its adapter is erased")
    assert answering(factory, "acme") == released["acme"]["id"]
    maps = [Path(f"/proc/{one['pid']}/cmdline").read_bytes() for one in factory.processes("engine")]
    assert all(demo["adapter"].encode() not in words for words in maps)


def test_a_line_trains_releases_and_rolls_out_what_its_users_then_judge(
    factory: Running, tmp_path: Path
) -> None:
    """Control is killed while it trains, behind the first checkpoint: the next one goes on there.
    The trainer learns nothing, and all else is what it is."""
    works = Works(factory, tmp_path)
    works.stage()
    run = works.begun()
    works.until(run, "the checkpoint of step 2 is kept")
    factory.kill("control")
    works.until(run, "50 % of the users of orders have it")
    assert "goes on from" in works.admin.run("run", "logs", run).stdout

    one, other = works.ask(run), works.ask(run)
    works.say(one, thumbs="down", correction="The pump by the gate leaks.")
    works.say({"receipt": other["receipt"]}, thumbs="up")
    over = lambda: works.ask(run) and works.run(run)["run"]["state"] == "done"  # noqa: E731
    until(over, lambda: str(works.run(run)))
    release = factory.json("release", "show", run)
    assert (release["state"], release["approved_by"]) == ("live", "gate of line orders")
    seen = release["compared"]["candidate"]
    assert (seen["answers"] >= SAMPLES, seen["thumbs"], seen["thumbs_up"]) == (True, 2, 1)
    assert [one["state"] for one in factory.json("release", "list", "--tenant", "works")] == [
        "live",
        "retired",
    ], "one of the run, and what it took the place of"

    last = factory.receipt(works.ask(run)["receipt"], tmp_path / "answer.json")
    record = json.loads(last.read_text())["chain"][0]["record"]
    assert (record["release"]["id"], record["adapter_digest"]) == (run, release["digest"])
    keys = (factory.vkey(tmp_path), "--signer", str(factory.home / "keys" / "models.pub"))
    assert verify_outside(last, keys[0]).returncode == 0
    proof = tmp_path / "release.proof"
    works.admin.run("release", "proof", run, "-o", str(proof))
    done = verify_outside(proof, *keys, "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["run"] == run
    collected = works.admin.json("feedback", "collect", "orders")
    assert collected["examples"] == 1
    assert "train" in collected["dataset"]["label"]["purposes"], "the next run may train on it"
