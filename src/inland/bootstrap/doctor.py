"""All that can be looked at, beside a running factory or without one: machine, home, books."""

import time
from collections.abc import Callable
from pathlib import Path

from inland import __version__, settings
from inland.adapters.files.clock import SystemClock
from inland.adapters.files.disk import Disk
from inland.adapters.home import factory_toml
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.home.vault_table import BlobsIn, KeysBy
from inland.adapters.host.clocks import behind, jumped
from inland.adapters.host.findings import Finding, Health, good
from inland.adapters.host.machine import machine
from inland.adapters.host.private import ancestors, private
from inland.adapters.processes import lock
from inland.adapters.processes.client import SupervisorClient
from inland.adapters.tls import findings as tls
from inland.adapters.vault import marks
from inland.adapters.vault.folder_blobs import ROOT as BLOBS
from inland.adapters.vault.secret import SecretFile
from inland.adapters.weights.digest import demand
from inland.bootstrap.books import check_ledger, database, schema
from inland.bootstrap.vault import factory_secret, s3_key, s3_key_file, token, token_file
from inland.client import FactoryClient
from inland.domain.errors import InlandError
from inland.ledger import canonical
from inland.plant.books import journals
from inland.ports.books import Position
from inland.ports.keys import KeysAway
from inland.ports.runner import ProcessState
from inland.ports.store import Transaction

#: Booked once a second: what a journal has held for longer is not being booked.
UNBOOKED_S = 60.0


