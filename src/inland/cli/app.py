"""All commands by name, and what a person sees when one fails."""

import sys

import typer
from typer.exceptions import TyperException

from inland.cli import (
    asset,
    backup,
    budget,
    bundle,
    contract,
    deploy,
    doctor,
    down,
    egress,
    feedback,
    guard,
    invoice,
    job,
    key,
    ledger,
    line,
    line_run,
    model,
    policy,
    price,
    process,
    receipt,
    record,
    release,
    status,
    tenant,
    up,
    usage,
    vault,
    verify,
)
from inland.cli.failures import FAULT, INTERRUPTED, describe, describe_fault
from inland.cli.pilot import command as pilot
from inland.domain.errors import InlandError

app = typer.Typer(
    name="inland",
    help="A sovereign AI factory: governed, metered, provable inference.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(up.up)
app.command("down")(down.down)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("usage")(usage.usage)
app.command("invoice")(invoice.invoice)
app.command("pilot")(pilot.pilot)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("verify")(verify.verify)
app.add_typer(tenant.app, name="tenant")
app.add_typer(key.app, name="key")
app.add_typer(model.app, name="model")
app.add_typer(bundle.app, name="bundle")
app.add_typer(deploy.app, name="deploy")
app.add_typer(asset.app, name="asset")
app.add_typer(job.app, name="job")
app.add_typer(release.app, name="release")
app.add_typer(feedback.app, name="feedback")
app.add_typer(line.app, name="line")
app.add_typer(line_run.app, name="run")
app.add_typer(contract.app, name="contract")
app.add_typer(price.app, name="price")
app.add_typer(budget.app, name="budget")
app.add_typer(policy.app, name="policy")
app.add_typer(guard.app, name="guard")
app.add_typer(receipt.app, name="receipt")
app.add_typer(ledger.app, name="ledger")
app.add_typer(record.app, name="record")
app.add_typer(process.app, name="process")
app.add_typer(egress.app, name="egress")
app.add_typer(vault.app, name="vault")


def run(argv: list[str] | None = None) -> None:
    """Run one command and exit; a failure is one line on standard error and a status of its own.

    An error of ours exits 1, wrong words on the command line 2, a fault of Inland's own 70, an
    interrupt 130.
    """
    try:
        code = app(argv, standalone_mode=False)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (InlandError, OSError, TyperException, typer.Abort) as error:
        line, code = describe(error)
        if line:
            typer.echo(f"inland: {line}", err=True)
    except Exception as error:  # noqa: BLE001 - a person never sees a traceback
        typer.echo(f"inland: {describe_fault(error)}", err=True)
        code = FAULT
    sys.exit(code if isinstance(code, int) else 0)
