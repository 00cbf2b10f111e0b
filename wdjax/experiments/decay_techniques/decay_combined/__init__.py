"""Decay with other regularisers, and decay of some weights only.

Source: the section "Common Pitfalls" of the article, 3 and 4. Claims W1, W24, W25 and W26 of
`ARTICLE`: decay does not replace dropout, batch norm or augmentation; it works on all layers; and
selecting what decays is rarely necessary.

All combinations of decay, dropout, random shifts and batch norm, and decay of the last layer, of
the hidden layers, of all weights, and of biases and gains too, on the digits of `decay-grid`.

    wdjax run decay-combined
"""

from wdjax.experiments.decay_techniques.article import ARTICLE
from wdjax.experiments.decay_techniques.decay_combined.claims import check
from wdjax.experiments.decay_techniques.decay_combined.config import QUICK, Config
from wdjax.experiments.decay_techniques.decay_combined.plots import plots
from wdjax.experiments.decay_techniques.decay_combined.run import measure
from wdjax.experiments.experiment import Experiment

DECAY_COMBINED = Experiment(
    name="decay-combined",
    article=ARTICLE.key,
    summary="decay with dropout, augmentation and batch norm; decay of some weights only",
    source=f"{ARTICLE.author}: {ARTICLE.title}, section Common Pitfalls",
    cost="about 20 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["DECAY_COMBINED", "Config"]
