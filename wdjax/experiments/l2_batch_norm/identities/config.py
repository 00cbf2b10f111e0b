"""The settings of the identities, chosen before the first run."""

import dataclasses

TINY = 8  # images in a batch below which the article allows ε to matter


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the identities.

    Attributes:
      seeds: Seeds of the weights of the networks. (0 to 2 were those of the first record: see
        `claims`.)
      depth: Depth of the ResNet whose kernels are scaled.
      scales: The factors c.
      epsilons: ε of all batch norms: the usual one first, then one that stands for zero.
      batch_sizes: Images per batch, from tiny ones on.
      steps: Steps of the short runs that are compared with each other.
      inits: Fresh ResNet-20s whose sums of squares are averaged.
      plain_steps: Steps of the networks with and without batch norm that train without L2.
    """

    seeds: tuple[int, ...] = (3, 4, 5)
    depth: int = 8
    scales: tuple[float, ...] = (0.25, 0.5, 2.0, 4.0, 8.0)
    epsilons: tuple[float, float] = (1e-5, 1e-12)
    batch_sizes: tuple[int, ...] = (1, 2, 8, 32, 128)
    steps: int = 20
    inits: int = 64
    plain_steps: int = 2000


QUICK = Config(
    seeds=(0,), scales=(0.5, 4.0), batch_sizes=(2, 32), steps=5, inits=16, plain_steps=200
)


def validate(config: Config) -> None:
    """Raises ValueError, before anything is measured, if the claims could not be judged."""
    if not config.seeds or config.inits < 2:
        raise ValueError(
            f"seeds is {config.seeds} and inits {config.inits}; expected one seed and two inits at "
            "least."
        )
    if len(config.scales) < 2 or any(not 0 < c < float("inf") or c == 1 for c in config.scales):
        raise ValueError(
            f"scales is {config.scales}; expected two positive factors at least, none of them 1."
        )
    usual, nearly_zero = config.epsilons
    if not 0 < nearly_zero < usual:
        raise ValueError(
            f"epsilons is {config.epsilons}; expected the usual ε and then a smaller positive one."
        )
    sizes = config.batch_sizes
    if len(sizes) < 2 or list(sizes) != sorted(set(sizes)) or sizes[0] < 1 or sizes[-1] < TINY:
        raise ValueError(
            f"batch_sizes is {sizes}; expected two rising numbers at least, the last not below "
            f"{TINY}."
        )
    if config.steps < 1 or config.plain_steps < 10 or config.plain_steps % 10:
        raise ValueError(
            f"steps is {config.steps} and plain_steps {config.plain_steps}; expected one step at "
            "least, and a positive multiple of ten."
        )
