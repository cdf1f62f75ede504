"""The room of lines, put together over the plant: each act over the same tables and readers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from inland.domain.limits import Limits
from inland.domain.lines import StepKind
from inland.lines.fine_tuning import FineTuning
from inland.lines.keeping import Keeper
from inland.lines.lines import Lines
from inland.lines.materials import Shelf
from inland.lines.reading import Program, Readers
from inland.lines.refusals import Refusals
from inland.lines.rehearsing import Rehearsals
from inland.lines.run_keys import RunKeys
from inland.lines.runs import Runs
from inland.lines.steps.baseline import Baseline
from inland.lines.steps.check import Check, Verify
from inland.lines.steps.evaluate import Evaluate, Trials
from inland.lines.steps.gate import gate
from inland.lines.steps.release import Releasing, Rollout
from inland.lines.steps.step import Kinds
from inland.lines.steps.suites import Suites
from inland.lines.steps.train import Shop, Train
from inland.lines.triggers import Triggers
from inland.lines.work import Worker
from inland.plant.asset_room import AssetRoom, Workers
from inland.plant.candidates import Candidates
from inland.plant.changes import Changes
from inland.plant.releases import Releases
from inland.plant.ticker import Controller, always
from inland.ports.signing import Signer
from inland.ports.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Outside:
    """What lines need of the world: tokens, what reads data, what verifies a base, what trains, who
    signs."""

    tokens: Tokens
    program: Program
    verify: Verify
    shop: Shop
    signer: Signer


@dataclass(frozen=True, slots=True)
class LineRoom:
    """The lines of one factory, and their controllers."""

    lines: Lines
    runs: Runs
    worker: Worker
    triggers: Triggers
    candidates: Candidates
    refusals: Refusals
    readers: Readers
    fine_tuning: FineTuning
    keeper: Keeper

    def controllers(self) -> Iterator[Controller]:
        """For the plant's ticker."""
        yield Controller("runs", self.worker.step, self.worker.rests)
        yield Controller("triggers", self.triggers.step)
        yield Controller("candidates", self.candidates.step, always)
        yield Controller("checkpoints", self.keeper.step, always)


def line_room(
    changes: Changes,
    assets: AssetRoom,
    workers: Workers,
    limits: Limits,
    releases: Releases,
    outside: Outside,
    begin: Callable[[Callable[[], None]], None],
) -> LineRoom:
    """`begin` runs what takes long on a thread of its own."""
    cells, memory, rulings = workers.cells, workers.memory, assets.rulings
    program, most = outside.program, limits.job_memory_bytes
    readers = Readers(changes, rulings, assets.holders, cells, memory, program, most)
    keys, shelf = RunKeys(changes, limits.keys), Shelf(changes, assets.known)
    kinds: Kinds = {}
    shop, tokens, keeper = outside.shop, outside.tokens, Keeper(changes, assets)
    check = Check(changes, rulings, readers, outside.verify, shop.trainer, kinds)
    kinds[StepKind.CHECK] = check
    rehearsals = Rehearsals(keeper, tokens, keys, changes.clock)
    kinds[StepKind.TRAIN] = Train(
        changes, readers, assets.holders, memory, keeper, rehearsals, limits, shop
    )
    candidates = Candidates(changes, releases)
    trials = Trials(changes, candidates, keys)
    suites = Suites(readers, outside.tokens, keys, changes.clock, limits.suite_tasks)
    kinds[StepKind.BASELINE] = Baseline(suites, candidates)
    kinds[StepKind.EVALUATE] = Evaluate(suites, trials)
    kinds[StepKind.GATE] = gate
    kinds[StepKind.RELEASE] = Releasing(candidates, trials)
    kinds[StepKind.ROLLOUT] = Rollout(candidates)
    worker = Worker(changes, keys, kinds, readers.end, limits.run_log_lines, begin)
    runs = Runs(changes, shelf, limits.runs, limits.runs_kept, candidates, worker.stop)
    triggers = Triggers(changes, runs, shelf, assets.feedback, begin)
    lines = Lines(changes, limits.lines_per_tenant)
    refusals = Refusals(changes.store, outside.signer)
    jobs = FineTuning(changes, assets, lines, runs, shelf, keeper, limits.jobs_kept)
    return LineRoom(lines, runs, worker, triggers, candidates, refusals, readers, jobs, keeper)
