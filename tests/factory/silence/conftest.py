"""A factory that has a log and does not run, and commands proved in its name."""

from pathlib import Path

import pytest

from inland.bootstrap import silence
from inland.bootstrap.silence import Asked
from inland.domain.errors import InlandError
from inland.settings import from_environment
from tests.books_home import BooksHome
from tests.factory.silence.proving import Prove, Proved, output


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A factory that is not running, whose log has been signed."""
    root = tmp_path_factory.mktemp("silence") / "home"
    made = BooksHome(root)
    made.take_in_first_keys()
    made.books.tick()
    made.close()
    return root


@pytest.fixture
def prove(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prove:
    """As the command does it, without a process of its own for the command line."""

    monkeypatch.chdir(tmp_path)

    def run(*command: str, environment: dict[str, str] | None = None, **asked) -> Proved:
        file = tmp_path / "evidence.json"
        settings = from_environment(environment)
        try:
            data, facts = silence.prove(home, Asked(command, output(file), **asked), settings)
        except InlandError as error:
            return Proved(None, file, str(error))
        file.write_bytes(data)
        return Proved(facts["exit_status"], file, "")

    return run
