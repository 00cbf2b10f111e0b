"""Convergence, chaotic equilibrium, divergence: `wdjax run three-regimes`.

A network of which every trained weight is scale-invariant (batch norms without gain and bias, a
head that is fixed) is trained by projected SGD on one sphere, at effective learning rates over five
decades; then all higher rates are lowered to one of the first regime; then they return. Which
regime a rate is in, where the boundaries are, how sharp the minima are and how they generalise, how
the weights move, and from where the best minimum is reached.

Source: Kodryan et al., arXiv:2209.03695. The article's own network and data, on an accelerator:

    wdjax run three-regimes --data PATH --convolution --widths 32 64 128 256 --train-images 50000 \
        --batch-size 128 --rates 1e-5 1e-4 5e-4 1e-3 2e-3 5e-3 5e-2 1e-1 --drop-rate 1e-4 \
        --steps 390000 --drop-steps 39000 --return-steps 39000 --chunk 3900 --record 390
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.regimes.article import KEY
from wdjax.experiments.regimes.sphere.claims import check
from wdjax.experiments.regimes.sphere.config import QUICK, Config
from wdjax.experiments.regimes.sphere.plots import plots
from wdjax.experiments.regimes.sphere.run import measure

THREE_REGIMES = Experiment(
    name="three-regimes",
    article=KEY,
    summary="which effective learning rates converge, which stay chaotic, which diverge?",
    source="Kodryan et al., arXiv:2209.03695 (2022), figure 1 and the regimes one by one",
    cost="about 70 seconds on two cores, 1.5 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["THREE_REGIMES", "Config"]
