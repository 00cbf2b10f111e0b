"""First the sums are memorised, then decay finds a simpler way to add: the article's second figure.

Source: andylolu2, Weight Decay and Its Peculiar Effects, "Toy experiment", the training curves
at λ = 0.1, and the code behind them. The marked step, 3665, is there the end of the first epoch
with a train accuracy above 0.999. The weight norm is, in the code, the sum of the norms of the
parameter tensors, gains and biases included: at the start it is 117.1, where the sum of squares is
1461. The article calls it "the sum of the squared model weights".

The runs without decay are not in the article: without them, what comes with time and what comes
with decay cannot be told apart.

Command and cost: see `COST`; `wdjax run addition-curve`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.peculiar_effects.curve.claims import check
from wdjax.experiments.peculiar_effects.curve.plots import plots
from wdjax.experiments.peculiar_effects.curve.run import QUICK, Config, measure
from wdjax.experiments.peculiar_effects.judging import SOURCE

COST = "about 5 minutes on two cores, 1 GB"

ADDITION_CURVE = Experiment(
    name="addition-curve",
    article="peculiar-effects",
    summary="a network fits its sums first, and learns to add while its weights decay",
    source=f"{SOURCE}: the training curves at λ = 0.1",
    cost=COST,
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["ADDITION_CURVE"]
