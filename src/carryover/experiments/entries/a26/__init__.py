"""Anguita et al. (2026): diagonal networks, scaled residual networks, a Transformer on modular arithmetic."""
