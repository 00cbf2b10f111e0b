"""The article's sample code, many times over: what decay does in five steps, and its output.

Source: the section "Sample Code" of the article with its sample output. Claims W28 and W29 of
`ARTICLE`: AdamW with η = 0.001 and λ = 0.01 decays a linear model in each of five steps on random
targets, whose losses fall from 1.2452 to 1.0423.

The code is followed to the letter, PyTorch's initialisation included: new random inputs and targets
in each step, which the article calls an epoch.

    wdjax run decay-sample
"""

from wdjax.experiments.decay_techniques.article import ARTICLE
from wdjax.experiments.decay_techniques.decay_sample.claims import check
from wdjax.experiments.decay_techniques.decay_sample.config import QUICK, Config
from wdjax.experiments.decay_techniques.decay_sample.plots import plots
from wdjax.experiments.decay_techniques.decay_sample.run import measure
from wdjax.experiments.experiment import Experiment

DECAY_SAMPLE = Experiment(
    name="decay-sample",
    article=ARTICLE.key,
    summary="the article's sample code 200,000 times: can it print what the article prints?",
    source=f"{ARTICLE.author}: {ARTICLE.title}, section Sample Code",
    cost="about 10 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["DECAY_SAMPLE", "Config"]
