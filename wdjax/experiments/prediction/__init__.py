"""Do the formulas of `wdjax.theory` predict what real training does, with no constant fitted?

Two models are trained by six optimisers. For every matrix whose scale-invariance is proven, norm,
angle per step, relaxation time and the course of the norm under a schedule are held against theory.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.prediction.config import QUICK, Config
from wdjax.experiments.prediction.plots import plots
from wdjax.experiments.prediction.run import NAME, SOURCE, run

PREDICTION = Experiment(
    name=NAME,
    summary="theory against training: two models, six optimisers (10 minutes of CPU time)",
    source=SOURCE,
    default=Config(),
    quick=QUICK,
    run=run,
    plots=plots,
)

__all__ = ["PREDICTION", "Config"]
