"""How well does a network add, after training with how much decay? The article's first figure.

Source: andylolu2, Weight Decay and Its Peculiar Effects, "Toy experiment", the plot of accuracy
against λ, and the code behind it: a residual network learns to add numbers with 2 and 4 decimal
digits, in binary, and is tested on numbers with 3. The accuracies are means over the last 50
epochs, as published. How long the article trained for this figure it does not say: its curves of
λ = 0.1 are cut off at 30,000 and 40,000 steps, and the example command of its code ends at 5,000
epochs, 390,000 steps. The default has a tenth of these; the record `addition-sweep-long` has all.

Command and cost: see `COST`. The default trains each published λ for 39,000 steps with one seed;
λ = 0.1 has three in `addition-curve`, 0.003 and 0.6 in the record `addition-sweep-long-seeds`. All
of them, for as long; and for all 5,000 epochs, in about 50 minutes:

    wdjax run addition-sweep --seeds 0 1 2 --repeated 1e-3 3e-3 .01 .03 .1 .3 .6 1
    wdjax run addition-sweep --steps 390000
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.peculiar_effects.judging import SOURCE
from wdjax.experiments.peculiar_effects.sweep.claims import check
from wdjax.experiments.peculiar_effects.sweep.plots import plots
from wdjax.experiments.peculiar_effects.sweep.run import QUICK, Config, measure

COST = "about 4 minutes on two cores, 1 GB"

ADDITION_SWEEP = Experiment(
    name="addition-sweep",
    article="peculiar-effects",
    summary="accuracy of networks that learn to add, against weight decay",
    source=f"{SOURCE}: the plot of accuracy against λ",
    cost=COST,
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["ADDITION_SWEEP"]
