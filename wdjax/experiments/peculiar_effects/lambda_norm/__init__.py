"""Does λ = λ_norm √(b/(BT)) keep the best decay in place, whatever batch size, data and epochs?

Source: andylolu2, Weight Decay and Its Peculiar Effects, "Picking the right value"; the rule is
that of I. Loshchilov and F. Hutter, arXiv:1711.05101, appendix B.1, with b the batch size, B the
number of training points and T that of epochs. Their λ multiplies the weights without the learning
rate: in a step, w loses the share λ of itself (PyTorch's λ is that over η), and over a run, with
BT/b steps, λ_norm √(BT/b) times its logarithm. Wang & Aitchison (arXiv:2405.13698) keep the time
scale of the average that AdamW makes in epochs, 1/(λ B/b), which says λ ∝ b/B and nothing of T.

AdamW with a cosine schedule on the digits of scikit-learn, a part of whose labels are random; in
each cell (b, B, T) the λ of the lowest cross-entropy on the test images is sought, by a parabola
through the best of a grid and its neighbours.

Command and cost: see `COST`; `wdjax run lambda-norm`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.peculiar_effects.judging import SOURCE
from wdjax.experiments.peculiar_effects.lambda_norm.claims import check
from wdjax.experiments.peculiar_effects.lambda_norm.plots import plots
from wdjax.experiments.peculiar_effects.lambda_norm.run import QUICK, Config, measure

COST = "about 2 minutes on two cores, 1 GB"

LAMBDA_NORM = Experiment(
    name="lambda-norm",
    article="peculiar-effects",
    summary="does λ_norm √(b/(BT)) keep the best decay in place over batches, data and epochs?",
    source=f'{SOURCE}: "Picking the right value"',
    cost=COST,
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["LAMBDA_NORM"]
