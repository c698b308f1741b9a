"""Records, errors, seeding and argument checks: what every other layer stands on."""
