"""Why batch norm and weight decay collapse periodically, and what a larger ε does about it.

Source: andylolu2, Weight Decay and Its Peculiar Effects, "Problems with batch normalization",
and the paper that it points to, Lobacheva et al., arXiv:2106.15739. The article says that the
variance of features comes near zero and the outputs of batch norm blow up; the paper, that the
curvature grows as 1/‖w‖² until gradient descent is unstable, ηλ_max > 2.

Small networks of scale-invariant weights, gradient descent on all points, so that nothing but the
cycle moves the loss. Between two jumps the weights decay freely, so that the jumps come every
ln(‖w‖²_max/‖w‖²_min)/(2ηλ) steps (`wdjax.theory.instability.period`). The article's own network is
that of `addition-collapses`.

Command and cost: see `COST`; `wdjax run batch-norm-instability`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.peculiar_effects.instability.claims import check
from wdjax.experiments.peculiar_effects.instability.plots import plots
from wdjax.experiments.peculiar_effects.instability.run import QUICK, Config, measure
from wdjax.experiments.peculiar_effects.judging import SOURCE

COST = "about 50 seconds on two cores, 1 GB"

BATCH_NORM_INSTABILITY = Experiment(
    name="batch-norm-instability",
    article="peculiar-effects",
    summary="why decaying batch-norm networks jump periodically, and what a larger ε does",
    source=f'{SOURCE}: "Problems with batch normalization"',
    cost=COST,
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["BATCH_NORM_INSTABILITY"]
