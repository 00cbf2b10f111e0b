"""Do the formulas of `wdjax.theory` predict what real training does, with no constant fitted?

Two models are trained by six optimisers. For every matrix whose scale-invariance is proven, norm,
angle per step, relaxation time and the course of the norm under a schedule are held against
theory; for SGD in its forms and for AdamW, given the measured second moments of the gradients.
`claims` says what is a prediction, and what a check of the balance.

Source: `wdjax.theory`. Cost: about 4 minutes on two cores, 1 GB. Command: `wdjax run prediction`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.prediction.claims import check
from wdjax.experiments.prediction.config import QUICK, Config
from wdjax.experiments.prediction.plots import plots
from wdjax.experiments.prediction.run import measure

PREDICTION = Experiment(
    name="prediction",
    article="",
    summary="theory against training: two models, six optimisers",
    source="wdjax.theory, after van Laarhoven (2017), Wan et al. (2020), Kosson et al. (2023)",
    cost="about 4 minutes on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["PREDICTION", "Config"]
