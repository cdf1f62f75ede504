"""The folder of policy files that people read and edit; what is in force stands in the database."""

from typing import Protocol


class PolicyFolder(Protocol):
    """Reads and writes `policies/`. Raises OSError for what the disk refuses."""

    def read(self) -> dict[str, str]:
        """The policy files, by name; empty when there is no such folder."""
        ...

    def write(self, files: dict[str, str], *, remove_others: bool) -> None:
        """Write each file whole or not at all; `remove_others` removes policies not among them."""
        ...
