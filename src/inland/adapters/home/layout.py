"""Where everything in a factory's folder lies. Names only; nothing is read or made here."""

from dataclasses import dataclass
from pathlib import Path

from inland.domain.errors import BadInput

#: The kernel's limit on a unix socket's path, its closing zero byte left out (unix(7)).
SOCKET_PATH_LIMIT = 107
#: The longest name below `run/` that a small factory needs; longer deployment names need more.
_LONGEST_SOCKET = "run/engine-smollm2-0.sock"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder `root`, an absolute path."""

    root: Path

    def __post_init__(self) -> None:
        room = SOCKET_PATH_LIMIT - len(_LONGEST_SOCKET) - 1
        if len(str(self.root).encode()) > room:
            raise BadInput(
                "home", f"its path may have at most {room} bytes (unix sockets lie in it)"
            )

    @property
    def factory_toml(self) -> Path:
        return self.root / "factory.toml"

    @property
    def policies(self) -> Path:
        return self.root / "policies"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def operator_key(self) -> Path:
        return self.root / "keys" / "operator"

    @property
    def first_keys(self) -> Path:
        return self.root / "keys" / "first.json"

    @property
    def tls_key(self) -> Path:
        """Of the certificate a factory makes for itself."""
        return self.root / "keys" / "tls.key"

    @property
    def tls_certificate(self) -> Path:
        """What callers are given to know the factory by; it is no secret."""
        return self.root / "tls.crt"

    @property
    def listening(self) -> Path:
        """How the running factory is reached, as it was started."""
        return self.root / "run" / "listening.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def lock(self) -> Path:
        return self.root / "run" / "lock"

    @property
    def supervisor_socket(self) -> Path:
        return self.root / "run" / "supervisor.sock"

    @property
    def handing_socket(self) -> Path:
        """Where an engine asks control for weights that lie in the vault."""
        return self.root / "run" / "handing.sock"

    @property
    def control_socket(self) -> Path:
        return self.root / "run" / "control.sock"

    @property
    def gateway_sockets(self) -> str:
        """The pattern, below `run/`, of where this factory's own work asks gateways for tokens."""
        return "tokens-*.sock"

    def gateway_socket(self, name: str) -> Path:
        """Where the gateway of that name answers this factory's own work."""
        return self.root / "run" / f"tokens-{name}.sock"

    def is_made(self) -> bool:
        """Whether a first start was completed here."""
        return self.factory_toml.is_file()
