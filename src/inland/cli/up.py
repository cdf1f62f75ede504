"""`inland up`: from nothing, or from a home, to a factory that answers."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from inland import settings
from inland.adapters.files.clock import SystemClock
from inland.adapters.home import factory_toml
from inland.adapters.home.factory_toml import DEFAULT_PORT, Declaration
from inland.adapters.home.layout import Home
from inland.adapters.processes import lock
from inland.adapters.processes.client import SupervisorClient
from inland.adapters.processes.listeners import prove_free
from inland.adapters.weights.cache import WeightsCache
from inland.cli import show
from inland.cli.declared_models import ready_models
from inland.cli.factory import calling, home_of
from inland.cli.failures import Failed
from inland.cli.first_start import first_start, refuse_other_site, say_site
from inland.cli.greeting import greeting
from inland.cli.listening import (
    BindOption,
    CertOption,
    Heard,
    HostsOption,
    KeyOption,
    PortOption,
    SelfSignedOption,
    certificate_of,
)
from inland.cli.options import HomeOption, JsonOption
from inland.cli.progress import waiting
from inland.cli.reached import Reached, reached
from inland.cli.starting import GivenUp, Running, say_failed, start, stop, stop_limit_s, wait_ready
from inland.domain.errors import Busy, Conflict, InlandError
from inland.ports.runner import ProcessState

_LOOK_S = 0.5
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(
    *,
    port: PortOption = None,
    bind: BindOption = None,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
    tls_self_signed: SelfSignedOption = False,
    host: HostsOption = None,
    site: Annotated[
        str | None,
        typer.Option(help="First start: the country this machine stands in.", show_default="ZZ"),
    ] = None,
    gateways: Annotated[
        int | None, typer.Option(min=1, max=64, help="Gateway processes.", show_default="1")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never touch the network.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once it is ready; it goes on running.")
    ] = False,
    model_wheel: Annotated[
        Path | None, typer.Option(help="First start: take the model from this wheel.")
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Start the factory; make it first where there is none."""
    found, given = home_of(home), settings.from_environment()
    heard = Heard(bind, tls_cert, tls_key, tls_self_signed, host)
    _refuse_running(found)
    cache = WeightsCache(given.cache, given.environment)
    keys: dict[str, str] = {}
    if not found.is_made():
        with _interruptible():
            keys = first_start(
                found,
                cache,
                site=site,
                port=DEFAULT_PORT if port is None else port,
                gateways=gateways or 1,
                listening=heard.first(),
                offline=offline,
                wheel=model_wheel,
            )
    declared = factory_toml.read(found.factory_toml)
    plan = _Plan(found, declared, keys, json=json)
    with plan.keys_not_lost():
        refuse_other_site(site, declared.site.stands)
        chosen = declared.port if port is None else port
        listening = heard.on(declared.listening)
        prove_free(chosen, listening.bind)
        certificate = certificate_of(found, listening)
        with _interruptible():
            ready_models(found, declared, cache, offline=offline, wheel=model_wheel)
        running = start(
            found,
            port=chosen,
            gateways=gateways or declared.gateways,
            listening=listening,
            detach=detach,
            environment=given.child_environment,
        )
        at = reached(found, listening, running.port, certificate)
        at.keep(found)
        _until_ready(found, running)
    plan.greet(running, at)
    _say_who_is_away(found)
    if not detach:
        _stay(found, running)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is printed in the end."""

    home: Home
    declared: Declaration
    keys: dict[str, str]
    json: bool

    @contextmanager
    def keys_not_lost(self) -> Iterator[None]:
        """A start that fails once the home is made shows the keys: they are kept nowhere."""
        try:
            yield
        except BaseException:
            if self.keys:
                show.note("the home was made; its keys, shown only now:")
                for name, key in self.keys.items():
                    show.note(f"  {name:<10}{key}")
            raise

    def greet(self, running: Running, at: Reached) -> None:
        """Say where it is and what to paste."""
        names = [deployment.name for deployment in self.declared.deployments]
        model = names[0] if names else "MODEL"
        site = self.declared.site.stands
        if self.json:
            told = {"home": str(self.home.root), "url": at.url, "site": site, "model": model}
            known = {"certificate": at.certificate, "sha256": at.sha256}
            pid = running.process.pid
            show.as_json({**told, **known, "port": running.port, "pid": pid, "keys": self.keys})
            return
        show.line(greeting(self.home, at=at, site=say_site(site), keys=self.keys, model=model))


def _refuse_running(home: Home) -> None:
    holder = lock.running(home.lock)
    if holder is not None:
        raise Conflict(str(home.root), f"a factory is already running there (pid {holder.pid})")
    lock.wait_free(home.lock)  # children of a killed one end by themselves, and hold its port


def _until_ready(home: Home, running: Running) -> None:
    """Wait, and leave nothing running that a person would not want: a factory that cannot answer
    at all is stopped, one with an engine that failed goes on for the others."""
    try:
        with waiting("starting") as say, _interruptible():
            wait_ready(home, running, say)
    except GivenUp as error:
        if error.vital:
            stop(running, stop_limit_s(home))
        raise
    except BaseException:
        stop(running, stop_limit_s(home))
        raise


def _say_who_is_away(home: Home) -> None:
    """A keeper of the vault that is away keeps no factory from starting; it is said."""
    with suppress(InlandError), calling(home.root) as factory:
        for what, why in factory.status()["wrong"].items():
            if what.startswith("vault"):
                show.note(f"{what}: {why}; what needs them is refused until they are back")


def _stay(home: Home, running: Running) -> None:
    """Stay in the foreground: tell what changes, stop everything on an interrupt."""
    told: dict[str, tuple[int, ProcessState]] = {}
    try:
        with _interruptible():
            show.note("Ctrl-C stops it.")
            while running.process.poll() is None:
                told = _tell_changes(home, told)
                SystemClock().sleep(_LOOK_S)
    except KeyboardInterrupt:
        with waiting("stopping"):
            stop(running, stop_limit_s(home))
        show.note("stopped")
        return
    if running.process.returncode != 0:
        raise Failed(f"the supervisor ended; see {home.logs / 'supervisor.log'}")


def _tell_changes(
    home: Home, told: dict[str, tuple[int, ProcessState]]
) -> dict[str, tuple[int, ProcessState]]:
    try:
        views = SupervisorClient(home.supervisor_socket).processes()
    except Busy:
        return told
    now = {view.name: (view.restarts, view.state) for view in views}
    for view in views:
        if view.state is ProcessState.FAILED and told.get(view.name) != now[view.name]:
            show.note(say_failed(home, view))
        elif view.restarts > told.get(view.name, (0, None))[0]:
            show.note(f"{view.name} ended and was started again ({view.why})")
    return now


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does; Ctrl-C does so even where a shell started
    this in its background and had it ignored."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {n: signal.signal(n, interrupt) for n in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(ValueError, TypeError):
                signal.signal(number, handler)
