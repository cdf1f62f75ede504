"""What may stand where: each room in the layer order, each dangerous name behind its one door."""

import ast
import json
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE_MODULES, ROOT, Module

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
#: What opens a connection to another machine.
OUTBOUND = (
    "aiohttp",
    "asyncio.open_connection",
    "boto3",
    "botocore",
    "ftplib",
    "http.client",
    "httpcore",
    "httpx",
    "imaplib",
    "poplib",
    "requests",
    "smtplib",
    "socket.create_connection",
    "socket.getaddrinfo",
    "urllib.request",
    "urllib3",
    "websockets",
    "xmlrpc.client",
)
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv")
TIME_AND_CHANCE = (
    "datetime.datetime.now",
    "os.urandom",
    "random",
    "secrets.token_bytes",
    "secrets.token_hex",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.sleep",
    "time.time",
    "time.time_ns",
    "uuid.uuid1",
    "uuid.uuid4",
)
#: The one folder that may open a connection to another machine.
DOOR = "src/inland/adapters/egress/"
OTHERS = [module for module in PACKAGE_MODULES if module.room != "settings"]
CODE_LOADING = ("marshal", "pickle", "shelve")
NAMES = OUTBOUND + ENVIRONMENT + TIME_AND_CHANCE + CODE_LOADING


def _uses(name: str) -> list[str]:
    module, _, attribute = name.rpartition(".")
    return [f"import {module}", f"VALUE = {module}.{attribute}"] if module else [f"import {name}"]


@cache
def _refused_by_ruff(file: str) -> set[str]:
    """Those of all these names whose use Ruff refuses in `file`, which need not exist."""
    lines = [(name, line) for name in NAMES for line in _uses(name)]
    argv = [str(Path(sys.executable).with_name("ruff")), "check", "--select", "TID251"]
    argv += ["--output-format", "json", "--stdin-filename", str(ROOT / file), "-"]
    used = "\n".join(line for _, line in lines)
    done = subprocess.run(argv, input=used, capture_output=True, text=True, cwd=ROOT, check=False)
    return {
        lines[found["location"]["row"] - 1][0]
        for found in json.loads(done.stdout)
        if found["code"] == "TID251"
    }


@pytest.mark.parametrize("name", NAMES)
def test_rooms_are_refused(name: str):
    assert name in _refused_by_ruff("src/inland/plant/example.py")


@pytest.mark.parametrize("name", OUTBOUND + ENVIRONMENT + CODE_LOADING)
def test_adapters_are_refused(name: str):
    assert name in _refused_by_ruff("src/inland/adapters/files/example.py")


@pytest.mark.parametrize("name", TIME_AND_CHANCE)
def test_adapters_may_have(name: str):
    assert name not in _refused_by_ruff("src/inland/adapters/files/example.py")


def test_the_one_door_out_is_not_refused():
    assert "socket.create_connection" not in _refused_by_ruff(f"{DOOR}door.py")


@pytest.mark.parametrize(
    ("role", "others"),
    [
        ("gateway", {"sqlalchemy", "httpx", "fastapi", "rich"}),
        ("control", {"httpx", "alembic", "rich"}),
    ],
)
def test_a_process_loads_what_its_role_needs_and_starts_the_sooner(role: str, others: set[str]):
    asked = f"import sys, inland.bootstrap.{role}; print(*sys.modules)"
    argv = [sys.executable, "-P", "-c", asked]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert not others & set(done.stdout.split())


def test_every_room_stands_in_the_layer_order():
    (layers,) = (c for c in CONFIG["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    named = {
        name.strip(" ()").removeprefix("inland.")
        for layer in layers["layers"]
        for name in layer.split("|")
    }
    rooms = {module.room for module in PACKAGE_MODULES} - {"__init__"}
    assert rooms <= named


def _attributes(module: Module) -> set[str]:
    return {node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}


def test_only_settings_reads_the_environment():
    readers = {"environ", "environb", "getenv", "getenvb"}
    names = {m.place: _attributes(m) | {i.rpartition(".")[2] for i in m.imports()} for m in OTHERS}
    assert not [place for place, used in names.items() if used & readers]


def test_only_gateway_and_plant_use_engines():
    users = {m.room for m in PACKAGE_MODULES if "inland.ports.engine.Engine" in m.imports()}
    assert users <= {"gateway", "plant"}


def test_only_the_trainer_loads_torch():
    """It takes seconds and hundreds of megabytes, and is an extra that a factory may be without."""
    users = {
        m.place
        for m in PACKAGE_MODULES
        if {"torch", "transformers", "peft"} & {name.split(".")[0] for name in m.imports()}
    }
    trainer = "src/inland/adapters/training/"
    assert users
    assert not [place for place in users if not place.startswith(trainer)]
    light = {f"{trainer}{name}.py" for name in ("command", "events", "__main__")}
    assert not users & light


def test_event_loops_open_connections_only_behind_the_door():
    """Ruff sees names, not methods: a loop's `create_connection` is looked for here."""
    openers = [m.place for m in PACKAGE_MODULES if "create_connection" in _attributes(m)]
    assert not [place for place in openers if not place.startswith(DOOR)]


def test_sockets_of_a_network_are_connected_only_behind_the_door():
    """Elsewhere they listen, or are asked of interfaces: what connects has unix sockets alone. A
    canary connects where nothing leaves; the kernel is told its routes there."""
    network = {"AF_INET", "AF_INET6"}
    openers = [
        m.place
        for m in PACKAGE_MODULES
        if network & _attributes(m) and {"connect", "connect_ex", "sendto"} & _attributes(m)
    ]
    behind = (
        DOOR,
        "src/inland/adapters/silence/canary.py",
        "src/inland/adapters/silence/routes.py",
    )
    assert not [place for place in openers if not place.startswith(behind)]


def test_no_shell_strings():
    keywords = [
        (module.place, node.arg)
        for module in PACKAGE_MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.keyword)
    ]
    assert not [place for place, name in keywords if name == "shell"]
    assert not [m.place for m in PACKAGE_MODULES if {"system", "popen"} & _attributes(m)]