def examine(home: Home, say: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Every finding; `say` is told what is looked at. Changes nothing.

    Raises what reading factory.toml raises: without it there is no home.
    """
    declared = factory_toml.read(home.factory_toml)
    files = _files(home, declared)
    size = sum(path.stat().st_size for _, path, _ in files if path.is_file())
    say("examining the machine")
    found = machine(home.root, size, declared.limits.connections)
    found += [jumped(home.lock), private(home.root), ancestors(home.root)]
    found += tls.examine(home, declared.listening, SystemClock().unix_us() // 1_000_000)
    for name, path, digest in files:
        say(f"examining model {name}")
        found.append(_model(name, path, digest))
    found += [_vault_keys(declared), *_vault_blobs(declared)]
    found += [*vault_stores(home, declared), *_vault_away(home)]
    say("examining the books")
    return [*found, *_books(home), _processes(home)]


def _files(home: Home, declared: Declaration) -> list[tuple[str, Path, str]]:
    return [
        (model.id, home.root / model.file, model.digest)
        for model in declared.models
        if model.file is not None and model.digest is not None
    ]


def _vault_keys(declared: Declaration) -> Finding:
    """What the keys of assets are under."""
    said, what = declared.vault, "vault keys"
    credentials = settings.from_environment().credentials
    if said.keys is KeysBy.OPENBAO:
        where, file = f"on the key server {said.key_server}", token_file(said, credentials)
        return _secret(what, where, file, token, "key_server_token_file")
    secret = factory_secret(said, credentials)
    if secret.file is None:
        remedy = (
            "give [vault] a passphrase_file, or the service the credential inland-vault, before"
        )
        told = "under a file beside them: who reads the home reads every asset"
        return Finding(what, Health.WARN, told, f"{remedy} the first asset")
    try:
        secret.read()
    except KeysAway as away:
        return Finding(what, Health.WARN, away.why, "the factory needs it when it starts")
    return good(what, f"under a {secret.source}")


def _vault_blobs(declared: Declaration) -> list[Finding]:
    said = declared.vault
    if said.blobs is BlobsIn.FOLDER:
        return []
    file = s3_key_file(said, settings.from_environment().credentials)
    where = f"in the bucket {said.s3_bucket} at {said.s3_endpoint}"
    return [_secret("vault blobs", where, file, s3_key, "s3_key_file")]


def vault_stores(home: Home, declared: Declaration) -> list[Finding]:
    """Whether folders of more stores are there, and are those that were used."""
    return [_store(home, one.place.id, one.folder) for one in declared.stores if one.folder]


def _store(home: Home, name: str, folder: Path) -> Finding:
    what, away = f"vault store {name}", "mount it: until then the store is away"
    if not folder.is_dir():
        return Finding(what, Health.BAD, f"there is no folder {folder}", away)
    kept = home.root / marks.ROOT / name
    if kept.is_file() and not (folder / BLOBS / marks.BLOB / kept.read_text().strip()).is_file():
        told = f"{folder} is not the store that was used: its mark is not there"
        again = f"{away}; where this one is to take its place remove {marks.ROOT}/{name}"
        return Finding(what, Health.BAD, told, again)
    return good(what, f"in {folder}")


def _secret(
    what: str,
    told: str,
    file: SecretFile | None,
    read: Callable[[SecretFile], object],
    setting: str,
) -> Finding:
    """Whether a server's secret is there; it is read each time it is needed."""
    if file is None:
        return Finding(what, Health.BAD, "nothing opens it", f"name {setting} in [vault]")
    try:
        read(file)
    except KeysAway as away:
        return Finding(what, Health.BAD, away.why, "the factory needs it for every asset")
    return good(what, told)


def _vault_away(home: Home) -> list[Finding]:
    """What a running factory finds when it asks both keepers."""
    if lock.running(home.lock) is None:
        return []
    try:
        with FactoryClient(home.control_socket, home.operator_key.read_text().strip()) as factory:
            told = factory.vault()
    except (InlandError, OSError) as error:
        return [Finding("vault", Health.WARN, f"not asked: {error}", "see logs/control.log")]
    away = [f"{what}: {told[f'{what}_away']}" for what in ("keys", "blobs")]
    bad = [one for one in away if not one.endswith(": ")]
    if not bad:
        return [good("vault", f"keys ({told['keys']}) and blobs ({told['blobs']}) can be had")]
    remedy = "what needs it is answered 503; it is found again by itself when it is back"
    return [Finding("vault", Health.BAD, f"away: {'; '.join(bad)}", remedy)]


def _model(name: str, path: Path, digest: str) -> Finding:
    what = f"model {name}"
    try:
        demand(path, digest.removeprefix("sha256:"))
    except FileNotFoundError:
        return Finding(
            what, Health.BAD, f"{path} is missing", "inland up brings it, or put it back"
        )
    except (InlandError, OSError) as error:
        return Finding(what, Health.BAD, str(error), "remove the file and start again")
    return good(what, digest)


def _books(home: Home) -> list[Finding]:
    """The schema first: of one that this version does not know, nothing else is looked at."""
    try:
        found, newest = schema(home.root)
    except (InlandError, OSError) as error:
        return [Finding("database", Health.BAD, str(error), "use a version that knows it")]
    if found is None:
        return [Finding("database", Health.WARN, "there is none yet", "start the factory once")]
    if found != newest:
        remedy = "inland up brings it forward, and keeps a copy from before"
        return [Finding("database", Health.WARN, f"schema {found}, not {newest}", remedy)]
    copies = [file.name for file in home.root.glob("inland.db.before-*")]
    kept = f", {copies[0]} is kept" if copies else ""
    return [good("database", f"schema {found}{kept}"), _ledger(home.root), *_booking(home)]


def _ledger(home: Path) -> Finding:
    try:
        checked = check_ledger(home)
    except (InlandError, OSError) as error:
        return Finding("ledger", Health.BAD, str(error), "start the factory once, then look again")
    if checked.problems:
        told = f"{len(checked.problems)} problems: {checked.problems[0]}"
        remedy = "inland ledger check names them all; keep a copy of the home before anything else"
        return Finding("ledger", Health.BAD, told, remedy)
    waiting = checked.counted.get("unbooked", 0)
    more = f", {waiting} wait to be booked" if waiting else ""
    return good("ledger", f"{checked.counted.get('records', 0)} records agree{more}")


def _booking(home: Home) -> list[Finding]:
    """Whether journals are being booked, and whether the clock fits what was."""
    store = database(home.root, read_only=True)
    try:
        with store.read() as transaction:
            return [_journals(home, transaction), behind(_newest(transaction))]
    except (InlandError, OSError) as error:
        remedy = "keep a copy of the home, and run inland ledger check"
        return [Finding("journals", Health.BAD, str(error), remedy)]
    finally:
        store.close()


def _journals(home: Home, transaction: Transaction) -> Finding:
    files, positions = Disk(home.root), transaction.books.positions()
    damaged = [one for one in positions.values() if one.damage is not None]
    if damaged:
        told = f"booking of {damaged[0].writer} stopped: {damaged[0].damage}"
        remedy = "keep a copy of the home, and run inland ledger check; nothing behind it is booked"
        return Finding("journals", Health.BAD, told, remedy)
    waiting_s = [
        time.time() - path.stat().st_mtime  # noqa: TID251 - files are dated by this clock
        for writer in journals.writers(files)
        if _booked(positions.get(writer)) < journals.end(files, writer)
        for path in home.root.glob(f"journal/{writer}/*.frames")
    ]
    if not waiting_s:
        return good("journals", "all is booked")
    told = f"{max(waiting_s):,.0f} s since something was written that is not booked"
    if lock.running(home.lock) is None:
        return good("journals", f"{told}; the next start books it")
    if max(waiting_s) > UNBOOKED_S:
        remedy = "see alarms in inland status, and logs/control.log"
        return Finding("journals", Health.BAD, told, remedy)
    return good("journals", told)


def _booked(position: Position | None) -> int:
    return 0 if position is None else position.booked  # of one that wrote nothing yet there is none


def _newest(transaction: Transaction) -> int | None:
    """When the last entry of the site log was made, in Unix microseconds."""
    books = transaction.books
    log = books.current_log()
    size = books.log_size(log.number) if log is not None else 0
    if log is None or size == 0:
        return None
    (last,) = books.log_records(log.number, size - 1, size)
    return int(canonical.decode(last.record)["time"])


def _processes(home: Home) -> Finding:
    """Whether what runs there works, and is of this version."""
    if lock.running(home.lock) is None:
        return good("processes", "no factory runs there")
    try:
        views = SupervisorClient(home.supervisor_socket).processes()
    except InlandError as error:
        remedy = "see logs/supervisor.log; inland down and inland up start all of it again"
        return Finding("processes", Health.BAD, str(error), remedy)
    failed = [view for view in views if view.state is ProcessState.FAILED]
    if failed:
        told = f"{failed[0].name} failed: {failed[0].why}"
        return Finding("processes", Health.BAD, told, f"inland process revive {failed[0].name}")
    others = {f"{v.name} is {v.inland}" for v in views if v.inland not in {None, __version__}}
    if others:
        remedy = "inland down and inland up make them one"
        told = f"this is Inland {__version__}, and {', '.join(sorted(others))}"
        return Finding("processes", Health.WARN, told, remedy)
    restarts = sum(view.restarts for view in views)
    return good("processes", f"{len(views)} run, {restarts} restarts, all Inland {__version__}")
