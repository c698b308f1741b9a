"""Adapting a pretrained network to labelled examples: plans as data, constraints, and what became of the network."""
