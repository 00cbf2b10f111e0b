"""Trains networks on binary addition, several as one program, as the article and its code do.

AdamW with η = 1e-3, β = (0.9, 0.98), ε = 1e-3 and decay on every parameter, batches of 64 out of
5,000 sums that are the same in every epoch, mean squared error behind a sigmoid. What the article
calls the weight norm is, in its code, the sum of the norms of the parameter tensors.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding
from jax.typing import ArrayLike

from wdjax.data.addition import Sums, binary_addition
from wdjax.data.batches import batch_indices
from wdjax.models.addition import AdditionNetwork
from wdjax.training import Session, over_devices
from wdjax.typing import Params, PyTree

LEARNING_RATE = 1e-3
BATCH = 64
TRAIN = 5000
EPOCH = TRAIN // BATCH
"""Steps of an epoch; the last 8 sums do not fill a batch and are never trained on."""


class Runs(NamedTuple):
    """The settings of some runs, each an array of shape (runs,).

    Attributes:
      weight_decay: λ of AdamW.
      epsilon: ε of the batch norms.
      noise: Probability with which a bit of a training target is replaced by a random one.
      seed: Seed of data and initial weights, a whole number.
    """

    weight_decay: np.ndarray
    epsilon: np.ndarray
    noise: np.ndarray
    seed: np.ndarray


class Data(NamedTuple):
    """The sums of one run, or of some runs with arrays that begin with (runs,)."""

    train: Sums
    held_out: Sums
    test: Sums


class State(NamedTuple):
    """What a run carries from step to step."""

    params: Params
    averages: PyTree
    opt_state: optax.OptState


class Scheme(NamedTuple):
    """How the runs are trained.

    Attributes:
      epochs: Passes over the 78 batches.
      width: Features of the hidden layers.
      blocks: Number of residual blocks.
      shuffle: Whether each epoch has other batches; the article's are always the same.
      normalise: Whether there are batch norms; without, `train_normalised`, `test_normalised` and
        `variance` are 0.
    """

    epochs: int
    width: int = 256
    blocks: int = 2
    shuffle: bool = False
    normalise: bool = True


def grid(
    weight_decays: tuple[float, ...],
    seeds: tuple[int, ...],
    epsilons: tuple[float, ...] = (1e-2,),
    noises: tuple[float, ...] = (0.0,),
) -> Runs:
    """Returns all combinations; the seeds vary slowest, then noise, ε and λ."""
    rows = [(w, e, n) for _ in seeds for n in noises for e in epsilons for w in weight_decays]
    decay, epsilon, noise = np.array(rows, np.float32).T
    seed = np.repeat(np.array(seeds, np.int32), len(rows) // len(seeds))
    return Runs(decay, epsilon, noise, seed)


def joined(first: Runs, second: Runs) -> Runs:
    """Returns the runs of both."""
    return Runs(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def epochs_for(steps: int) -> int:
    """Returns the number of whole epochs that have so many steps at least."""
    return -(-steps // EPOCH)


def train(runs: Runs, scheme: Scheme, session: Session, name: str) -> dict[str, np.ndarray]:
    """Trains all runs side by side; returns what was measured of each epoch.

    Args:
      runs: Their settings.
      scheme: How they are trained.
      session: Keeps and shows how far the training is.
      name: Name of the training within the session.

    Returns:
      The settings, `step` (epochs,), and arrays of shape (runs, epochs): of the steps of an epoch
      the mean `loss`, the mean `train_accuracy`, and the largest `loss_peak`, `gradient_norm` and
      `train_normalised` (|x̂| of the batch norms), the smallest `variance` that these divided by;
      at its end `test_accuracy`, `held_out_accuracy`, `test_normalised`, `norm_sum` (Σ‖p‖ over
      the parameter tensors p) and `squared_norm` (Σ‖p‖²).
    """
    place = functools.partial(jax.device_put, device=over_devices(len(runs.seed)))
    task, data = place(runs), place(_data(runs))
    model = functools.partial(
        AdditionNetwork, scheme.width, scheme.blocks, normalise=scheme.normalise
    )
    run_epoch = _compiled_epoch(model, over_devices(len(runs.seed)))

    def advance(epoch: int, state: State) -> tuple[State, PyTree]:
        return run_epoch(task, state, place(_rows(runs, scheme, epoch)), data)

    state = place(_initial(model, runs))
    _, measures = session.loop(name, scheme.epochs, advance, state)
    return {
        **runs._asdict(),
        "step": EPOCH * np.arange(1, scheme.epochs + 1),
        **{key: np.moveaxis(values, 0, 1) for key, values in measures.items()},
    }


def checksum(runs: Runs) -> dict[str, str]:
    """Returns name and sha256 of the data of the first run, for the record."""
    first = binary_addition(int(runs.seed[0]), noise=float(runs.noise[0]))
    return {"dataset": first.name, "sha256": first.sha256()}


def _data(runs: Runs) -> Data:
    """The data of each run, stacked."""
    sets = [
        binary_addition(int(s), noise=float(n)) for s, n in zip(runs.seed, runs.noise, strict=True)
    ]
    parts = [Data(data.train, data.held_out, data.test) for data in sets]
    return jax.tree.map(lambda *arrays: np.stack(arrays), *parts)


def _rows(runs: Runs, scheme: Scheme, epoch: int) -> np.ndarray:
    """The rows of the training data that make the batches of an epoch, (runs, steps, batch)."""
    if not scheme.shuffle:
        once = np.arange(EPOCH * BATCH, dtype=np.int32).reshape(EPOCH, BATCH)
        return np.repeat(once[None], len(runs.seed), axis=0)
    steps = range(epoch * EPOCH, (epoch + 1) * EPOCH)
    return np.stack([batch_indices(int(seed), steps, TRAIN, BATCH) for seed in runs.seed])


def _optimiser(runs: Runs) -> optax.GradientTransformation:
    return optax.adamw(LEARNING_RATE, 0.9, 0.98, 1e-3, weight_decay=runs.weight_decay)  # pyright: ignore


def _initial(model: Callable[..., AdditionNetwork], runs: Runs) -> State:
    def one(run: Runs) -> State:
        variables = model().init(jax.random.key(run.seed), jnp.zeros((2, 64)), train=True)
        params = variables["params"]
        averages = variables.get("batch_stats", {})
        return State(params, averages, _optimiser(run).init(params))

    # One run after the other: batched, the random initialisers take longer to compile.
    return jax.jit(lambda runs: jax.lax.map(one, runs))(runs)


def _compiled_epoch(
    model: Callable[..., AdditionNetwork], place: NamedSharding
) -> Callable[..., Any]:
    def one_run(given: tuple[Runs, State, jax.Array, Data]):
        run, state, rows, data = given
        network = model(epsilon=run.epsilon)
        step = functools.partial(_step, network, _optimiser(run), data.train)
        state, measured = jax.lax.scan(step, state, rows)
        return state, _of_steps(measured) | _at_end(network, state, data)

    def some_runs(*given):
        # On a CPU one after the other: side by side, their weights and moments leave its caches.
        together = None if jax.default_backend() == "cpu" else len(given[0].seed)
        return jax.lax.map(one_run, given, batch_size=together)

    spec = place.spec
    on_each_device = jax.shard_map(some_runs, mesh=place.mesh, in_specs=spec, out_specs=spec)
    return jax.jit(on_each_device, donate_argnums=1)


def _step(
    network: AdditionNetwork,
    tx: optax.GradientTransformation,
    sums: Sums,
    state: State,
    rows: jax.Array,
) -> tuple[State, dict[str, jax.Array]]:
    inputs, targets = sums.inputs[rows], sums.targets[rows]

    def loss(params):
        variables = {"params": params, "batch_stats": state.averages}
        kept = ["batch_stats", "normalised"]
        logits, new = network.apply(variables, jnp.float32(inputs), train=True, mutable=kept)
        return jnp.mean((jax.nn.sigmoid(logits) - targets) ** 2), (logits, new)

    (value, (logits, new)), gradient = jax.value_and_grad(loss, has_aux=True)(state.params)
    updates, opt_state = tx.update(gradient, state.opt_state, state.params)
    largest, variance = _extremes(new)
    measured = {
        "loss": value,
        "right": _accuracy(logits, targets),
        "gradient": optax.tree.norm(gradient),
        "largest": largest,
        "variance": variance,
    }
    params = optax.apply_updates(state.params, updates)
    return State(params, new.get("batch_stats", {}), opt_state), measured


def _of_steps(measured: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {
        "loss": jnp.mean(measured["loss"]),
        "loss_peak": jnp.max(measured["loss"]),
        "train_accuracy": jnp.mean(measured["right"]),
        "gradient_norm": jnp.max(measured["gradient"]),
        "train_normalised": jnp.max(measured["largest"]),
        "variance": jnp.min(measured["variance"]),
    }


def _at_end(network: AdditionNetwork, state: State, data: Data) -> dict[str, jax.Array]:
    variables = {"params": state.params, "batch_stats": state.averages}

    def evaluate(sums: Sums) -> tuple[jax.Array, jax.Array]:
        inputs = jnp.float32(sums.inputs)
        logits, new = network.apply(variables, inputs, train=False, mutable=["normalised"])
        return _accuracy(logits, sums.targets), _extremes(new)[0]

    (test, test_normalised), (held_out, _) = evaluate(data.test), evaluate(data.held_out)
    squares = jnp.stack([jnp.sum(leaf**2) for leaf in jax.tree.leaves(state.params)])
    return {
        "test_accuracy": test,
        "held_out_accuracy": held_out,
        "test_normalised": test_normalised,
        "norm_sum": jnp.sum(jnp.sqrt(squares)),
        "squared_norm": jnp.sum(squares),
    }


def _accuracy(logits: jax.Array, targets: ArrayLike) -> jax.Array:
    """Share of the sums with all bits right."""
    return jnp.mean(jnp.all((logits > 0) == (jnp.asarray(targets) > 0), axis=-1), dtype=jnp.float32)


def _extremes(collections: PyTree) -> tuple[jax.Array, jax.Array]:
    """Largest |x̂| and smallest variance over all batch norms; zeros if there are none."""
    normalised = collections.get("normalised", {})
    if not normalised:
        return jnp.zeros(()), jnp.zeros(())
    layers = [normalised[name] for name in sorted(normalised)]
    largest = jnp.stack([layer["largest"][0] for layer in layers])
    variance = jnp.stack([layer["variance"][0] for layer in layers])
    return jnp.max(largest), jnp.min(variance)
