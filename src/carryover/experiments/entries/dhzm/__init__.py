"""Deng et al. (2024): RadReg, the terms of the transfer bound, dense and several tasks downstream."""
