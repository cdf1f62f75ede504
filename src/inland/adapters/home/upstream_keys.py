"""The bearer tokens of declared upstreams, each in a file of its own."""

from pathlib import Path

from inland.adapters.home.factory_toml import Declaration
from inland.domain.errors import BadInput

TOKEN_LIMIT_BYTES = 8192


def read(declaration: Declaration) -> dict[str, str]:
    """Deployment → token, for the deployments that name a `key_file`. Raises BadInput."""
    return {name: _token(name, path) for name, path in declaration.upstream_key_files.items()}


def _token(name: str, path: Path) -> str:
    spot = f"deployment {name}"
    try:
        with path.open("rb") as file:
            data = file.read(TOKEN_LIMIT_BYTES + 1)
        token = data.decode("ascii").strip()
    except OSError as error:
        raise BadInput(spot, f"its key_file cannot be read: {error.strerror} ({path})") from None
    except UnicodeDecodeError:
        raise BadInput(spot, f"its key_file holds no token ({path})") from None
    if not token.isprintable() or not token or len(data) > TOKEN_LIMIT_BYTES:
        raise BadInput(spot, f"its key_file holds no token ({path})")
    return token
