"""Ridge regression, and networks trained by AdamW and by SGD, on all training sets at once."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax.data import batch_indices
from wdjax.experiments.decay_techniques.bias_variance.config import CHUNK, Config
from wdjax.experiments.decay_techniques.bias_variance.problem import Sets
from wdjax.experiments.decay_techniques.network import Network, kernels, squared_norm
from wdjax.training import Session, over_devices
from wdjax.transforms import adamw, sgd_l2

SHAKE = 0.1
"""Standard deviation of the fluctuations of the inputs."""


class Fits(NamedTuple):
    """What was fitted; arrays begin with (sets, noises, λ).

    Attributes:
      test: Outputs at the test inputs, (..., test inputs).
      held: At the held-out inputs, (..., held out).
      error: Mean squared error on the training set, noise included.
      norm: Σw² of all kernels.
      features: Norm of the weights of each input, (..., inputs).
      shaken: Mean squared change of the output as the test inputs fluctuate.
    """

    test: np.ndarray
    held: np.ndarray
    error: np.ndarray
    norm: np.ndarray
    features: np.ndarray
    shaken: np.ndarray


def ridge(sets: Sets, decays: np.ndarray, shake: np.ndarray) -> Fits:
    """Minimises Σ(w·x + b − y)²/(2n) + λ‖w‖²/2, which is where SGD with decay converges to."""
    centre, level = sets.x.mean(axis=1), sets.y.mean(axis=2)
    x, y = sets.x - centre[:, None], sets.y - level[..., None]
    count, size = x.shape[1:]
    gram = np.einsum("sni,snj->sij", x, x) / count
    moment = np.einsum("sni,qsn->sqi", x, y) / count
    regular = gram[:, None] + decays[:, None, None] * np.eye(size)
    w = np.linalg.solve(regular[:, None], moment[:, :, None, :, None])[..., 0]
    outputs = np.einsum("sni,sqli->sqln", x, w)
    shift = level.T[:, :, None, None]

    def output(inputs: np.ndarray) -> np.ndarray:
        return np.einsum("sni,sqli->sqln", inputs - centre[:, None], w) + shift

    test = np.broadcast_to(sets.test_x, (len(x), *sets.test_x.shape))
    return Fits(
        output(test),
        output(sets.held_x),
        np.mean((outputs - y.swapaxes(0, 1)[:, :, None]) ** 2, axis=-1),
        np.sum(w**2, axis=-1),
        np.abs(w),
        np.mean((w @ shake.T) ** 2, axis=-1),
    )


def degrees_of_freedom(sets: Sets, decays: np.ndarray) -> np.ndarray:
    """Of ridge regression, (sets, λ): Σ e/(e + λ) over the eigenvalues of XᵀX/n, X centred.

    They are the trace of the matrix that makes outputs from targets, and the same for any noise.
    """
    x = sets.x - sets.x.mean(axis=1, keepdims=True)
    values = np.linalg.svd(x, compute_uv=False) ** 2 / x.shape[1]
    values = np.where(values > 1e-12 * values.max(axis=1, keepdims=True), values, 0.0)
    return np.sum(values[:, None] / np.maximum(values[:, None] + decays[:, None], 1e-30), axis=-1)


def networks(
    config: Config, sets: Sets, name: str, decays: np.ndarray, shake: np.ndarray, session: Session
) -> Fits:
    """Trains a network on each set, with each noise and each λ; of one set from the same start."""
    network = Network(sets.x.shape[-1], (config.width,), 1)
    numbers = range(config.first_set, config.first_set + config.training_sets)
    place = partial(jax.device_put, device=over_devices(len(numbers)))
    x, y = (place(np.asarray(part, np.float32)) for part in (sets.x, sets.y.swapaxes(0, 1)))
    optimiser = partial(_optimiser, name, config)
    state = place(_start(network, optimiser, decays, len(config.noises), numbers))
    run = _compiled(network, optimiser)
    strengths = jnp.asarray(decays, jnp.float32)

    def advance(index: int, state: Any) -> tuple[Any, jax.Array]:
        steps = range(index * CHUNK, (index + 1) * CHUNK)
        batches = np.stack([batch_indices(number, steps, config.examples, config.batch_size)
                            for number in numbers])  # fmt: skip
        return run(state, strengths, place(batches), x, y), jnp.zeros(())

    state, _ = session.loop(name, config.steps // CHUNK, advance, state)
    inputs = (np.asarray(part, np.float32) for part in (sets.held_x, sets.test_x, shake))
    return Fits(*jax.device_get(_evaluated(network, state[0], x, y, *inputs)))


def _optimiser(name: str, config: Config, lam: Any) -> optax.GradientTransformation:
    if name == "AdamW":
        return adamw(config.learning_rate, weight_decay=lam, mask=kernels)
    return sgd_l2(config.sgd_learning_rate, lam, mask=kernels)


def _start(
    network: Network,
    optimiser: Callable[[Any], optax.GradientTransformation],
    decays: np.ndarray,
    noises: int,
    numbers: range,
) -> tuple[Any, Any]:
    weights = [network.init(jax.random.key(number)) for number in numbers]

    def repeated(*leaves: jax.Array) -> jax.Array:
        stacked = jnp.stack(leaves)[:, None, None]
        return jnp.tile(stacked, (1, noises, len(decays), *(1,) * leaves[0].ndim))

    params = jax.tree.map(repeated, *weights)
    init = jax.vmap(lambda lam, params: optimiser(lam).init(params))
    init = jax.vmap(jax.vmap(init, in_axes=(None, 0)), in_axes=(None, 0))
    return params, init(jnp.asarray(decays, jnp.float32), params)


def _compiled(
    network: Network, optimiser: Callable[[Any], optax.GradientTransformation]
) -> Callable[..., Any]:
    def one_run(state, lam, batches, x, y):
        def loss(params, batch):
            outputs, _ = network.apply(params, x[batch])
            return jnp.mean((outputs[:, 0] - y[batch]) ** 2) / 2

        def body(state, batch):
            params, opt_state = state
            grads = jax.grad(loss)(params, batch)
            updates, opt_state = optimiser(lam).update(grads, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), None

        return jax.lax.scan(body, state, batches)[0]

    over_decays = jax.vmap(one_run, in_axes=(0, 0, None, None, None))
    over_noises = jax.vmap(over_decays, in_axes=(0, None, None, None, 0))
    over_sets = jax.vmap(over_noises, in_axes=(0, None, 0, 0, 0))
    return jax.jit(over_sets, donate_argnums=0)


@partial(jax.jit, static_argnums=0)
def _evaluated(network: Network, params: Any, x, y, held, test, shake) -> tuple[jax.Array, ...]:
    def one(params, x, y, held):
        def output(inputs):
            return network.apply(params, inputs)[0][:, 0]

        at_test = output(test)
        first = params["hidden_0"]["kernel"]
        return (
            at_test,
            output(held),
            jnp.mean((output(x) - y) ** 2),
            squared_norm(params),
            jnp.sqrt(jnp.sum(first**2, axis=1)),
            jnp.mean((output(test + shake) - at_test) ** 2),
        )

    over_decays = jax.vmap(one, in_axes=(0, None, None, None))
    over_noises = jax.vmap(over_decays, in_axes=(0, None, 0, None))
    return jax.vmap(over_noises)(params, x, y, held)
