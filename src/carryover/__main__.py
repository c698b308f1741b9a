"""``python -m carryover``: the command line."""

from carryover.cli.main import main

main()
