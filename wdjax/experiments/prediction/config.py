"""The settings of the prediction experiment."""

import dataclasses

OPTIMISERS = ("SGD", "heavy-ball", "Nesterov", "AdamW", "Lion", "Muon")
MODELS = ("ResNet", "transformer")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the prediction experiment.

    Each optimiser trains the provably scale-invariant matrices, and decays them, so that in the
    long run `rate` of their weight is removed per step. The rest is trained by Adam without decay.

    Attributes:
      models: ResNet (ResNet-8 on digits), transformer (on the characters of Python's manual).
      optimisers: Of SGD, heavy-ball, Nesterov, AdamW, Lion, Muon.
      rate: ρ, the fraction of the weight that decay removes per step in the long run.
      seeds: Each pair of model and optimiser is trained once per seed. (Others were pilots' and an
        earlier record's: `claims` says which.)
      scheduled: Steps of the runs with warm-up and cosine.
      settle: Steps at a constant learning rate before measuring.
      settle_transformer: The same for the transformer, which takes longer to settle.
      steps: Steps that are measured.
      pushed: Steps of the pushed runs, on the batches of the first of these.
      window: Steps over which the second moments of gradients are averaged that norm and angle at
        a constant rate are given, and relaxation. Divides chunk. The course under the schedule is
        given those of single steps: within the first ten of training they change a hundredfold.
      warmup: Steps in which the schedule rises.
      push: Factor on the norms of the pushed runs, where measuring begins.
      chunk: Steps per call of the compiled program; divides the other numbers of steps.
      rest_learning_rate: η of Adam on the rest.
      images: Images per batch.
      shift: Largest random shift of the images, in pixels.
      texts: Pieces of text per batch.
      context: Characters per piece.
      width: Features of the transformer.
      epsilon: ε of all norms.
    """

    models: tuple[str, ...] = MODELS
    optimisers: tuple[str, ...] = OPTIMISERS
    rate: float = 4e-3
    seeds: tuple[int, ...] = (11, 12, 13, 14)
    scheduled: int = 750
    settle: int = 1000
    settle_transformer: int = 1500
    steps: int = 750
    pushed: int = 250
    window: int = 5
    warmup: int = 75
    push: float = 1.15
    chunk: int = 250
    rest_learning_rate: float = 2e-3
    images: int = 16
    shift: int = 1
    texts: int = 4
    context: int = 32
    width: int = 32
    epsilon: float = 1e-10


QUICK = Config(
    models=("transformer",),
    optimisers=("heavy-ball", "AdamW"),
    seeds=(0,),
    rate=0.01,
    scheduled=200,
    settle=200,
    settle_transformer=200,
    steps=200,
    pushed=100,
    warmup=40,
    chunk=100,
)


def validate(config: Config) -> None:
    """Raises ValueError, before anything is trained, if the claims could not be judged."""
    for name, given, known in (
        ("models", config.models, MODELS),
        ("optimisers", config.optimisers, OPTIMISERS),
    ):
        if not given or len(set(given)) < len(given) or not set(given) <= set(known):
            raise ValueError(f"{name} is {given}; expected some of {', '.join(known)}, each once.")
    if not config.seeds or len(set(config.seeds)) < len(config.seeds):
        raise ValueError(f"seeds is {config.seeds}; expected at least one, and no seed twice.")
    if not 0 < config.rate <= 0.05:
        raise ValueError(
            f"rate is {config.rate}; expected it above 0, and at most 0.05: the theory is about "
            "decay that is slow against the memory of a buffer."
        )
    if config.push <= 1:
        raise ValueError(f"push is {config.push}; expected a factor above 1.")
    for name in ("scheduled", "settle", "settle_transformer", "steps", "pushed"):
        value = getattr(config, name)
        if config.chunk < 1 or value < config.chunk or value % config.chunk:
            raise ValueError(
                f"{name} is {value}; expected a positive multiple of the chunk, {config.chunk}."
            )
    if config.window < 1 or config.chunk % config.window:
        raise ValueError(
            f"window is {config.window}; expected a positive divisor of the chunk, {config.chunk}."
        )
    if not 0 < config.warmup < config.scheduled:
        raise ValueError(f"warmup is {config.warmup}; expected 1 to {config.scheduled - 1} steps.")
    if config.steps < config.pushed:
        raise ValueError(
            f"pushed is {config.pushed}; expected at most the {config.steps} steps that are "
            "measured, with which the pushed runs are compared."
        )
    if config.pushed * config.rate < 1:
        raise ValueError(
            f"{config.pushed} pushed steps at the rate {config.rate} are less than the two "
            f"relaxation times that are fitted; expected at least {1 / config.rate:.0f} steps."
        )
