"""Under- and overfitting, double descent, and what decay does about them, in closed form.

Source: andylolu2, Weight Decay and Its Peculiar Effects, "Intuition of weight decay", which
tells of the interpolation threshold and of what lies on either side, and "Toy experiment", which
guesses that its networks show no dip there because their data have no noise.

Ridge regression on random ReLU features of digits: with few features it underfits, with as many as
images it just interpolates, with more it can choose. Its penalty is to a linear model what decay is
to gradient descent. Everything is exact: one singular value decomposition per seed and width gives
the solutions for all λ and all labels. λ = 0 stands for the solution of the least norm.

Command and cost: see `COST`; `wdjax run interpolation-threshold`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.peculiar_effects.judging import SOURCE
from wdjax.experiments.peculiar_effects.random_features.claims import check
from wdjax.experiments.peculiar_effects.random_features.plots import plots
from wdjax.experiments.peculiar_effects.random_features.run import QUICK, Config, measure

COST = "about 6 seconds on two cores, 1 GB"

INTERPOLATION_THRESHOLD = Experiment(
    name="interpolation-threshold",
    article="peculiar-effects",
    summary="under- and overfitting, double descent and decay, on random features in closed form",
    source=f'{SOURCE}: "Intuition of weight decay"',
    cost=COST,
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["INTERPOLATION_THRESHOLD"]
