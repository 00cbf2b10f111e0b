"""A ResNet whose convolutions are scaled: outputs, gradients, relative steps; in NumPy, float64."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax import trees
from wdjax.models import ResNet, convolution_kernels
from wdjax.models.norms import MOMENTUM
from wdjax.typing import Params, PyTree

HEAD = "Dense_0/kernel"
CLASSES = 10

Leaves = dict[str, np.ndarray]


class Batch(NamedTuple):
    """Images and their labels."""

    images: np.ndarray
    labels: np.ndarray


class Answer(NamedTuple):
    """What a network says of a batch in training mode.

    Attributes:
      loss: The mean over the batch.
      logits: One row per image.
      gradients: Of the weights, by path.
      variance: The smallest of the variances of channels that its batch norms divide by.
    """

    loss: float
    logits: np.ndarray
    gradients: Leaves
    variance: float


class Variables(NamedTuple):
    """Weights and running averages, leaves by path."""

    weights: Leaves
    statistics: Leaves


class Scaled(NamedTuple):
    """What scaling does; of relative size, the largest over kernels or logits.

    Attributes:
      logits: Change of the logits over their root mean square.
      gradient: ‖c g(cw) − g(w)‖/‖g(w)‖.
      direction: Angle between g(cw) and g(w), in radians.
      radial: |cos(w, g)|, at w and at cw.
      step: Relative step of SGD times c² over the one at c = 1, less 1.
      adam_step: ‖u(cw) − u(w)‖/‖u(w)‖ of Adam's first steps u, of all kernels together.
      head: Change of the logits if the kernel of the head is scaled instead.
      head_radial: |cos| of the head's kernel and its gradient.
      statistics: Largest change of loss or gradient with other running averages.
      epsilon_share: ε over the smallest variance of a channel, at w or at cw.
    """

    logits: Any
    gradient: Any
    direction: Any
    radial: Any
    step: Any
    adam_step: Any
    head: Any
    head_radial: Any
    statistics: Any
    epsilon_share: Any


class Network:
    """A ResNet in float64, asked for answers to batches.

    Args:
      depth: Its depth.
      image_shape: (height, width, channels).
    """

    def __init__(self, depth: int, image_shape: tuple[int, ...]):
        model = partial(ResNet, depth, CLASSES, param_dtype=jnp.float64)
        init = partial(model().init, train=True)
        self._shapes = jax.eval_shape(init, jax.random.key(0), jnp.zeros((2, *image_shape)))
        self._gradient = jax.jit(jax.value_and_grad(partial(_loss, model), has_aux=True))

    def fresh(self, seed: int) -> Variables:
        """Returns kernels as at init, normal of variance 1/fan-in; gains and biases vary.

        Gains are uniform from ½ to 1½, biases normal with deviation ½: fresh ones, 1 and 0, would
        not show what they do to the identities.
        """
        rng = np.random.default_rng(seed)
        parts = (trees.named_leaves(self._shapes[part]) for part in ("params", "batch_stats"))
        return Variables(*({p: _drawn(rng, p, x.shape) for p, x in part.items()} for part in parts))

    def answer(self, variables: Variables, batch: Batch, epsilon: float) -> Answer:
        """Returns loss, logits, gradients and the smallest variance."""
        params, statistics = (
            trees.with_leaves(self._shapes[part], list(leaves.values()))
            for part, leaves in zip(("params", "batch_stats"), variables, strict=True)
        )
        (loss, (logits, updated)), grads = self._gradient(params, statistics, *batch, epsilon)
        gradients = {path: np.asarray(leaf) for path, leaf in trees.named_leaves(grads).items()}
        variance = _smallest_variance(variables.statistics, trees.named_leaves(updated))
        return Answer(float(loss), np.asarray(logits), gradients, variance)


def _drawn(rng: np.random.Generator, path: str, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) > 1:
        return rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
    if path.endswith("scale"):
        return rng.uniform(0.5, 1.5, shape)
    if path.endswith("bias"):
        return rng.normal(size=shape) / 2
    return np.full(shape, 1.0 if path.endswith("var") else 0.0)


def _smallest_variance(before: Leaves, after: Mapping[str, Any]) -> float:
    """The smallest variance of a batch, from the running averages before and after it."""
    entered = [
        (np.asarray(after[path]) - MOMENTUM * kept) / (1 - MOMENTUM)
        for path, kept in before.items()
        if path.endswith("var")
    ]
    return float(min(variances.min() for variances in entered))


def kernels(weights: Leaves) -> list[str]:
    """Returns the paths of the convolutions."""
    return [path for path, leaf in convolution_kernels(weights).items() if leaf]


def turned_factors(weights: Leaves, scale: float) -> dict[str, float]:
    """Returns c and 1/c in turn for the convolutions."""
    return {path: scale ** (-1.0) ** n for n, path in enumerate(kernels(weights))}


def measure_scaling(
    network: Network, variables: Variables, batch: Batch, scale: float, epsilon: float
) -> Scaled:
    """Scales the convolutions by c and 1/c in turn, and compares; see `Scaled`."""
    weights, statistics = variables
    factors = turned_factors(weights, scale)
    scaled = weights | {path: c * weights[path] for path, c in factors.items()}
    other = {path: 3 * leaf + 1 for path, leaf in statistics.items()}
    with_head = weights | {HEAD: scale * weights[HEAD]}
    here = network.answer(variables, batch, epsilon)
    there = network.answer(Variables(scaled, statistics), batch, epsilon)
    beside = network.answer(Variables(weights, other), batch, epsilon)
    ahead = network.answer(Variables(with_head, statistics), batch, epsilon)
    pairs = [(c, here.gradients[path], there.gradients[path]) for path, c in factors.items()]
    return Scaled(
        logits=_change(here.logits, there.logits),
        gradient=_worst(lambda c, g, h: _norm(c * h - g) / _norm(g), pairs),
        direction=_worst(lambda c, g, h: _angle(g, h), pairs),
        radial=max(
            abs(_cosine(weights[path], answer.gradients[path]))
            for path in factors
            for answer in (here, there)
        ),
        step=_worst(lambda c, g, h: abs(c * _norm(h) / _norm(g) - 1), pairs),
        adam_step=_norm(_adam(pairs, 2) - _adam(pairs, 1)) / _norm(_adam(pairs, 1)),
        head=_change(here.logits, ahead.logits),
        head_radial=abs(_cosine(weights[HEAD], here.gradients[HEAD])),
        statistics=_largest_difference(here, beside),
        epsilon_share=epsilon / min(here.variance, there.variance),
    )


def _loss(model, params: Params, statistics: PyTree, images, labels, epsilon):
    """The loss in training mode; the logits and the running averages after this batch."""
    variables = {"params": params, "batch_stats": statistics}
    logits, kept = model(epsilon=epsilon).apply(
        variables, images, train=True, mutable=["batch_stats"]
    )
    losses = optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits), labels)
    return jnp.mean(losses), (jnp.asarray(logits), kept["batch_stats"])


def _adam(pairs: list, which: int) -> np.ndarray:
    """The first step of Adam at learning rate 1, of all kernels side by side."""
    gradient = np.concatenate([pair[which].ravel() for pair in pairs])
    tx = optax.adam(1.0, eps=1e-200)  # not 0: entries of gradient 0 are to stay where they are
    return np.asarray(tx.update(gradient, tx.init(gradient))[0])


def _change(logits: np.ndarray, others: np.ndarray) -> float:
    return float(np.max(np.abs(others - logits)) / np.sqrt(np.mean(logits**2)))


def _largest_difference(one: Answer, other: Answer) -> float:
    differences = [np.max(np.abs(one.gradients[p] - other.gradients[p])) for p in one.gradients]
    return float(max(abs(one.loss - other.loss), *differences))


def _worst(of: Callable[..., float], pairs: list) -> float:
    return float(max(of(*pair) for pair in pairs))


def _norm(array: np.ndarray) -> float:
    return float(np.sqrt(np.sum(array**2)))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sum(a * b) / (_norm(a) * _norm(b)))


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    u, v = a / _norm(a), b / _norm(b)
    return float(2 * np.arctan2(_norm(u - v), _norm(u + v)))
