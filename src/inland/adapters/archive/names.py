"""What may be in a backup, by path, and in which order: everything else is refused, both ways.

The order is strict, so nothing can be in it twice. Signing keys, the log's and the
models', are never among it: a restored factory signs with its own.
"""

import re

from inland.domain.errors import Damaged

HEAD, MANIFEST, DIGEST = "inland-backup.json", "manifest.jsonl", "sha256"
DATABASE, FACTORY_TOML, CERTIFICATE = "inland.db", "factory.toml", "tls.crt"
#: The last head that was signed; it comes with the books.
LAST_HEAD = "keys/head"
#: Keys of assets, and what opens them.
ASSET_KEYS = "keys/vault"
#: Folders of a home that a backup may hold files of.
FOLDERS = ("policies", "keys", "records", "journal", "ledger", "models", "vault")
_SECTIONS = (HEAD, DATABASE, FACTORY_TOML, CERTIFICATE, *FOLDERS, MANIFEST)
#: A tar header (ustar) has room for no more.
PATH_CHARS = 200
_DEPTH = 10
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z")
#: A sealed part of an asset, which tells nobody's name.
_CONTENT = re.compile(r"vault/parts/[a-z0-9][a-z0-9-]{0,63}/[0-9]{8}\Z")
_SIGNING_KEY = re.compile(r"keys/(?:logs?(?:[./-].*)?|(?:models|bundles)\.(?!pub\Z).*)\Z")

#: Where a part stands among the others: its section, then its path.
Place = tuple[int, str]


def place(path: str) -> Place | None:
    """Where `path` belongs; None for one that no backup holds."""
    parts = path.split("/")
    if len(path) > PATH_CHARS or len(parts) > _DEPTH or parts[0] not in _SECTIONS:
        return None
    if (len(parts) > 1) != (parts[0] in FOLDERS) or not all(map(_PART.match, parts)):
        return None
    if parts[0] == "vault" and not _CONTENT.match(path):
        return None
    if is_signing_key(path) or is_of_vault(path):
        return None
    return _SECTIONS.index(parts[0]), path


def is_signing_key(path: str) -> bool:
    """Whether a signing key, the log's or the models', may lie at `path`, in whatever form."""
    return _SIGNING_KEY.match(path) is not None


def is_of_vault(path: str) -> bool:
    """Whether it may be a key of an asset, or open one: what is erased stays so in every backup."""
    return path == ASSET_KEYS or path.startswith(f"{ASSET_KEYS}/")


def demand_after(before: Place | None, path: str) -> Place:
    """The place of `path`. Raises Damaged unless it may be there, behind what came before."""
    found = place(path)
    if found is None:
        raise Damaged("the backup", f"holds {path!r}, which belongs into none")
    if before is not None and found <= before:
        raise Damaged("the backup", f"holds {path!r} out of order")
    return found
