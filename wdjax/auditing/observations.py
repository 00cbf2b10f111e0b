"""What an optimiser does to each leaf in a fixed set of calls, at one sampled step."""

from typing import NamedTuple

import numpy as np

from wdjax.auditing.blackbox import BlackBox, Vectors, numpy_step
from wdjax.typing import PyTree

CLOSE = 1e-6
"""Relative size of a difference that counts as none: some optimisers calculate in float32."""


class Materials(NamedTuple):
    """The random values of the experiments, each a vector per leaf.

    Attributes:
      weights: w, the weights that the optimiser was started with.
      other: x, weights of another size and direction.
      gradient: g.
      earlier: h, the gradient of the step before g.
      zero: Zeros.
    """

    weights: Vectors
    other: Vectors
    gradient: Vectors
    earlier: Vectors
    zero: Vectors


class Instant(NamedTuple):
    """The optimiser's states at one sampled step.

    Attributes:
      clean: After training steps with zero gradients and zero weights: what it holds comes from
        its schedules and from `init` alone.
      held: After as many with zero gradients and the weights held at w: its buffers are full of
        what they take from weights.
    """

    clean: PyTree
    held: PyTree


class Seen(NamedTuple):
    """Updates of one leaf. u(g, x) is the update for gradient g and weights x, from `clean`.

    Attributes:
      w: The weights w.
      x: The other weights x.
      at_zero: u(0, 0).
      at_w: u(0, w).
      at_2w: u(0, 2w).
      at_x: u(0, x).
      at_minus_w: u(0, −w).
      held: Update for zero gradient and weights w, from `held`.
      pushes: The gradients g and −g.
      pulled: For each of them u(g, 0) and what the weights w change in it.
      pulled_x: The same for the weights x.
      stirred: As `pulled` after a step at the gradient h.
      earlier: The gradient h, and u(h, 0).
      odd: The part of u(g, w) that changes its sign with w.
      memory: What a step at weights w leaves behind in the next, at zero gradients and weights.
      echo: What a step at gradient w leaves behind in the next.
      turned: Update of the second step at zero gradient and zero weights.
    """

    w: np.ndarray
    x: np.ndarray
    at_zero: np.ndarray
    at_w: np.ndarray
    at_2w: np.ndarray
    at_x: np.ndarray
    at_minus_w: np.ndarray
    held: np.ndarray
    pushes: tuple[np.ndarray, ...]
    pulled: tuple[tuple[np.ndarray, np.ndarray], ...]
    pulled_x: tuple[tuple[np.ndarray, np.ndarray], ...]
    stirred: tuple[tuple[np.ndarray, np.ndarray], ...]
    earlier: tuple[np.ndarray, np.ndarray]
    odd: np.ndarray
    memory: np.ndarray
    echo: np.ndarray
    turned: np.ndarray

    @property
    def rate(self) -> float:
        """The fraction ρ of the leaf that u(0, w) removes."""
        return fraction(self.at_w - self.at_zero, self.w)

    @property
    def finite(self) -> bool:
        """Whether all updates at zero gradient are."""
        return all(bool(np.all(np.isfinite(u))) for u, _ in self._at_rest())

    def _at_rest(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        w = self.w
        pairs = ((self.at_w, w), (self.at_2w, 2 * w), (self.at_minus_w, -w), (self.at_x, self.x))
        return ((self.at_zero, 0 * w), *pairs)

    @property
    def draws(self) -> bool:
        """Whether there is an update at zero gradient and zero weights."""
        return norm(self.at_zero) > 0

    @property
    def rests(self) -> bool:
        """Whether zero gradient does the same to all weights (as a rule: nothing)."""
        least = 1e-14 * norm(self.w) + 1e-12 * norm(self.at_zero)
        return all(norm(u - self.at_zero) <= least for u, _ in self._at_rest())

    @property
    def moves(self) -> bool:
        """Whether a gradient moves the leaf."""
        return any(norm(base + change) > 0 for base, change in self.pulled)

    @property
    def moves_at_all(self) -> bool:
        """Whether two gradients in succession do."""
        return self.moves or any(norm(base + change) > 0 for base, change in self.stirred)

    @property
    def linear(self) -> bool:
        """Whether u(0, x) − u(0, 0) = −ρ x for all weights that were tried."""
        return all(
            same(u - self.at_zero, -self.rate * weights, norm(self.at_zero))
            for u, weights in self._at_rest()
        )

    @property
    def blind(self) -> bool:
        """Whether weights enter a step at most in its length, and by their size alone."""
        scale = max(norm(base) + norm(change) for base, change in self.pulled)
        if norm(self.odd) <= 1e-12 * scale:
            return True
        return all(
            parallel(change, base) and parallel(self.odd, base) for base, change in self.pulled
        )

    @property
    def additive(self) -> bool:
        """Whether weights change the update at any gradient as they do at none."""
        change = self.at_w - self.at_zero
        return all(same(given, change, norm(base)) for base, given in self.pulled)

    @property
    def odd_part_additive(self) -> bool:
        """Whether this is so but for an effect of the weights' size on the step."""
        scale = max(norm(base) + norm(change) for base, change in self.pulled)
        return same(self.odd, self.at_w - self.at_zero, scale)

    @property
    def remembers_weights(self) -> bool:
        """Whether weights leave something in the optimiser's memory.

        What is 1e-9 of a gradient's trace is rounding, as where a projection takes decay away.
        """
        return norm(self.memory) > 1e-12 * norm(self.turned) + 1e-9 * norm(self.echo)

    @property
    def remembers_gradients(self) -> bool:
        """Whether gradients leave something in the optimiser's memory."""
        return norm(self.echo) > 1e-12 * norm(self.turned)


def norm(x: np.ndarray) -> float:
    """Returns ‖x‖₂."""
    return float(np.linalg.norm(np.ravel(x)))


def fraction(update: np.ndarray, w: np.ndarray) -> float:
    """Returns the fraction of w that an update removes: −⟨u, w⟩ / ‖w‖²."""
    return -float(np.vdot(w, update)) / float(np.vdot(w, w))


def parallel(a: np.ndarray, b: np.ndarray) -> bool:
    """Says whether a is a multiple of b (of which more than one number is needed to tell)."""
    return a.size > 1 and norm(b) > 0 and same(a, b * np.vdot(a, b) / np.vdot(b, b), norm(b))


def same(a: np.ndarray, b: np.ndarray, scale: float = 0.0) -> bool:
    """Says whether two vectors agree to `CLOSE`, or to rounding beside vectors of size `scale`."""
    return bool(norm(a - b) <= CLOSE * max(norm(a), norm(b)) + 1e-7 * CLOSE * scale)


def observe(box: BlackBox, instant: Instant, given: Materials) -> dict[str, Seen]:
    """Makes the calls of all leaves at once and returns what each leaf saw."""
    w, x, g, h, zero = given
    state = instant.clean

    def u(now: PyTree, gradient: Vectors, weights: Vectors) -> Vectors:
        return numpy_step(box, now, gradient, weights)

    double, negative = scaled(w, 2.0), scaled(w, -1.0)
    pushes = (g, scaled(g, -1.0))
    early, later = box.step(state, h, zero)
    pulled = [(u(state, push, zero), u(state, push, w)) for push in pushes]
    others = [u(state, push, x) for push in pushes]
    stirred = [(u(later, push, zero), u(later, push, w)) for push in pushes]
    flipped = u(state, g, negative)
    at_zero, at_w, at_2w, at_x = (u(state, zero, weights) for weights in (zero, w, double, x))
    at_minus_w, held = u(state, zero, negative), u(instant.held, zero, w)
    turned = after(box, state, zero, zero, zero)
    memory, echo = after(box, state, zero, w, zero), after(box, state, w, zero, zero)
    return {
        n: Seen(
            w=w[n],
            x=x[n],
            at_zero=at_zero[n],
            at_w=at_w[n],
            at_2w=at_2w[n],
            at_x=at_x[n],
            at_minus_w=at_minus_w[n],
            held=held[n],
            pushes=tuple(push[n] for push in pushes),
            pulled=tuple((base[n], with_w[n] - base[n]) for base, with_w in pulled),
            pulled_x=tuple(
                (base[n], there[n] - base[n])
                for (base, _), there in zip(pulled, others, strict=True)
            ),
            stirred=tuple((base[n], with_w[n] - base[n]) for base, with_w in stirred),
            earlier=(h[n], np.asarray(early[n], float)),
            odd=(pulled[0][1][n] - flipped[n]) / 2,
            memory=memory[n] - turned[n],
            echo=echo[n] - turned[n],
            turned=turned[n],
        )
        for n in w
    }


def after(box: BlackBox, state: PyTree, g: Vectors, x: Vectors, zero: Vectors) -> Vectors:
    """Returns the update at zero gradient and zero weights that follows a step at g and x."""
    return numpy_step(box, box.step(state, g, x)[1], zero, zero)


def scaled(x: Vectors, factor: float) -> Vectors:
    """Multiplies all leaves."""
    return {name: factor * value for name, value in x.items()}
