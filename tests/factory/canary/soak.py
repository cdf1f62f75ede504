"""The whole of it, large: `make soak` prints its line.

A factory's very first start, a dataset of several parts that a job reads, a model of the tenant's
own that is served, many requests, a gateway and control killed under them, keys withdrawn and given
back, erases; then every call of every process is judged, and every file read.
"""

import json
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx

from tests.factory.canary.forms import names
from tests.factory.canary.life import Life, life
from tests.factory.running import MODEL

SIZE = 9 << 20
ROUNDS = 4
SOON_S = 120.0
LEASE_S = 5.0


def soak(seed: int) -> int:
    """One line; 1 where anything was found but the export that is to be found."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="inl-", dir="/var/tmp") as folder,
        life(Path(folder), str(seed), first=True) as lived,
    ):
        _lived(lived)
        resting = lived.resting()
        exported = lived.leak(lived.upload(SIZE))
        calls = lived.calls()
        found = lived.judged(calls)
        leaks = [one for one in found if f"/.{exported.name}" in one.what]
        others = [f"{one.what} {sorted(one.canaries)}" for one in found if one not in leaks]
        seen = bool(leaks) and {"bytes"} == set().union(*(names(one.canaries) for one in leaks))
        figure = {
            "soak": "canary",
            "seed": seed,
            "holds": seen and not others and not resting,
            "seconds": round(time.monotonic() - began, 1),
            "processes": len({one.pid for one in calls}),
            "calls": len(calls),
            "control_found": seen,
            "found": others[:10],
            "resting": sorted(resting)[:10],
        }
    print(json.dumps(figure))
    return int(not figure["holds"])


def _lived(lived: Life) -> None:
    asset = lived.upload(SIZE)
    lived.read(asset)
    lived.train(asset)
    model = lived.own_model()
    for number in range(ROUNDS):
        lived.serve()
        lived.refuse()
        if number in {0, 1}:
            lived.factory.kill("gateway" if number else "control")
            time.sleep(LEASE_S)  # until then a gateway serves without control
            _until_it_serves(lived)
    lived.factory.run("vault", "withdraw", "--tenant", "acme")
    lived.factory.run("vault", "give-back", "--tenant", "acme")
    lived.read(asset)
    lived.factory.run("vault", "check")
    certificate = str(lived.memory / "certificate")
    for one in (asset, model):
        lived.factory.run("asset", "erase", one, "--yes", "-o", certificate)


def _until_it_serves(lived: Life) -> None:
    ask = {"model": MODEL, "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 1}
    end = time.monotonic() + SOON_S
    with lived.factory.http("acme") as http:
        while not _is_served(http, ask):
            assert time.monotonic() < end, "it did not come back"
            time.sleep(0.5)


def _is_served(http: httpx.Client, ask: dict[str, object]) -> bool:
    with suppress(httpx.TransportError):
        return http.post("/v1/chat/completions", json=ask).status_code == httpx.codes.OK
    return False
