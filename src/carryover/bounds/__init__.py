"""Upper bounds on error, each with its terms, its assumptions and whether it is vacuous."""
