"""What an L2 penalty inside Adam does, and what decoupled decay does, weight by weight.

Source: the section "Decoupling Weight Decay from L2" of the article, with the laws of
`wdjax.theory`. Claims W12, W14, W15, W16, W18 and W19 of `ARTICLE`: L2 and decay are the same in
plain SGD; Adam scales the penalty by its adaptive factors; AdamW's decay is constant.

Noisy quadratics with gradients over four decades, networks on digits whose decay is measured by
replaying their gradients without it, and scale-invariant groups on pure noise.

    wdjax run adam-l2
"""

from wdjax.experiments.decay_techniques.adam_l2.claims import check
from wdjax.experiments.decay_techniques.adam_l2.config import QUICK, Config
from wdjax.experiments.decay_techniques.adam_l2.plots import plots
from wdjax.experiments.decay_techniques.adam_l2.run import measure
from wdjax.experiments.decay_techniques.article import ARTICLE
from wdjax.experiments.experiment import Experiment

ADAM_L2 = Experiment(
    name="adam-l2",
    article=ARTICLE.key,
    summary="L2 inside Adam against decoupled decay: rates, resting places, removed fractions",
    source=f"{ARTICLE.author}: {ARTICLE.title}, section Decoupling Weight Decay from L2",
    cost="about 30 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["ADAM_L2", "Config"]
