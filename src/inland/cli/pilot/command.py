"""`inland pilot`: from an empty home to a model that was trained, gated, signed, rolled out and
improved, and a poisoned round that the gate refused; all of it verified."""

import json as json_text
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import inland
from inland.adapters.files.clock import SystemClock
from inland.cli import show
from inland.cli.factory import calling
from inland.cli.failures import Failed
from inland.cli.files import put_whole
from inland.cli.listening import PortOption
from inland.cli.options import HomeOption, JsonOption
from inland.cli.pilot.asking import Asking
from inland.cli.pilot.house import house
from inland.cli.pilot.page import page
from inland.cli.pilot.picture import picture
from inland.cli.pilot.playing import Play, demand_over
from inland.cli.pilot.proving import Prover
from inland.cli.pilot.story import ROUNDS, Given, Story, given
from inland.cli.progress import steps_bar
from inland.cli.reached import remembered

if TYPE_CHECKING:
    from inland.adapters.home.layout import Home
    from inland.client import FactoryClient

#: Where a checkout has what a pilot needs besides the package.
_CHECKOUT = Path(inland.__file__).parents[2]


def pilot(
    *,
    examples: Annotated[
        Path | None, typer.Option(help="The made-up data.", show_default="this checkout's")
    ] = None,
    verifier: Annotated[
        Path | None,
        typer.Option(help="inland_verify.py, which checks it all.", show_default="this checkout's"),
    ] = None,
    port: PortOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave a factory running that was started for this.")
    ] = False,
    evidence: Annotated[
        Path | None, typer.Option(help="Keep proofs and public keys in this folder.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Put the report here (HTML).")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Play a whole loop on made-up data: notes from a factory floor become work orders in JSON.

    A baseline; training, evaluation, gate, release and rollout of a first model; a second round
    with corrections; a poisoned third, which the gate must refuse; each round verified by the
    single file. What was done before is not done again, so a pilot that was cut goes on. Ends with
    1 where it does not keep what is promised of it. It takes minutes, and needs the extra `train`.
    """
    said = given(examples or _CHECKOUT / "examples")
    file = verifier or _CHECKOUT / "verifier" / "inland_verify.py"
    if not file.is_file():
        raise Failed(f"there is no {file}: name the single-file verifier with --verifier FILE")
    clock = SystemClock()
    began_s = clock.monotonic()
    story = Story(said)
    with (
        house(home, port, keep=keep) as found,
        _folder(evidence) as folder,
        calling(found.root) as factory,
    ):
        _played(story, factory, found, Prover(factory, found, file, folder))
    story.seconds = round(clock.monotonic() - began_s, 1)
    if output is not None:
        put_whole(output, page(story).encode())
    show.as_json(summary(story)) if json else show.line(picture(story))
    if not all(target.holds for target in story.targets()):
        raise typer.Exit(1)


def _played(story: Story, factory: "FactoryClient", home: "Home", prover: Prover) -> None:
    clock = SystemClock()
    at = remembered(home)
    if at is None:
        raise Failed(
            f"nobody knows where the factory in {home.root} is reached: inland down, then up"
        )
    asking = Asking(factory, at, _tasks(story.given), clock.unix_us() // 1_000_000)
    began_s = clock.monotonic()

    def say(text: str) -> None:
        show.note(f"{clock.monotonic() - began_s:7.1f} s  {text}")

    with steps_bar("pilot") as advance:
        play = Play(factory, story.given, asking, say, advance)
        play.prepare()
        for number, one in enumerate(ROUNDS):
            say(f"the {one.name} round: {one.what}")
            found = play.play(number, one)
            demand_over(found)
            story.rounds.append(found)
            if not found.is_released and one is ROUNDS[0]:
                break  # there is nothing to improve
        _verified(story, asking, prover, say, advance)


def _verified(story: Story, asking: Asking, prover: Prover, say: Any, advance: Any) -> None:
    prover.keys()
    for one in story.rounds:
        one.proof = prover.round(one, advance)
        say(f"the {one.round} round is verified: {one.proof['receipts']} receipts")
    if any(one.is_released for one in story.rounds):
        story.answer = asking.one(story.given.model)
        story.answer["proof"] = prover.answer(story.answer)
        say("an answer of what was released is verified")


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="inland-pilot-") as folder:
        yield Path(folder)


def _tasks(said: Given) -> list[dict[str, Any]]:
    """What users ask: the tasks of the suite, one after the other."""
    (file,) = [path for _, path in said.shelf.values() if path.match("work-orders/suite.jsonl")]
    return [json_text.loads(line) for line in file.read_text("utf-8").splitlines()]


def summary(story: Story) -> dict[str, Any]:
    """What programs read."""
    asked = story.given.asked
    first, second = story.after("first", asked), story.after("second", asked)
    targets = story.targets()
    return {
        "baseline": story.baseline and story.baseline.point,
        "released": first and first.point,
        "second": second and second.point,
        "poisoned_refused": any(
            one.round == "poisoned" and one.refused_by == "gate" for one in story.rounds
        ),
        "holds": all(target.holds for target in targets),
        "seconds": {
            f"{one.round}.{step.kind}": step.seconds for one in story.rounds for step in one.steps
        },
        "wall_s": story.seconds,
        "targets": [asdict(target) for target in targets],
        "rounds": [asdict(one) for one in story.rounds],
        "answer": story.answer,
    }
