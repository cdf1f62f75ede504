"""What the environment may say, and what of it children get."""

from pathlib import Path

from inland.settings import from_environment


def test_defaults_lie_where_a_user_keeps_data_and_caches() -> None:
    settings = from_environment({"HOME": "/u"})
    assert settings.home == Path("/u/.local/share/inland")
    assert settings.cache == Path("/u/.cache/inland")
    assert settings.api_key is None


def test_named_folders_win_over_the_desktop_standard() -> None:
    given = {"HOME": "/u", "XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "/c"}
    assert from_environment(given).home == Path("/d/inland")
    assert from_environment(given).cache == Path("/c/inland")
    named = from_environment({**given, "INLAND_HOME": "/h", "INLAND_CACHE": "/k"})
    assert (named.home, named.cache) == (Path("/h"), Path("/k"))


def test_children_get_no_proxies_and_no_credentials() -> None:
    given = {"HOME": "/u", "PATH": "/bin", "INLAND_API_KEY": "inl_a_b", "HTTPS_PROXY": "http://p"}
    settings = from_environment(given)
    assert settings.api_key == "inl_a_b"
    assert settings.child_environment == {"HOME": "/u", "PATH": "/bin"}
    assert "inl_a_b" not in repr(settings)


def test_import_paths_of_children_do_not_depend_on_where_they_start() -> None:
    given = {"HOME": "/u", "PYTHONPATH": "src:/abs"}
    assert from_environment(given).child_environment["PYTHONPATH"] == f"{Path.cwd()}/src:/abs"


def test_the_trainers_environment_is_the_same_folder_for_children() -> None:
    settings = from_environment({"HOME": "/u", "INLAND_TRAINER": "opt/trainer"})
    assert settings.trainer == Path.cwd() / "opt" / "trainer"
    assert settings.child_environment["INLAND_TRAINER"] == str(settings.trainer)
    assert from_environment({"HOME": "/u", "INLAND_TRAINER": ""}).trainer is None
