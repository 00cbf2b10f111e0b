"""Is one step of SGD with twice the learning rate noisier than two steps, and by how much?

Source: A. Labatie, The Serendipitous Effectiveness of Weight Decay in Deep Learning (2020): figure
3, and the variances 2η² of two steps with η and 4η² of one with 2η.

On quadratic losses, where the ratio is 4/(1 + (1−ηh)²) and not 2; and on a perceptron of which
everything that is trained is scale-invariant: at three points of its training both are taken from
w/‖w‖ with thousands of independent batches, at the effective learning rate of the training and at
multiples of it.

Command: `wdjax run two-steps`; a sharper one `wdjax run two-steps --draws 16384`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.serendipitous.common import ARTICLE_KEY, SOURCE
from wdjax.experiments.serendipitous.two_steps.claims import check
from wdjax.experiments.serendipitous.two_steps.config import QUICK, Config
from wdjax.experiments.serendipitous.two_steps.plots import plots
from wdjax.experiments.serendipitous.two_steps.run import measure

TWO_STEPS = Experiment(
    name="two-steps",
    article=ARTICLE_KEY,
    summary="the noise of two steps with η against one with 2η",
    source=SOURCE,
    cost="about 50 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["TWO_STEPS", "Config"]
