"""`/factory/v1` as its callers see it, over `run/control.sock`, for console and commands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpx  # noqa: TID251 - a unix socket of our own, no connection to anywhere

from inland.content_lines import ContentLines
from inland.domain.errors import Busy
from inland.refusals import away, demand_allowed, heard, refusal

#: Longer than control may hold a call back: a revocation waits for a lease (5 s), twice.
CALL_LIMIT_S = 30.0
#: A month of records is read for a report.
REPORT_LIMIT_S = 300.0
#: And until every part of a vault was opened.
CHECK_LIMIT_S = 24 * 3600.0
_ROOT = "/factory/v1/"

#: Query parameters; None leaves one out.
Params = Mapping[str, str | int | None]


class FactoryClient:
    """Calls as the holder of `key`. Raises Refused for what control refuses, Busy without it."""

    def __init__(self, socket: Path, key: str, call_limit_s: float = CALL_LIMIT_S) -> None:
        headers = {"authorization": f"Bearer {key}"}
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)),
            base_url="http://control",
            headers=headers,
            timeout=call_limit_s,
        )
        self._content = ContentLines(socket, headers, call_limit_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()
        self._content.close()

    def status(self) -> dict[str, Any]:
        return self._object("GET", "status")

    def tenants(self) -> list[dict[str, Any]]:
        return self._list("tenants")

    def add_tenant(self, name: str, label: dict[str, list[str]]) -> dict[str, Any]:
        """`label`: jurisdictions, storage, purposes; the site's without the first."""
        return self._object("POST", "tenants", body={"name": name, **label})

    def label_tenant(self, name: str, purposes: list[str]) -> dict[str, Any]:
        """Returns when every gateway decides by it."""
        return self._object("POST", f"tenants/{_part(name)}/label", body={"purposes": purposes})

    def suspend_tenant(self, name: str) -> dict[str, Any]:
        """Returns when no gateway serves it any more."""
        return self._object("POST", f"tenants/{_part(name)}/suspend")

    def resume_tenant(self, name: str) -> dict[str, Any]:
        return self._object("POST", f"tenants/{_part(name)}/resume")

    def keys(self, tenant: str | None = None) -> list[dict[str, Any]]:
        return self._list("keys", {"tenant": tenant})

    def add_key(self, body: dict[str, Any]) -> dict[str, Any]:
        """`tenant`, `role`, `models`, `expires` (Unix seconds); the reply alone has the `key`."""
        return self._object("POST", "keys", body=body)

    def rotate_key(self, key: str, overlap_s: int) -> dict[str, Any]:
        """The successor, whose `key` is in this reply alone, and the old one as it is `before`."""
        return self._object("POST", f"keys/{_part(key)}/rotate", body={"overlap_s": overlap_s})

    def revoke_key(self, key: str) -> dict[str, Any]:
        """Returns when no gateway takes it any more."""
        return self._object("POST", f"keys/{_part(key)}/revoke")

    def rotate_log_key(self, why: str) -> dict[str, Any]:
        """Returns when a new log has begun: its `vkey`, the one `before`, the `reference` of the
        record that leads from that to it."""
        return self._object("POST", "log/rotate-key", body={"why": why})

    def models(self) -> list[dict[str, Any]]:
        return self._list("models")

    def model(self, name: str) -> dict[str, Any]:
        return self._object("GET", f"models/{_part(name)}")

    def pull_model(self, body: dict[str, Any]) -> dict[str, Any]:
        """Returns when it has begun; `model_pull` tells how it goes."""
        return self._object("POST", "models/pull", body=body)

    def model_pull(self, name: str) -> dict[str, Any]:
        """The one under way, or the last since control began."""
        return self._object("GET", f"models/{_part(name)}/pull")

    def deployments(self) -> list[dict[str, Any]]:
        return self._list("deployments")

    def deployment(self, name: str) -> dict[str, Any]:
        return self._object("GET", f"deployments/{_part(name)}")

    def add_deployment(self, body: dict[str, Any]) -> dict[str, Any]:
        """Weights in the vault are inspected first."""
        return self._object("POST", "deployments", body=body, limit_s=REPORT_LIMIT_S)

    def scale_deployment(self, name: str, replicas: int) -> dict[str, Any]:
        """Returns when that is written; engines start, or drain, after it."""
        body = {"replicas": replicas}
        return self._object("POST", f"deployments/{_part(name)}/scale", body=body)

    def measure_deployment(self, name: str) -> dict[str, Any]:
        """Returns when it has begun; `measurement` tells how it goes."""
        return self._object("POST", f"deployments/{_part(name)}/measure")

    def measurement(self, name: str) -> dict[str, Any]:
        """The one under way, or the last since control began."""
        return self._object("GET", f"deployments/{_part(name)}/measurement")

    def remove_deployment(self, name: str) -> None:
        self._call("DELETE", f"deployments/{_part(name)}")

    def assets(self, tenant: str | None = None, *, erased: bool = False) -> list[dict[str, Any]]:
        """Those the caller may see, and with `erased` what is left of others."""
        return self._list("assets", {"tenant": tenant, "erased": "true" if erased else None})

    def asset(self, asset: str) -> dict[str, Any]:
        return self._object("GET", f"assets/{_part(asset)}")

    def add_asset(self, body: dict[str, Any]) -> dict[str, Any]:
        """Begins an upload, or goes on with one: which of its `parts` are `received`."""
        return self._object("POST", "assets", body=body)

    def put_asset_parts(
        self, asset: str, number: int, file: BinaryIO, at: int, length: int
    ) -> None:
        """`length` bytes of `file` from `at` on, whole parts from that one on; returns when they
        are durable. Threads may put several at once. Raises EOFError where the file ends before."""
        path = f"assets/{_part(asset)}/parts/{number}"
        with heard():
            demand_allowed(self._content.send(f"{_ROOT}{path}", file, at, length))

    def finish_asset(self, asset: str) -> dict[str, Any]:
        return self._object("POST", f"assets/{_part(asset)}/finish")

    def give_up_asset(self, asset: str) -> None:
        """Removes an upload."""
        self._call("DELETE", f"assets/{_part(asset)}/upload")

    def share_asset(self, asset: str, add: list[str], remove: list[str]) -> dict[str, Any]:
        body = {"add": add, "remove": remove}
        return self._object("POST", f"assets/{_part(asset)}/share", body=body)

    def label_asset(self, asset: str, terms: dict[str, Any]) -> dict[str, Any]:
        return self._object("POST", f"assets/{_part(asset)}/label", body=terms)

    def export_asset(self, asset: str, body: dict[str, Any]) -> dict[str, Any]:
        """Begins an export: its `parts` are to be read."""
        return self._object("POST", f"assets/{_part(asset)}/exports", body=body)

    def asset_parts(self, asset: str, export: str, numbers: range, into: memoryview) -> int:
        """Parts into memory that has room for them; their length. Threads may ask at once."""
        try:
            return self._asset_parts(asset, export, numbers, into)
        except Busy:
            if len(numbers) == 1:
                raise
        at = 0  # what stood in the way of one of them is an answer when it is asked for by itself
        for number in numbers:
            at += self._asset_parts(asset, export, range(number, number + 1), into[at:])
        return at

    def _asset_parts(self, asset: str, export: str, numbers: range, into: memoryview) -> int:
        path = f"assets/{_part(asset)}/exports/{_part(export)}/parts/{numbers[0]}"
        path += f"?count={len(numbers)}"
        with heard():
            answer = self._content.receive(f"{_ROOT}{path}", into)
        demand_allowed(answer)
        return answer.length

    def finish_export(self, asset: str, export: str) -> dict[str, Any]:
        path = f"assets/{_part(asset)}/exports/{_part(export)}/finish"
        return self._object("POST", path)

    def give_up_export(self, asset: str, export: str) -> None:
        """Ends one that is not gone on with."""
        self._call("DELETE", f"assets/{_part(asset)}/exports/{_part(export)}")

    def move_asset(self, asset: str, to: str) -> dict[str, Any]:
        """Returns when it has begun; `asset_move` tells how it goes."""
        return self._object("POST", f"assets/{_part(asset)}/move", body={"to": to})

    def asset_move(self, asset: str) -> dict[str, Any]:
        """The one under way, or the last since control began."""
        return self._object("GET", f"assets/{_part(asset)}/move")

    def erase_asset(self, asset: str) -> dict[str, Any]:
        """Returns when nothing of it opens: the `record` that certifies it."""
        return self._object("POST", f"assets/{_part(asset)}/erase", limit_s=REPORT_LIMIT_S)

    def contracts(self, tenant: str | None = None, *, ended: bool = False) -> list[dict[str, Any]]:
        """Those in force, and with `ended` all there ever were."""
        return self._list("contracts", {"tenant": tenant, "ended": "true" if ended else None})

    def add_contract(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._object("POST", "contracts", body=body)

    def contract_report(self, asked: Params) -> dict[str, Any]:
        """`tenant`, `deployment`, `month`: a month minute by minute."""
        reply: dict[str, Any] = self._call(
            "GET", "contracts/report", asked, limit_s=REPORT_LIMIT_S
        ).json()
        return reply

    def contract_page(self, asked: Params) -> bytes:
        """The same as a page."""
        path = "contracts/report.html"
        return self._call("GET", path, asked, limit_s=REPORT_LIMIT_S).content

    def remove_contract(self, contract: str) -> dict[str, Any]:
        return self._object("DELETE", f"contracts/{_part(contract)}")

    def revive(self, process: str) -> None:
        self._call("POST", f"processes/{_part(process)}/revive")

    def policies(self) -> dict[str, Any]:
        return self._object("GET", "policies")

    def apply_policies(self, files: dict[str, str]) -> dict[str, Any]:
        """Whole or not at all; returns when every gateway decides by them."""
        return self._object("POST", "policies", body={"files": files})

    def explain(self, question: dict[str, Any]) -> dict[str, Any]:
        """`ref` of a receipt, or who, action, what and where."""
        return self._object("POST", "policies/explain", body=question)

    def receipt(self, ref: str, since: int | None = None) -> bytes:
        """The receipt's bytes as they are to be kept; `since`: a kept checkpoint's size."""
        return self._call("GET", f"receipts/{_part(ref)}", {"since": since}).content

    def record_key(self, ref: str) -> dict[str, Any]:
        """The key of one record, for its tenant alone."""
        return self._object("GET", f"receipts/{_part(ref)}/key")

    def usage(self, tenant: str | None, since: str | None = None) -> list[dict[str, Any]]:
        return self._list("usage", {"tenant": tenant, "since": since})

    def vault(self) -> dict[str, Any]:
        return self._object("GET", "vault")

    def check_vault(self, *, repair: bool) -> list[dict[str, Any]]:
        """All that is wrong, once every part was opened."""
        path, body = "vault/check", {"repair": repair}
        found: list[dict[str, Any]] = self._call(
            "POST", path, body=body, limit_s=CHECK_LIMIT_S
        ).json()
        return found

    def withdraw_keys(self, tenant: str | None) -> dict[str, Any]:
        """Returns when nothing of the tenant opens and no gateway serves it."""
        return self._object("POST", "vault/withdraw", body={"tenant": tenant})

    def give_back_keys(self, tenant: str | None) -> dict[str, Any]:
        return self._object("POST", "vault/give-back", body={"tenant": tenant})

    def rotate_vault(self, secret: str | None) -> dict[str, Any]:
        """Returns when every embedded key is under a new factory key."""
        body = {"secret": secret}
        return self._object("POST", "vault/rotate", body=body, limit_s=CHECK_LIMIT_S)

    def run_job(self, body: dict[str, Any]) -> dict[str, Any]:
        """Returns when it is on the books; `job` tells how it goes."""
        return self._object("POST", "jobs", body=body)

    def jobs(self, tenant: str | None = None) -> list[dict[str, Any]]:
        """Those under way, and the last that ended."""
        return self._list("jobs", {"tenant": tenant})

    def job(self, job: str) -> dict[str, Any]:
        return self._object("GET", f"jobs/{_part(job)}")

    def stop_job(self, job: str) -> dict[str, Any]:
        """Returns when it is gone."""
        return self._object("POST", f"jobs/{_part(job)}/stop")

    def add_line(self, tenant: str | None, text: str) -> dict[str, Any]:
        return self._object("POST", "lines", body={"tenant": tenant, "text": text})

    def lines(self, tenant: str | None = None) -> list[dict[str, Any]]:
        return self._list("lines", {"tenant": tenant})

    def line(self, tenant: str | None, name: str) -> dict[str, Any]:
        told: dict[str, Any] = self._call("GET", f"lines/{_part(name)}", {"tenant": tenant}).json()
        return told

    def pause_line(self, tenant: str | None, name: str, *, paused: bool) -> dict[str, Any]:
        body = {"tenant": tenant, "paused": paused}
        return self._object("POST", f"lines/{_part(name)}/pause", body=body)

    def run_line(self, tenant: str | None, name: str) -> dict[str, Any]:
        """Returns when it is on the books; `run` tells how it goes."""
        return self._object("POST", f"lines/{_part(name)}/run", body={"tenant": tenant})

    def runs(self, tenant: str | None = None, line: str | None = None) -> list[dict[str, Any]]:
        return self._list("runs", {"tenant": tenant, "line": line})

    def run(self, run: str) -> dict[str, Any]:
        """It (`run`), its `steps`, and its `materials`."""
        return self._object("GET", f"runs/{_part(run)}")

    def run_logs(self, run: str, after: int) -> list[dict[str, Any]]:
        return self._list(f"runs/{_part(run)}/logs", {"after": after})

    def run_refusal(self, run: str) -> dict[str, Any]:
        """Of one that was refused: the signed `envelope`, and its `origin`."""
        return self._object("GET", f"runs/{_part(run)}/refusal", limit_s=REPORT_LIMIT_S)

    def resume_run(self, run: str) -> dict[str, Any]:
        return self._object("POST", f"runs/{_part(run)}/resume")

    def cancel_run(self, run: str) -> dict[str, Any]:
        """Returns when nothing is done for it any more."""
        return self._object("POST", f"runs/{_part(run)}/cancel", limit_s=REPORT_LIMIT_S)

    def egress(self) -> list[dict[str, Any]]:
        return self._list("egress")

    def prices(self) -> list[dict[str, Any]]:
        return self._list("prices")

    def set_price(self, body: dict[str, Any]) -> dict[str, Any]:
        """`deployment`, `currency`, `prompt`, `cached`, `completion` (texts), `since` (Unix s)."""
        return self._object("POST", "prices", body=body)

    def budgets(self, tenant: str | None) -> list[dict[str, Any]]:
        return self._list("budgets", {"tenant": tenant})

    def set_budget(self, body: dict[str, Any]) -> dict[str, Any]:
        """`tenant`, `key`, `unit`, `amount` (a text), `period`, `soft_percent`, `hard`."""
        return self._object("POST", "budgets", body=body)

    def remove_budget(self, names: Params) -> None:
        """`tenant`, `key`, `unit` and `period` of it."""
        self._call("DELETE", "budgets", names)

    def propose_release(self, body: dict[str, Any]) -> dict[str, Any]:
        """`name`, `deployment`, `adapter`, `evidence`, `pace`."""
        return self._object("POST", "releases", body=body)

    def releases(self, tenant: str | None) -> list[dict[str, Any]]:
        return self._list("releases", {"tenant": tenant})

    def release(self, release: str) -> dict[str, Any]:
        return self._object("GET", f"releases/{_part(release)}")

    def release_statement(self, release: str) -> dict[str, Any]:
        return self._object("GET", f"releases/{_part(release)}/statement")

    def release_origin(self, release: str) -> dict[str, Any]:
        """The `records` that tell of it, and the `steps` of its run."""
        return self._object("GET", f"releases/{_part(release)}/origin", limit_s=REPORT_LIMIT_S)

    def approve_release(self, release: str) -> dict[str, Any]:
        return self._object("POST", f"releases/{_part(release)}/approve")

    def roll_release_back(self, release: str) -> dict[str, Any]:
        """Returns when what was live before answers alone."""
        return self._object("POST", f"releases/{_part(release)}/rollback")

    def give_feedback(self, body: dict[str, Any]) -> dict[str, Any]:
        """`receipt`, `thumbs`, `correction`, `messages`."""
        return self._object("POST", "feedback", body=body)

    def feedback(self, tenant: str | None, model: str | None) -> list[dict[str, Any]]:
        return self._list("feedback", {"tenant": tenant, "model": model})

    def feedback_on(self, receipt: str) -> dict[str, Any]:
        """What was said of one answer, in words too."""
        return self._object("GET", f"feedback/{_part(receipt)}")

    def remove_feedback(self, receipt: str) -> None:
        self._call("DELETE", f"feedback/{_part(receipt)}")

    def collect_feedback(self, tenant: str | None, model: str, name: str) -> dict[str, Any]:
        body = {"tenant": tenant, "model": model, "name": name}
        return self._object("POST", "feedback/collect", body=body)

    def guards(self) -> list[dict[str, Any]]:
        return self._list("guards")

    def set_guard(self, body: dict[str, Any]) -> dict[str, Any]:
        """`name`, `act`, `finds`, `patterns`, `on`, `deployment`, `tenant`."""
        return self._object("POST", "guards", body=body)

    def remove_guard(self, name: str) -> None:
        self._call("DELETE", f"guards/{_part(name)}")

    def invoice(self, tenant: str, month: str) -> dict[str, Any]:
        """The invoice of `month`, YYYY-MM."""
        params = {"tenant": tenant, "month": month}
        reply = self._call("GET", "invoice", params, limit_s=REPORT_LIMIT_S)
        told: dict[str, Any] = reply.json()
        return told

    def invoice_page(self, tenant: str, month: str) -> bytes:
        """The same as HTML."""
        params = {"tenant": tenant, "month": month}
        return self._call("GET", "invoice/page", params, limit_s=REPORT_LIMIT_S).content

    @contextmanager
    def records(self, tenant: str) -> Iterator[Iterator[bytes]]:
        """A tenant's records, one canonical JSON a line, in pieces as they arrive."""
        try:
            with self._http.stream("GET", f"{_ROOT}records", params={"tenant": tenant}) as reply:
                if reply.status_code >= httpx.codes.BAD_REQUEST:
                    reply.read()
                    raise refusal(reply)
                yield reply.iter_bytes()
        except httpx.TransportError as error:
            raise away(error) from error

    def destroy_records(
        self, tenant: str | None, before: str, *, only_tell: bool = False
    ) -> dict[str, Any]:
        """Returns when none of them is left, or at once with what it would be."""
        body = {"tenant": tenant, "before": before, "only_tell": only_tell}
        return self._object("POST", "records/destroy", body=body, limit_s=CHECK_LIMIT_S)

    def _list(self, path: str, params: Params | None = None) -> list[dict[str, Any]]:
        reply: list[dict[str, Any]] = self._call("GET", path, params).json()
        return reply

    def _object(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        limit_s: float | None = None,
    ) -> dict[str, Any]:
        reply: dict[str, Any] = self._call(method, path, body=body, limit_s=limit_s).json()
        return reply

    def _call(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        body: dict[str, Any] | None = None,
        limit_s: float | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        limit = httpx.USE_CLIENT_DEFAULT if limit_s is None else httpx.Timeout(limit_s)
        try:
            reply = self._http.request(
                method, f"{_ROOT}{path}", params=given, json=body, timeout=limit
            )
        except httpx.TransportError as error:
            raise away(error) from error
        if reply.status_code >= httpx.codes.BAD_REQUEST:
            raise refusal(reply)
        return reply


def _part(text: str) -> str:
    """One segment of a path, whatever is in it."""
    return quote(text, safe="")
