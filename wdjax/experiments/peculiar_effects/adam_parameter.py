"""Does the `weight_decay` of Adam do what the article says weight decay is?

Source: andylolu2, Weight Decay and Its Peculiar Effects, "What is weight decay?": each step
takes ηλw from the weights, and `torch.optim.Adam(params, lr=3e-4, weight_decay=1e-3)` does that.
That Adam (here `wdjax.transforms.adam_l2`) adds λw to the gradient; `torch.optim.AdamW` multiplies.

A network that learns to add is trained with each. In every step, the update is compared with that
of Adam without decay, fed the same gradients: what the difference takes from the weights, over
ηλw, is 1 if the article is right.

Command and cost: see `COST`; `wdjax run adam-parameter`.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from wdjax import trees
from wdjax.data.addition import binary_addition
from wdjax.data.batches import batch_indices
from wdjax.experiments.experiment import Arrays, Experiment, Measurement
from wdjax.experiments.peculiar_effects.adding import BATCH, TRAIN
from wdjax.experiments.peculiar_effects.judging import SOURCE, spread
from wdjax.experiments.verdicts import graded, verdict
from wdjax.models.addition import AdditionNetwork
from wdjax.report import Plot
from wdjax.report.drawing import GUIDE, legend_above, panels
from wdjax.training import RunRecord, Session, Verdict
from wdjax.transforms import adam_l2, adamw

COST = "about 10 seconds on two cores, 1 GB"
LIKE = 0.05  # relative error of what a step takes from the weights of a tensor
OPTIMISERS = {"Adam": adam_l2, "AdamW": adamw}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the comparison; the rates are those of the article's example.

    Attributes:
      learning_rate: η.
      weight_decay: λ.
      seed: Of data and initial weights.
      chunks: Number of means that are recorded.
      chunk: Steps of each.
      width: Features of the hidden layers.
    """

    learning_rate: float = 3e-4
    weight_decay: float = 1e-3
    seed: int = 0
    chunks: int = 20
    chunk: int = 50
    width: int = 128


QUICK = Config(chunks=4, chunk=20, width=32)


def measure(config: Config, session: Session) -> Measurement:
    """Trains with each optimiser."""
    if config.chunks < 2 or config.chunk < 1 or min(config.learning_rate, config.weight_decay) <= 0:
        raise ValueError(f"the settings are {config}; expected two chunks, and positive rates.")
    data = binary_addition(config.seed)
    network = AdditionNetwork(config.width)
    sums = jax.tree.map(lambda x: jnp.float32(x), tuple(data.train))
    variables = network.init(jax.random.key(config.seed), sums[0][:2], train=True)
    rates = {"learning_rate": config.learning_rate, "weight_decay": config.weight_decay}
    found = {}
    for name, optimiser in OPTIMISERS.items():
        tx = optimiser(config.learning_rate, weight_decay=config.weight_decay)
        plain = optax.adam(config.learning_rate)
        run_chunk = jax.jit(functools.partial(_chunk, network, tx, plain, rates))
        params = variables["params"]

        def advance(index: int, state: Any, run_chunk=run_chunk):
            steps = range(index * config.chunk, (index + 1) * config.chunk)
            rows = batch_indices(config.seed, steps, TRAIN, BATCH)
            return run_chunk(state, sums[0][rows], sums[1][rows])

        _, found[name] = session.loop(
            name, config.chunks, advance, (params, tx.init(params), plain.init(params))
        )
    arrays = {f"taken_{name}": values["taken"] for name, values in found.items()}
    arrays["loss"] = np.stack([values["loss"] for values in found.values()])
    arrays["step"] = config.chunk * np.arange(1, config.chunks + 1)
    arrays["tensor"] = np.array(list(trees.named_leaves(variables["params"])))
    arrays |= {name: np.array(value) for name, value in rates.items()}
    summary = (
        f"A residual network on binary addition, {arrays['step'][-1]:,} steps of Adam and of AdamW "
        f"with η = {config.learning_rate:g}, λ = {config.weight_decay:g}; loss at the end "
        f"{spread(arrays['loss'][:, -1], '.2g')}."
    )
    return Measurement(arrays, summary, {"dataset": data.name, "sha256": data.sha256()})


