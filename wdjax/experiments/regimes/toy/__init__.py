"""A loss on the sphere whose thresholds are exact: `wdjax run sphere-toy`.

Σ a_i sin²θ_i, each θ_i an angle in a plane of its own, trained by projected gradient descent at a
fixed effective learning rate η_e. One group converges if and only if η_e < 1/a, which is 2/h with
the curvature h = 2a; above, it swings around the minimum with a loss of (a − 1/η_e)/2. Several
groups on one sphere divide its norm among them and converge if and only if η_e < 1/Σa.

Source: Kodryan et al., arXiv:2209.03695, the toy example; the levels above the threshold are
derived here. Seconds on one core.
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.regimes.article import KEY
from wdjax.experiments.regimes.toy.claims import check
from wdjax.experiments.regimes.toy.config import QUICK, Config
from wdjax.experiments.regimes.toy.plots import plots
from wdjax.experiments.regimes.toy.run import measure

SPHERE_TOY = Experiment(
    name="sphere-toy",
    article=KEY,
    summary="from which effective learning rate on does training on a sphere not converge?",
    source="Kodryan et al., arXiv:2209.03695 (2022), the toy example",
    cost="about 5 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["SPHERE_TOY", "Config"]
