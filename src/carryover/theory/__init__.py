"""Exact theory of pretraining then fine-tuning in diagonal linear networks (Anguita et al., 2026).

A task (a law of source and target coefficients) and a network (initialisation scales) give a convex potential that
fine-tuning implicitly minimises, and the fixed point of its replica equations gives the generalization error::

    from carryover.theory import FineTuning, Network, Task

    model = FineTuning(Task(0.1, 0.1, overlap=1.0), Network(scale=1e-3, relative_scale=-0.99))
    curve = model.predict([0.05, 0.1, 0.2])        # curve.generalization_error, curve.status
    model.order, model.pretraining_dependence, model.regime

NumPy and SciPy only, float64.  ``docs/notation.md`` maps the papers' symbols to these names.
"""

from carryover.theory.closed_forms import minimum_norm_error, ridgeless_error
from carryover.theory.design import Design, best_initialization
from carryover.theory.finetuning import FineTuning, GroupErrors, Prediction
from carryover.theory.flow import gradient_descent, integrate_flow, optimality_residual, run_two_phases
from carryover.theory.interpolation import interpolate, ridge_fit
from carryover.theory.networks import DiagonalWeights, Network
from carryover.theory.potentials import AbsoluteValue, HyperbolicEntropy, Quadratic
from carryover.theory.priors import MixedTask, Mixture, Task
from carryover.theory.regimes import order, pretraining_dependence, regime
from carryover.theory.simulation import Simulation, draw_task, simulate, solve_task
from carryover.theory.state_evolution import message_passing, starting_regularization, state_evolution

__all__ = [
    "AbsoluteValue",
    "Design",
    "DiagonalWeights",
    "FineTuning",
    "GroupErrors",
    "HyperbolicEntropy",
    "MixedTask",
    "Mixture",
    "Network",
    "Prediction",
    "Quadratic",
    "Simulation",
    "Task",
    "best_initialization",
    "draw_task",
    "gradient_descent",
    "integrate_flow",
    "interpolate",
    "message_passing",
    "minimum_norm_error",
    "optimality_residual",
    "order",
    "pretraining_dependence",
    "regime",
    "ridge_fit",
    "ridgeless_error",
    "run_two_phases",
    "simulate",
    "solve_task",
    "starting_regularization",
    "state_evolution",
]
