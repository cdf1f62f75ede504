"""A home is there whole or not at all."""

import errno
import json
from pathlib import Path

import pytest

from inland.adapters.home import first_keys
from inland.adapters.home.layout import Home
from inland.adapters.home.making import Contents, make_home
from inland.domain.api_keys import new_api_key, split_api_key
from inland.domain.errors import BadInput, Conflict, Damaged
from inland.domain.plant import Key, Role

FIRST = (
    Key("k" * 16, "demo", Role.TENANT_ADMIN, "ab" * 32, created_unix_s=5),
    Key("o" * 16, None, Role.OPERATOR, "cd" * 32, created_unix_s=5),
)


def _contents(place_model: object = None) -> Contents:
    def place(path: Path) -> None:
        path.write_bytes(b"weights")

    return Contents(
        factory_toml="[site]\n",
        policies={"use.cedar": "permit (principal, action, resource);"},
        operator_key="inl_operator",
        first_keys=FIRST,
        model_file="models/m.gguf",
        place_model=place_model or place,
    )


def test_a_new_home_holds_all_and_is_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    make_home(home, _contents())
    assert home.is_made()
    assert home.operator_key.read_text() == "inl_operator\n"
    assert (home.models / "m.gguf").read_bytes() == b"weights"
    for path in [home.root, *home.root.rglob("*")]:
        if path.name != "m.gguf":
            assert path.stat().st_mode & 0o077 == 0, path
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


def test_first_keys_come_back_as_declared_and_without_secrets(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    make_home(home, _contents())
    read = first_keys.read(home.first_keys)
    assert [(key.id, key.tenant, key.role, key.declared) for key in read] == [
        ("k" * 16, "demo", Role.TENANT_ADMIN, True),
        ("o" * 16, None, Role.OPERATOR, True),
    ]
    assert set(json.loads(home.first_keys.read_text())[0]) == {
        *("id", "tenant", "role", "secret_sha256", "created_unix_s")
    }
    home.first_keys.write_text("[{}]")
    with pytest.raises(Damaged):
        first_keys.read(home.first_keys)
    home.first_keys.unlink()
    assert first_keys.read(home.first_keys) == ()


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), Damaged("", "")]
)
def test_a_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    with pytest.raises(type(error)):
        make_home(Home(tmp_path / "home"), _contents(fail))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["home", "home[1]*"])
def test_what_a_killed_first_start_left_is_removed_by_the_next(tmp_path: Path, name: str) -> None:
    left = tmp_path / f"{name}.making-dead"
    left.mkdir()
    (left / "file").write_text("half")
    make_home(Home(tmp_path / name), _contents())
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_first_start_under_way_elsewhere_is_left_alone_and_the_first_one_wins(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home")

    def slow(path: Path) -> None:
        path.write_bytes(b"slow")
        make_home(home, _contents())

    with pytest.raises(Conflict, match="meanwhile"):
        make_home(home, _contents(slow))
    assert (home.models / "m.gguf").read_bytes() == b"weights"
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


def test_an_empty_folder_may_become_a_home_and_others_may_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make_home(Home(tmp_path / "empty"), _contents())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_text("dear")
    with pytest.raises(Conflict):
        make_home(Home(tmp_path / "full"), _contents())
    (tmp_path / "file").write_text("")
    with pytest.raises(Conflict):
        make_home(Home(tmp_path / "file"), _contents())
    assert (tmp_path / "full" / "letter").read_text() == "dear"


def test_a_home_too_deep_for_unix_sockets_is_refused() -> None:
    with pytest.raises(BadInput, match="unix sockets"):
        Home(Path("/" + "d" * 100))


def test_an_api_key_is_found_by_its_id_and_proved_by_its_secret() -> None:
    key = new_api_key(bytes(range(40)))
    parts = split_api_key(key.text)
    assert parts is not None
    assert parts[0] == key.id
    assert parts[1] not in repr(key)
    assert split_api_key(key.text + "a") is None
    assert split_api_key(key.text.upper()) is None
