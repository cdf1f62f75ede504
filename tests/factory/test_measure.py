"""A real engine is measured through the command, beside a tenant who goes on being served."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.factory.running import Running

SMALL = "measured"


@pytest.fixture(scope="module")
def small(factory: Running):
    """A deployment whose ladder is short: two prompt lengths, one and two at once."""
    (model,) = [one["model"] for one in factory.json("deploy", "list") if one["name"] == "smollm2"]
    factory.run("deploy", "add", SMALL, "--model", model, "--slots", "2", "--context", "256")
    yield SMALL
    factory.run("deploy", "remove", SMALL)


@pytest.fixture(scope="module")
def measured(factory: Running, small: str) -> dict:
    """What the command said, once the deployment had made a token."""
    with factory.client("demo") as client:
        client.completions.create(model=small, prompt="Hi", max_tokens=1)
    told: dict = factory.json("deploy", "measure", small)
    return told


def test_a_real_engine_gets_a_profile(factory: Running, measured: dict) -> None:
    profile = measured["profile"]
    assert measured["rungs"] == 4
    assert measured["tried"] == 4
    assert len(profile["points"]) == 4 - measured["left_out"] >= 2
    assert profile["settings"].startswith("llama.cpp sha256:")
    for point in profile["points"]:
        assert point["prompt_tokens"] in range(24, 200)
        assert point["decode_tokens_per_s"] > 0
        assert point["step_s"] > 0
    model = profile["model"]
    assert model["prompt_s"] >= 0
    assert model["overhead_s"] + model["weights_s"] + model["sequence_s"] > 0
    assert profile["knee"] in {1, 2}
    assert factory.json("deploy", "show", SMALL)["profile"] == profile


def test_it_is_shown_as_people_read_it(factory: Running, measured: dict) -> None:
    told = factory.run("deploy", "show", SMALL).stdout
    assert "TOKENS/S" in told
    assert "█" in told
    assert "r²" in told
    assert "measured 20" in told
    plain = factory.run("deploy", "show", "smollm2").stdout
    assert "`inland deploy measure smollm2` does" in plain


def test_how_it_went_can_be_asked_afterwards(factory: Running, measured: dict) -> None:
    headers = {"authorization": f"Bearer {factory.operator_key}"}
    path = "/factory/v1/deployments/{}/measurement"
    with factory.http() as http:
        assert http.get(path.format(SMALL), headers=headers).json()["stage"] == "done"
        assert http.get(path.format("smollm2"), headers=headers).status_code == 404


def test_tenants_are_served_meanwhile_and_the_profile_says_so(
    factory: Running, measured: dict
) -> None:
    over = threading.Event()

    def serve() -> int:
        tokens = 0
        with factory.client("demo") as client:
            while not over.is_set():
                answer = client.completions.create(model=SMALL, prompt="Once", max_tokens=8)
                assert answer.usage is not None
                tokens += answer.usage.completion_tokens
        return tokens

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        try:
            again = factory.json("deploy", "measure", SMALL)
        finally:
            over.set()
        made = served.result()
    assert made > 0
    assert again["profile"]["beside_tokens"] > 0
    assert again["profile"]["measured_unix_s"] >= measured["profile"]["measured_unix_s"]


def test_a_second_measurement_is_refused_while_one_runs(factory: Running, measured: dict) -> None:
    """The engine is held meanwhile, so that the first does not come to its end."""
    path = f"/factory/v1/deployments/{SMALL}/measure"
    headers = {"authorization": f"Bearer {factory.operator_key}"}
    with factory.held(f"{SMALL}-0"), factory.http() as http:
        assert http.post(path, headers=headers).status_code == 202
        refused = http.post(path, headers=headers)
        assert refused.status_code == 409
        assert "being measured" in json.dumps(refused.json())
        command = factory.run("deploy", "measure", "smollm2", check=False)
    assert command.returncode == 1
    assert "being measured" in command.stderr
    assert len(command.stderr.splitlines()) == 1
