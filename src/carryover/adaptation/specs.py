"""What an adaptation config can say; keys are checked, defaults are left out of a run's id."""

from dataclasses import dataclass, field

from carryover._core.checks import check_range
from carryover._core.errors import InputError, did_you_mean
from carryover.adaptation.measuring_specs import ForecastSpec, RegimeSpec
from carryover.adaptation.plans import PLANS, Plan
from carryover.diagnosis.specs import ModelSpec, TargetSpec
from carryover.models.initial_scales import InitialScales

SPEC_VERSION = 2
ALL = "all"


@dataclass(frozen=True)
class BudgetSpec:
    """[train]: what every plan gets.  ``warmup`` is a share of the steps; ``flip`` a probability and ``least_area`` the
    smallest share of an image that a random crop keeps (1: whole images); ``pool_steps`` for the best constrained
    adaptation, by default four times ``steps``.
    """

    steps: int = 200
    batch_size: int = 32
    warmup: float = 0.1
    clip_norm: float = 1.0
    flip: float = 0.0
    least_area: float = 1.0
    pool_steps: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1:
            raise InputError(
                f"train.steps and batch_size must be >= 1, got {self.steps} and {self.batch_size}"
            )
        check_range("train.warmup", self.warmup, 0, 1)


@dataclass(frozen=True)
class AdaptSpec:
    """One run.

    ``plan``: the name of one of the built-in plans or of ``plans``, or "all" to compare every one.  ``validation``: the
    share of the training labels that the winner is chosen on (and the best weights, where a phase keeps those); no plan
    trains on it.  ``decompose``: also look for the best constrained adaptation on the training labels beyond
    ``target.n_labels``, and train on to see the optimisation gap.  ``out_of_domain``: labelled images of another domain
    with classes of the target's, which every plan is also measured on.  ``forecast``: what each plan is expected to
    reach, before it runs; ``regime``: the learning regime that its run was in.
    """

    model: ModelSpec
    target: TargetSpec
    plan: str = "fine_tuning"
    plans: tuple[Plan, ...] = ()
    train: BudgetSpec = field(default_factory=BudgetSpec)
    scales: InitialScales = field(default_factory=InitialScales)
    validation: float = 0.2
    decompose: bool = False
    forecast: ForecastSpec = field(default_factory=ForecastSpec)
    regime: RegimeSpec = field(default_factory=RegimeSpec)
    out_of_domain: TargetSpec | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.target.path is None:
            raise InputError("[target] path is missing: the labelled images to adapt to")
        if self.out_of_domain is not None and self.out_of_domain.path is None:
            raise InputError("[out_of_domain] path is missing: the labelled images of another domain")
        if self.model.kind in ("features", "baseline"):
            raise InputError(f"a model given by {self.model.kind} cannot be adapted: give a network")
        if not 0.0 < self.validation < 1.0:
            raise InputError(f"validation must lie in (0, 1), got {self.validation:g}")
        names = [plan.name for plan in self.plans]
        twice = sorted({name for name in names if names.count(name) > 1 or name in PLANS or name == ALL})
        if twice:
            raise InputError(f"plan names must be unique and not those of built-in plans: {', '.join(twice)}")
        if self.plan != ALL and self.plan not in self.by_name:
            raise InputError(
                f"no plan is called {self.plan!r}; {did_you_mean(self.plan, [*self.by_name, ALL])}"
            )

    @property
    def by_name(self) -> dict[str, Plan]:
        """Built-in plans and those of the config."""
        return {**PLANS, **{plan.name: plan for plan in self.plans}}

    @property
    def chosen(self) -> tuple[Plan, ...]:
        """The plans to run, in order."""
        return tuple(self.by_name.values()) if self.plan == ALL else (self.by_name[self.plan],)
