"""The commands: parse, ask the factory, show. One line for an error, never a traceback."""


def main() -> None:
    """The `inland` command."""
    from inland.cli.app import run

    run()
