"""The check: whether all that a line names may be used so here, and is whole, before anything is
done with it. Everything that stands in the way is told at once, with what would make it pass."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from inland.decide.residency import Residency, is_visible
from inland.domain.assets import Action, AssetKind, AssetState
from inland.domain.errors import BadInput, Conflict, Damaged, Denied, NotFound
from inland.domain.labels import Purpose
from inland.domain.lineage import Parent, derived
from inland.domain.lines import Line, Material, Materials, MethodKind, StepKind
from inland.domain.plant import EngineKind, Model, Tenant
from inland.domain.snapshot import Snapshot
from inland.lines.evidence import CODE
from inland.lines.reading import Readers, Use, place
from inland.lines.steps.step import Doing, Finding, Outcome
from inland.plant.asset_rulings import AssetRulings, as_it_would_be, closed
from inland.plant.changes import Changes
from inland.ports.assets import AssetRow
from inland.ports.trainer import Trainer

#: Findings that a refusal tells in one line; the others are in the step's outputs.
TOLD = 3

#: Raises Damaged where a model's weights are not what was signed.
Verify = Callable[[Model], None]


class Check:
    """The first step of every run."""

    def __init__(
        self,
        changes: Changes,
        rulings: AssetRulings,
        readers: Readers,
        verify: Verify,
        trainer: Trainer,
        can_do: Collection[StepKind],
    ) -> None:
        """`can_do`: the kinds of step that this factory has a part for."""
        self._changes = changes
        self._rulings = rulings
        self._readers = readers
        self._verify = verify
        self._trainer = trainer
        self._can_do = can_do

    def __call__(self, doing: Doing) -> Outcome:
        line, tenant, materials = doing.line, doing.run.tenant, doing.run.materials
        found = list(self._of_parts(line))
        doing.progress(0, 3, "the base model")
        found += self._of_base(line, tenant, materials)
        doing.go_on()
        doing.progress(1, 3, "labels")
        uses = _uses(materials)
        started = _started(line, materials)
        found += self._of_labels(tenant, [*uses, *started])
        if line.method is not None and not found:
            found += self._of_result(tenant, materials, started)
        outputs: dict[str, Any] = {}
        if not found:
            doing.go_on()
            doing.progress(2, 3, "the data")
            told = self._read(doing, uses)
            found += [Finding(*one) for one in told.pop("findings")]
            outputs = told
        for finding in found:
            doing.say(f"refused: {finding}")
        facts = [finding.facts() for finding in found]
        told = {**outputs, "code": CODE, "findings": facts}
        return Outcome(told, refused=_in_one_line(found))

    def _of_parts(self, line: Line) -> Iterator[Finding]:
        lacks = ", ".join(kind.value for kind in line.steps if kind not in self._can_do)
        if lacks:
            about = "steps" if line.method is None else f"method {line.method.kind.value}"
            why = f"this factory has no part that does {lacks}"
            yield Finding(about, why, "a line without [method] takes check, evaluate, gate alone")
        if line.release in self._changes.snapshot().deployments:
            why = f"a deployment is called {line.release!r}"
            yield Finding("release.name", why, "choose another model name for what is released")
        if line.method is None:
            return
        if line.method.kind is not MethodKind.LORA:
            yield Finding("method.kind", "nothing else than lora is trained here yet", "give lora")
        if self._trainer.program() is None:
            why = "no trainer is installed here"
            yield Finding("method", why, f"install it: {self._trainer.remedy()}")

    def _of_base(self, line: Line, tenant: str, materials: Materials) -> list[Finding]:
        snapshot = self._changes.snapshot()
        deployment = snapshot.deployments.get(line.base)
        model = None if deployment is None else snapshot.models.get(deployment.model)
        if deployment is None or model is None or not _sees(snapshot, tenant, model):
            why = f"there is no deployment {line.base!r}"
            return [Finding("base", why, "see inland deploy list")]
        if model.digest != materials.base:
            return [Finding("base", "its model is another by now", "begin the run anew")]
        residency, purposes = Residency(snapshot), [Purpose.SERVE]
        purposes += [Purpose.TRAIN] if line.method is not None else []
        for purpose in purposes:
            verdict = residency.decide(tenant, purpose, model.id, deployment.place)
            if not verdict.allowed:
                by = ", ".join(verdict.rules) or "no rule allows it"
                why = f"{purpose.value} of model {model.id} is refused ({by})"
                remedy = _labelled(snapshot.tenants[tenant], purpose) or verdict.remedy
                return [Finding("base", why, remedy)]
        if line.method is not None and deployment.engine is not EngineKind.LLAMA_CPP:
            why = f"{line.base} is a {deployment.engine.value}, which serves no adapters yet"
            return [Finding("base", why, "name a deployment whose engine is llama.cpp")]
        if model.file is None and line.method is not None:
            why = f"the weights of model {model.id} are not here"
            return [Finding("base", why, "name a deployment whose engine is llama.cpp")]
        try:
            if model.file is not None:
                self._verify(model)
        except Damaged as error:
            remedy = f"bring it in anew (inland model pull), then inland model verify {model.id}"
            return [Finding("base", f"model {model.id} does not verify: {error.why}", remedy)]
        return []

    def _of_labels(self, tenant: str, uses: Sequence["_Named"]) -> list[Finding]:
        found = []
        rows = self._rows(one.material.asset for one in uses)
        for one in uses:
            row = rows.get(one.material.asset)
            if row is None or row.state is not AssetState.LIVE:
                why = f"asset {one.material.asset} is gone"
                found.append(Finding(one.about, why, "begin the run anew"))
                continue
            try:
                self._rulings.demand_for(tenant, one.purpose, row)
            except Denied as denied:
                by = ", ".join(denied.rules) or "no rule allows it"
                why = f"asset {row.id} may not be used to {one.purpose.value} here ({by})"
                remedy = _relabelled(row, one.purpose) or denied.remedy
                found.append(Finding(one.about, why, remedy))
            except NotFound as error:
                found.append(Finding(one.about, str(error)))
        return found

    def _of_result(
        self, tenant: str, materials: Materials, started: Sequence["_Named"]
    ) -> list[Finding]:
        """What is made of the data carries a label that it leaves: may that be served here?"""
        learned = [*materials.train, *(one.material for one in started)]
        rows = self._rows(one.asset for one in learned)
        parents: list[Parent] = [closed(rows[one.asset]) for one in learned]
        base = self._changes.snapshot().models.get(materials.model)
        parents += [base] if base is not None else []
        remedy = (
            "loosen derived_purposes or jurisdictions of what it is made of (inland asset label)"
        )
        try:
            label = derived(tenant, parents)
            made = as_it_would_be("what-is-trained", tenant, AssetKind.ADAPTER, label)
            self._rulings.demand_for(tenant, Action.SERVE, made)
        except (BadInput, Conflict) as error:
            return [Finding("release", f"what is trained could not be used: {error}", remedy)]
        except NotFound as error:
            return [Finding("base", str(error))]
        except Denied as denied:
            by = ", ".join(denied.rules) or "no rule allows it"
            why = f"what is trained could not be served here ({by})"
            return [Finding("release", why, f"{denied.remedy}; {remedy}")]
        return []

    def _read(self, doing: Doing, uses: Sequence["_Named"]) -> dict[str, Any]:
        words = ["check", *(word for one in uses for word in one.words())]
        run, wanted = doing.run, [Use(one.material.asset, one.purpose) for one in uses]
        try:
            told = self._readers.read(run.id, run.tenant, wanted, words)
        except BadInput as error:
            return {"findings": [[error.field, error.why, ""]]}
        return dict(told)

    def _rows(self, ids: Iterator[str]) -> dict[str, AssetRow]:
        with self._changes.store.read() as transaction:
            return {row.id: row for row in transaction.assets.some(list(dict.fromkeys(ids)))}


class _Named:
    """A material as the line uses it."""

    def __init__(self, role: str, material: Material, purpose: Action) -> None:
        self.role, self.material, self.purpose = role, material, purpose

    @property
    def about(self) -> str:
        return f"{self.role} {self.material.name}"

    def words(self) -> tuple[str, str, str]:
        """For who reads it: its role, how people know it, where it lies."""
        return self.role, f"={self.material.name}", place(self.material.asset)


def _uses(materials: Materials) -> list[_Named]:
    return [
        *(_Named("train", one, Action.TRAIN) for one in materials.train),
        *(_Named("holdout", one, Action.EVALUATE) for one in materials.holdout),
        *(_Named("suite", one, Action.EVALUATE) for one in materials.suites),
    ]


def _started(line: Line, materials: Materials) -> list[_Named]:
    """The adapter that training begins from."""
    start = materials.start(line.method)
    if start is None:
        return []
    return [
        _Named("start", Material(str(line.release), start.adapter, 0, start.digest), Action.TRAIN)
    ]


def _sees(snapshot: Snapshot, tenant: str, model: Model) -> bool:
    known = snapshot.tenants.get(tenant)
    return known is not None and is_visible(known, model)


def _labelled(tenant: Tenant, purpose: Purpose) -> str:
    """How to have a tenant's label allow a purpose that it does not; empty where it does."""
    if purpose in tenant.label.purposes:
        return ""
    wanted = [one for one in Purpose if one in {*tenant.label.purposes, purpose}]
    told = f"the label of tenant {tenant.id} is for {' '.join(tenant.label.purposes)} alone: "
    if tenant.declared:
        listed = ", ".join(f'"{one}"' for one in wanted)
        return f"{told}give it purposes = [{listed}] in factory.toml, then inland down and up"
    return f"{told}inland tenant label {tenant.id} --purposes {','.join(wanted)}"


def _relabelled(row: AssetRow, action: Action) -> str:
    """The same of an asset's label."""
    purpose = Purpose(action.value)
    if purpose in row.label.purposes:
        return ""
    wanted = ",".join(one for one in Purpose if one in {*row.label.purposes, purpose})
    told = f"its label is for {' '.join(row.label.purposes) or 'nothing'} alone: "
    return f"{told}inland asset label {row.id} --purposes {wanted}"


def _in_one_line(found: Sequence[Finding]) -> str:
    told = "; ".join(str(one) for one in found[:TOLD])
    more = len(found) - TOLD
    return f"{told}; and {more} more (inland run show)" if more > 0 else told
