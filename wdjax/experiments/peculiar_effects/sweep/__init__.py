"""How well does a network add, after training with how much decay? The article's first figure.

Source: andylolu2, Weight Decay and Its Peculiar Effects, "Toy experiment", the plot of accuracy
against λ, and the code behind it: a residual network learns to add numbers with 2 and 4 decimal
digits, in binary, and is tested on numbers with 3. The accuracies are means over the last 50
epochs, as published. How long the article trained for this figure it does not say: its curves of
λ = 0.1 end at 30,000 and 40,000 steps, the example command of its code at 5,000 epochs, 390,000
steps. The default has a tenth of these.

Command and cost: see `COST`. The default trains each published λ for 39,000 steps, and one of
them with three seeds; λ = 0.1 has three in `addition-curve`. All λ with three seeds, for 40,000
steps; and for all 5,000 epochs:

    wdjax run addition-sweep --steps 40000 --seeds 3 4 5 --repeated 1e-3 3e-3 .01 .03 .1 .3 .6 1
    wdjax run addition-sweep --steps 390000
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.peculiar_effects.judging import SOURCE
from wdjax.experiments.peculiar_effects.sweep.claims import check
from wdjax.experiments.peculiar_effects.sweep.plots import plots
from wdjax.experiments.peculiar_effects.sweep.run import QUICK, Config, measure

COST = "about 5 minutes on two cores, 1 GB"

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
