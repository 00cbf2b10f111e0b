"""Decay between variance and bias: what λ does to the error of many training sets, and to weights.

Source: the opening list and the sections "Why It Matters", "The Intuition of Complexity", "The
Mechanism of Shrinkage" and "Common Pitfalls" of the article. Claims W2, W3, W4, W9, W11, W13, W22
and W23 of `ARTICLE`: λ trades variance for bias, has a sweet spot, and is worth the more, the
noisier the data; it makes a model simpler, spreads weight over many inputs, and suppresses those
that are irrelevant.

A function that is known is learnt from noisy examples, over and over, by ridge regression (to which
SGD with decay converges on a linear model) and by networks under AdamW and SGD. Some inputs are
copies of others, and some say nothing.

    wdjax run bias-variance
"""

from wdjax.experiments.decay_techniques.article import ARTICLE
from wdjax.experiments.decay_techniques.bias_variance.claims import check
from wdjax.experiments.decay_techniques.bias_variance.config import QUICK, Config
from wdjax.experiments.decay_techniques.bias_variance.plots import plots
from wdjax.experiments.decay_techniques.bias_variance.run import measure
from wdjax.experiments.experiment import Experiment

BIAS_VARIANCE = Experiment(
    name="bias-variance",
    article=ARTICLE.key,
    summary="bias, variance and weights over λ: the sweet spot, noise, and irrelevant inputs",
    source=f"{ARTICLE.author}: {ARTICLE.title}, its statements on overfitting",
    cost="about 10 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["BIAS_VARIANCE", "Config"]
