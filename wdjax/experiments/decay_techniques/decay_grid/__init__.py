"""Maps over learning rate and decay: Adam+L2, AdamW and SGD, with a normalisation and without.

Source: the opening list and the sections "Decoupling Weight Decay from L2" and "Common Pitfalls" of
the article; the maps are those of Loshchilov & Hutter, arXiv:1711.05101, figures 1 and 2, which it
leans on. Claims W1, W2, W5, W7, W10, W17, W19, W20 and W22 of `ARTICLE`: decay generalises, hinders
memorising and can underfit; AdamW is better than Adam with L2, and its λ predictable.

A small perceptron on few digits, a fifth of them with wrong labels, so that decay has something to
do. Each map is one program. The runs are shown in both conventions: by λ, which η multiplies in
Optax and PyTorch, and by the decay per step ρ = ηλ.

    wdjax run decay-grid
    wdjax run decay-grid --per-decade 4 --steps 2400    (a finer and longer map)
"""

from wdjax.experiments.decay_techniques.article import ARTICLE
from wdjax.experiments.decay_techniques.decay_grid.claims import check
from wdjax.experiments.decay_techniques.decay_grid.config import QUICK, Config
from wdjax.experiments.decay_techniques.decay_grid.plots import plots
from wdjax.experiments.decay_techniques.decay_grid.run import measure
from wdjax.experiments.experiment import Experiment

DECAY_GRID = Experiment(
    name="decay-grid",
    article=ARTICLE.key,
    summary="learning rate against decay for Adam+L2, AdamW and SGD: is λ decoupled from η?",
    source=f"{ARTICLE.author}: {ARTICLE.title}, sections Decoupling and Common Pitfalls",
    cost="about 30 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["DECAY_GRID", "Config"]
