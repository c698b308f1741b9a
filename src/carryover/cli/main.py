"""The command ``carryover``: subcommands, and how errors become sentences and exit codes."""

import sys
from collections.abc import Sequence

from carryover._core.errors import DiskFullError, InputError
from carryover.cli.exit_codes import EXIT_BAD_INPUT, EXIT_INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The command line as a function: parse, run, and return the exit code."""
    from carryover.cli.commands import parse

    try:
        return parse(arguments).run()
    except (InputError, DiskFullError) as error:
        print(f"carryover: {getattr(error, 'strerror', error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("carryover: interrupted; what was finished is kept", file=sys.stderr)
        return EXIT_INTERRUPTED
