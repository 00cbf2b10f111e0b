"""The identities that "L2 Regularization and Batch Norm" derives, measured to rounding.

Source: D. J. Wu, L2 Regularization and Batch Norm, Jane Street Tech Blog (2019): all formulas of
the analysis, and the 800 of the code. Kernels of a ResNet on digits are scaled by c and 1/c in
turn; outputs, gradients and steps are compared in float64, with the usual ε of the batch norms and
with one that is as good as zero, for batches from one image on.

    wdjax run batch-norm-identities
"""

from wdjax.experiments.experiment import Experiment
from wdjax.experiments.l2_batch_norm.article import ARTICLE
from wdjax.experiments.l2_batch_norm.identities.claims import check
from wdjax.experiments.l2_batch_norm.identities.config import QUICK, Config
from wdjax.experiments.l2_batch_norm.identities.plots import plots
from wdjax.experiments.l2_batch_norm.identities.run import measure

IDENTITIES = Experiment(
    name="batch-norm-identities",
    article=ARTICLE.key,
    summary="what scaling the weights before a batch norm changes, to rounding",
    source="D. J. Wu, L2 Regularization and Batch Norm (2019), all formulas of the analysis",
    cost="about 50 seconds on two cores, 1 GB",
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)

__all__ = ["IDENTITIES", "Config"]