def _chunk(network, tx, plain, rates, state, inputs, targets):
    def step(state, batch):
        params, opt_state, plain_state = state

        def loss(params):
            logits, _ = network.apply(
                {"params": params, "batch_stats": _unused(network, params)},
                batch[0],
                train=True,
                mutable=["batch_stats"],
            )
            return jnp.mean((jax.nn.sigmoid(logits) - batch[1]) ** 2)

        value, gradient = jax.value_and_grad(loss)(params)
        updates, opt_state = tx.update(gradient, opt_state, params)
        without, plain_state = plain.update(gradient, plain_state, params)
        measured = {"loss": value, "taken": taken(updates, without, params, **rates)}
        return (optax.apply_updates(params, updates), opt_state, plain_state), measured

    state, measured = jax.lax.scan(step, state, (inputs, targets))
    return state, jax.tree.map(lambda values: jnp.mean(values, axis=0), measured)


def _unused(network: AdditionNetwork, params: Any) -> Any:
    """Running averages, which training carries along and does not use."""
    names = [name for name in params if name.startswith("norm")]
    zeros = jnp.zeros(network.width)
    return {name: {"mean": zeros, "var": zeros} for name in names}


def taken(
    updates: Any, without: Any, params: Any, learning_rate: float, weight_decay: float
) -> jax.Array:
    """Returns what decay takes from the weights over ηλw, (tensors,): −⟨Δ, w⟩/(ηλ‖w‖²).

    Δ is the update minus that without decay. Tensors of zeros have nothing to lose: 0.

    Example:
      >>> w = {"a": jnp.ones(3)}
      >>> print(taken({"a": -0.3 * w["a"]}, {"a": -0.1 * w["a"]}, w, 0.1, 2.0))
      [1.]
    """
    leaves = [trees.named_leaves(tree) for tree in (updates, without, params)]
    rate = learning_rate * weight_decay
    values = [
        trees.safe_divide(-jnp.sum((u - v) * w), rate * jnp.sum(w**2))
        for u, v, w in zip(*(leaf.values() for leaf in leaves), strict=True)
    ]
    return jnp.stack(values)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Judges the claim; the rule is the constant of this module."""
    kernels = np.array([str(name).endswith("kernel") for name in arrays["tensor"]])
    late = arrays["step"].size // 2
    adam, decoupled = (arrays[f"taken_{name}"][late:, kernels].mean(axis=0) for name in OPTIMISERS)
    off = np.abs(adam - 1).max()
    return (
        verdict(
            "adam-parameter",
            "The weight_decay parameter of Adam takes the share ηλ from the weights in each step.",
            f"(what decay takes)/(ηλw) = 1 ± {LIKE} for the kernels of all layers",
            f"{spread(adam, '.3g')} in Adam, {spread(decoupled, '.3f')} in AdamW",
            graded(off <= LIKE, off <= 2 * LIKE),
            "Adam adds λw to the gradient and divides it by √v̂ with the rest: where gradients are "
            "small, as here, decay is many times stronger, and not the same for any two weights. "
            "AdamW does what the article describes, and it is what its experiments use.",
            least=adam.min(),
            largest=adam.max(),
            adamw=np.abs(decoupled - 1).max(),
        ),
    )


def plots(record: RunRecord) -> Sequence[Plot]:
    """Returns the figure."""
    return (
        Plot(
            "taken",
            "What decay takes from each kernel in a step, over ηλw (means of some steps): one line "
            "per layer. With AdamW it is 1 (dotted); with Adam's own weight_decay it is not.",
            _taken(record.arrays),
        ),
    )


def _taken(arrays: Arrays) -> Figure:
    figure, (ax,) = panels(1, 1, width=7, height=4)
    kernels = np.array([str(name).endswith("kernel") for name in arrays["tensor"]])
    for name, colour in zip(OPTIMISERS, ("C3", "C0"), strict=True):
        ax.plot(arrays["step"], arrays[f"taken_{name}"][:, kernels], color=colour, lw=1)
        ax.plot([], [], color=colour, label=name)
    ax.axhline(1, **GUIDE)
    least = min(arrays[f"taken_{name}"][:, kernels].min() for name in OPTIMISERS)
    ax.set(xlabel="step", ylabel="taken from the weights, over ηλw")
    ax.set_yscale("log" if least > 0 else "symlog")
    legend_above(ax, 2)
    return figure


ADAM_PARAMETER = Experiment(
    name="adam-parameter",
    article="peculiar-effects",
    summary="what the weight_decay parameter of Adam takes from the weights",
    source=f'{SOURCE}: "What is weight decay?"',
    cost=COST,
    default=Config(),
    quick=QUICK,
    measure=measure,
    check=check,
    plots=plots,
)
