"""No process that holds texts or keys leaves its memory behind when it dies."""

import resource

#: With a limit of one byte the kernel hands nothing to a program that takes dumps; with a limit of
#: none it does (core(5)).
CORE_BYTES = 1


def leave_no_core() -> None:
    """From here on this process and its children leave no dump, in no file and to no program."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    most = 0 if hard == 0 else CORE_BYTES  # what was forbidden before cannot be raised again
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
