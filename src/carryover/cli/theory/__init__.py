"""The subcommands of ``carryover theory``, a file each."""
