"""What lines need of the world: our own gateways, a program that reads data, a base's signature."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import inland
from inland import settings
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.openai.own_gateway import OwnGateway
from inland.domain.errors import Damaged
from inland.domain.plant import Model
from inland.lines.reading import Program
from inland.lines.room import LineRoom, Outside, line_room
from inland.plant.asset_room import AssetRoom, Workers, asset_room
from inland.plant.changes import Changes
from inland.plant.holders import Holders
from inland.plant.vault import Parts as VaultParts

#: How long a base's weights may take to be held to what was signed, in seconds.
VERIFY_S = 3600
_PACKAGE = Path(inland.__file__).parent


def rooms(
    home: Home, changes: Changes, kept: VaultParts, said: Declaration, workers: Workers
) -> tuple[AssetRoom, LineRoom]:
    """What is done with assets, and the lines that work with them."""
    limits, vault, aside = said.limits, kept.vault, workers.aside
    assets = asset_room(changes, vault, kept.blobs, said.site, limits, aside, workers)
    environment = settings.from_environment().child_environment
    world = outside(home, environment, assets.holders)
    return assets, line_room(changes, assets, workers, limits, world, aside)


def outside(home: Home, environment: Mapping[str, str], holders: Holders) -> Outside:
    """`environment`: what children get of control's."""
    words = (sys.executable, "-P", "-m", "inland.bootstrap.evaluation")

    def verify(model: Model) -> None:
        if model.asset is not None:
            holders.vetted(model.asset)
        else:
            _verified(home, model.id, environment)

    gateways = OwnGateway(home.root / "run", home.gateway_sockets)
    return Outside(gateways, Program(words, (str(_PACKAGE),)), verify)


def _verified(home: Home, model: str, environment: Mapping[str, str]) -> None:
    """By a child: what it takes to verify a signature is much, and control does without otherwise.
    Raises Damaged."""
    argv = [sys.executable, "-P", "-m", "inland", "model", "verify", model, "--json"]
    argv += ["--home", str(home.root)]
    done = subprocess.run(
        argv, capture_output=True, timeout=VERIFY_S, check=False, env=dict(environment), cwd="/"
    )
    try:
        (told,) = json.loads(done.stdout)
        verified, why = told["verified"] is True, str(told["why"])
    except (ValueError, KeyError, TypeError):
        verified, why = False, done.stderr.decode(errors="replace").strip()[-300:]
    if not verified:
        raise Damaged(f"model {model}", why)
