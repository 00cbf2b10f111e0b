"""All claims that the grid of input scale and decay is to judge."""

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.input_normalization.input_scale.rate_claims import (
    adaptive,
    only_one,
    other_inputs,
    raised_rate,
    rate_after_decay,
    small_inputs,
)
from wdjax.experiments.input_normalization.input_scale.scale_claims import (
    laws,
    scale_moves,
    technique_changes,
    tuned_again,
)
from wdjax.training import Verdict

CLAIMS = (
    laws,
    scale_moves,
    technique_changes,
    tuned_again,
    raised_rate,
    small_inputs,
    rate_after_decay,
    adaptive,
    only_one,
    other_inputs,
)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Returns the verdicts on all claims about scale, rate and decay."""
    return tuple(claim(arrays) for claim in CLAIMS)
