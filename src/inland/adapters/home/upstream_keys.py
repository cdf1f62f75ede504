"""What factory.toml names a file for, so as not to hold it: bearer tokens, a password."""

from pathlib import Path

from inland.adapters.home.factory_toml import Declaration
from inland.domain.errors import BadInput

TOKEN_LIMIT_BYTES = 8192


def read(declaration: Declaration) -> dict[str, str]:
    """Deployment → token, for the deployments that name a `key_file`. Raises BadInput."""
    return {name: _token(name, path) for name, path in declaration.upstream_key_files.items()}


def password(path: Path) -> str:
    """The database's password in its file. Raises BadInput."""
    return _secret("database", "password_file", path)


def _token(name: str, path: Path) -> str:
    return _secret(f"deployment {name}", "key_file", path)


def _secret(spot: str, named: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(TOKEN_LIMIT_BYTES + 1)
        token = data.decode("ascii").strip()
    except OSError as error:
        raise BadInput(spot, f"its {named} cannot be read: {error.strerror} ({path})") from None
    except UnicodeDecodeError:
        raise BadInput(spot, f"its {named} holds no token ({path})") from None
    if not token.isprintable() or not token or len(data) > TOKEN_LIMIT_BYTES:
        raise BadInput(spot, f"its {named} holds no token ({path})")
    return token
