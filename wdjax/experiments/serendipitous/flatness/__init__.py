"""Does a larger weight decay lead to flatter minima that overfit less, by its learning rate alone?

Source: A. Labatie, The Serendipitous Effectiveness of Weight Decay in Deep Learning (2020): the
section on regularisation, and the conclusion.

A perceptron of which everything that is trained is scale-invariant learns few images with some
wrong labels, so that there is much to overfit. λ goes from 0 over more than two decades. Each run
stays at its constant rate, and then is cooled down to the minimum of where it is. Sharpness is the
largest eigenvalue of the Hessian on the unit sphere, which the norm of the weights plays no part
in. A second arm has no decay: it runs on the sphere, at the effective learning rate that each run
of the first has come to.

Command: `wdjax run flatness`; with more images and wider layers
`wdjax run flatness --images 1437 --widths 256 256`.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.serendipitous.common import ARTICLE_KEY, SOURCE
from wdjax.experiments.serendipitous.flatness.claims import check
from wdjax.experiments.serendipitous.flatness.config import QUICK, Config
from wdjax.experiments.serendipitous.flatness.plots import plots
from wdjax.experiments.serendipitous.flatness.run import measure

FLATNESS = Experiment(
    name="flatness",
    article=ARTICLE_KEY,
    summary="whether a larger weight decay leads to flatter minima that overfit less",
    source=SOURCE,
    cost="about 40 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["FLATNESS", "Config"]
