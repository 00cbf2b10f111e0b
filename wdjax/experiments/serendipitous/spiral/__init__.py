"""Does SGD spiral out without weight decay, and what is SGD with decay on the unit sphere?

Source: A. Labatie, The Serendipitous Effectiveness of Weight Decay in Deep Learning (2020): the
implications of scale invariance, figure 1, and the effective learning rate at equilibrium.

A perceptron of which everything that is trained is scale-invariant is trained by SGD, in float64:
without decay, with three decays, and with one of them from other norms. Then runs on the unit
sphere follow those with decay, batch by batch: with the article's effective learning rate η/‖w‖²,
with the exact η/((1−ηλ)‖w‖²), and with the twins of `wdjax.transforms.twins`.

Command: `wdjax run spiral`; a longer one `wdjax run spiral --steps 20000 --widths 256 256`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.serendipitous.common import ARTICLE_KEY, SOURCE
from wdjax.experiments.serendipitous.spiral.claims import check
from wdjax.experiments.serendipitous.spiral.config import QUICK, Config
from wdjax.experiments.serendipitous.spiral.plots import plots
from wdjax.experiments.serendipitous.spiral.run import measure

SPIRAL = Experiment(
    name="spiral",
    article=ARTICLE_KEY,
    summary="SGD without decay spirals out; with decay it is SGD on the sphere",
    source=SOURCE,
    cost="about 40 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["SPIRAL", "Config"]
