"""Does weight decay set the effective learning rate, as `The Serendipitous Effectiveness` says?

Source: A. Labatie, The Serendipitous Effectiveness of Weight Decay in Deep Learning, Towards Data
Science (2020): the implications of scale invariance, figures 1 and 2, and the scalings of ‖w‖² and
of the effective learning rate. Its λ is half of the λ here, which is PyTorch's; neither the slopes
nor the constancy of the ratio depend on it.
"""

from wdjax.experiments.equilibrium.config import QUICK, Config
from wdjax.experiments.equilibrium.plots import plots
from wdjax.experiments.equilibrium.run import NAME, SOURCE, run
from wdjax.experiments.experiment import Experiment

EQUILIBRIUM = Experiment(
    name=NAME,
    summary="weight norm, effective learning rate and angle per step at equilibrium (2 minutes)",
    source=SOURCE,
    default=Config(),
    quick=QUICK,
    run=run,
    plots=plots,
)

__all__ = ["EQUILIBRIUM", "Config"]
