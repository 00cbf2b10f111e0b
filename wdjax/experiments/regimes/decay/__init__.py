"""The regimes under weight decay: `wdjax run fixed-rate-decay-link`.

The network of `three-regimes` is trained by SGD with weight decay, at products ηλ over six decades.
Each run has a twin, on the sphere, at the effective rate that decay came to in the second half of
the run. Do both do the same? Further runs have momentum: do they go through the same regimes?

Source: Kodryan et al., arXiv:2209.03695, on training in the whole space. That a step of decayed SGD
is one on the sphere at η/((1−ηλ)‖w‖²), exactly, and that the angle per step at equilibrium is
arccos(1 − ηλ), are derived.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.regimes.article import KEY
from wdjax.experiments.regimes.decay.claims import check
from wdjax.experiments.regimes.decay.config import QUICK, Config
from wdjax.experiments.regimes.decay.plots import plots
from wdjax.experiments.regimes.decay.run import measure

DECAY_LINK = Experiment(
    name="fixed-rate-decay-link",
    article=KEY,
    summary="does weight decay take training through the regimes of its effective rate?",
    source="Kodryan et al., arXiv:2209.03695 (2022), on training in the whole space",
    cost="about 50 seconds on two cores, 1.5 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["DECAY_LINK", "Config"]
