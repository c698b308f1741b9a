"""Pretraining as a run: a spec, the objective it builds, the data it sees, and what is left to hand on."""
