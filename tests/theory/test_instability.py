import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax.theory import instability
from wdjax.theory.curvature import sphere_curvature

MOMENTA = [(0.0, False), (0.5, False), (0.9, False), (0.5, True), (0.9, True)]


def spectral_radius(x, mu, nesterov):
    """Of one step of descent on a parabola with ηλ_max = x, as a matrix on (w, buffer)."""
    # m' = μ m + w; the step is η(w + μ m') with Nesterov, and η m' without; here η λ_max = x.
    buffer = np.array([1.0, mu])
    step = np.array([1.0, 0.0]) + mu * buffer if nesterov else buffer
    return np.max(np.abs(np.linalg.eigvals([[1 - x * step[0], -x * step[1]], buffer])))


@pytest.mark.parametrize(("mu", "nesterov"), MOMENTA)
def test_the_limit_is_where_descent_on_a_parabola_turns(mu, nesterov):
    limit = float(instability.stability_limit(mu, nesterov=nesterov))
    assert spectral_radius(0.9999 * limit, mu, nesterov) < 1
    assert spectral_radius(1.0001 * limit, mu, nesterov) > 1


def a_sin_squared(w, a=1.5):
    """a sin² of the angle to the first axis: the curvature on the sphere is 2a at its minimum."""
    return a * (1 - w[0] ** 2 / jnp.sum(w**2))


@pytest.mark.parametrize(("mu", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_below_the_threshold_norm_a_small_angle_grows(mu, nesterov):
    tx = optax.sgd(0.3, mu, nesterov=nesterov)
    threshold = instability.threshold_norm(0.3, 3.0, mu, nesterov=nesterov)
    if mu == 0:
        # The effective learning rate is 1/a there.
        assert 0.3 / float(threshold) ** 2 == pytest.approx(1 / 1.5)

    @jax.jit
    @jax.vmap
    def largest_angle(norm):
        def step(carry, _):
            w, state = carry
            updates, state = tx.update(jax.grad(a_sin_squared)(w), state, w)
            return (optax.apply_updates(w, updates), state), jnp.abs(w[1] / w[0])

        w = norm * jnp.array([1.0, 1e-6])
        return jnp.max(jax.lax.scan(step, (w, tx.init(w)), length=600)[1])

    above, below = largest_angle(threshold * jnp.array([1.03, 0.97]))
    assert above < 1e-5
    assert below > 1e-3  # until it has made the norm grow


def decayed(eta, lam, mu, steps):
    """A weight under zero gradient: m ← μ m + λ w, w ← w − η m."""
    w, m, course = 1.0, 0.0, []
    for _ in range(steps):
        course.append(w)
        m = mu * m + lam * w
        w = w - eta * m
    return np.array(course)


@pytest.mark.parametrize(
    ("eta", "lam", "mu"), [(0.1, 0.05, 0.0), (0.1, 0.01, 0.9), (0.1, 1e-5, 0.9), (0.3, 1.0, 0.5)]
)
def test_free_decay_is_that_of_the_recursion(eta, lam, mu):
    rate = float(instability.free_decay_rate(eta, lam, mu))
    if eta * lam < (1 - np.sqrt(mu)) ** 2:
        course = decayed(eta, lam, mu, 801)
        assert np.log(course[799] / course[800]) == pytest.approx(rate, rel=1e-9)
        steps = instability.free_decay_steps(course[500], course[800], eta, lam, mu)
        assert float(steps) == pytest.approx(300, rel=1e-9)
    else:  # it swings: compare the envelope, over many swings
        course = np.abs(decayed(eta, lam, mu, 600))
        fall = np.log(course[:300].reshape(10, 30).max(1) / course[300:].reshape(10, 30).max(1))
        assert np.mean(fall) / 300 == pytest.approx(rate, rel=1e-3)


def test_leading_order_and_limits():
    eta, lam, mu = 0.1, 1e-6, 0.9
    leading = np.log(3.0**2) * (1 - mu) / (2 * eta * lam)
    assert float(instability.period(3.0, 1.0, eta, lam, mu)) == pytest.approx(leading, rel=1e-4)
    assert float(instability.free_decay_steps(1.0, 0.0, eta, lam)) == np.inf
    assert float(instability.free_decay_steps(2.0, 1.0, eta, 0.0)) == np.inf
    assert float(instability.free_decay_steps(1.0, 2.0, eta, lam)) == 0.0
    steps = jax.jit(jax.vmap(lambda e: instability.steps_until_unstable(1.0, 2.0, e, 0.1)))
    np.testing.assert_array_less(0.0, steps(jnp.array([0.1, 0.2])))


def test_what_protects_makes_the_time_infinite():
    eta, lam, h, v = 0.1, 5e-3, 4.0, 0.02
    epsilon = instability.protecting_epsilon(eta, h, v)
    moment = instability.protecting_moment(eta, lam, h)
    assert float(moment) == pytest.approx(eta * lam * h**2 / 2)

    def steps(**kept):
        return float(instability.steps_until_unstable(3.0, h, eta, lam, unit_variance=v, **kept))

    assert steps() == pytest.approx(np.log(9 / (eta * h / 2)) / (2 * eta * lam), rel=1e-3)
    assert steps() < steps(norm_epsilon=0.9 * epsilon) < np.inf
    assert steps(norm_epsilon=1.001 * epsilon) == np.inf
    assert steps(gradient_moment=0.999 * moment) == steps()
    assert steps(gradient_moment=1.001 * moment) == np.inf


@pytest.mark.parametrize(("mu", "nesterov"), MOMENTA)
def test_at_the_protecting_moment_the_equilibrium_is_at_the_threshold(mu, nesterov):
    eta, lam, h = 0.1, 5e-3, 4.0
    moment = instability.protecting_moment(eta, lam, h, mu, nesterov=nesterov)
    square = np.sqrt(eta * float(moment) / (2 * lam * (1 - mu)))
    threshold = instability.threshold_norm(eta, h, mu, nesterov=nesterov)
    assert square == pytest.approx(float(threshold) ** 2)


def test_noise_above_the_protecting_moment_holds_the_norm_up_and_little_noise_does_not():
    eta, lam, dimension, steps = 0.1, 0.2, 32, 4000
    moments = instability.protecting_moment(eta, lam, 3.0) * jnp.array([4.0, 1e-24])

    @jax.jit
    @jax.vmap
    def descent(moment):
        def step(w, key):
            z = jax.random.normal(key, w.shape)
            square = jnp.sum(w**2)
            noise = (z - w * jnp.vdot(w, z) / square) * jnp.sqrt(moment / (dimension - 1) / square)
            value, gradient = jax.value_and_grad(a_sin_squared)(w)
            return (1 - eta * lam) * w - eta * (gradient + noise), (value, jnp.sqrt(square))

        keys = jax.random.split(jax.random.key(0), steps)
        return jax.lax.scan(step, jnp.eye(dimension)[0], keys)[1]

    losses, norms = map(np.asarray, descent(moments))
    usual, worst = np.median(losses[:, 100:], axis=1), np.max(losses[:, 100:], axis=1)
    assert worst[0] < 4 * usual[0]
    assert worst[1] > 0.5 > 1e8 * usual[1]
    threshold = float(instability.threshold_norm(eta, 3.0))
    assert np.min(norms[0]) > threshold > np.min(norms[1])


def test_epsilon_caps_the_curvature_of_a_quadratic_loss():
    # y = Xw/√(mean (Xw)² + ε) against targets that ε = 0 meets: h = 1 on the unit sphere.
    variance, epsilon = 0.5, 1e-2
    inputs = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 6)))[0]
    inputs *= np.sqrt(40 * variance)
    targets = inputs[:, 0] / np.sqrt(variance)

    def loss(w):
        z = inputs @ w
        return jnp.mean((z / jnp.sqrt(jnp.mean(z**2) + epsilon) - targets) ** 2) / 2

    @jax.jit
    @jax.vmap
    def sharpness(norm):
        hessian = jax.hessian(loss)(norm * jnp.eye(6)[0])
        return jnp.linalg.eigvalsh(hessian[1:, 1:])[-1]

    norms = np.geomspace(1e-3, 10.0, 200)
    exact = sharpness(norms)
    estimate = variance / (variance * norms**2 + epsilon)
    np.testing.assert_array_less(0.999, exact / estimate)
    np.testing.assert_array_less(exact / estimate, 1.251)
    assert np.max(exact) * epsilon / variance == pytest.approx(1.115, abs=1e-3)
    # At the threshold norm the estimate is the limit.
    threshold = instability.threshold_norm(0.1, 1.0, norm_epsilon=1e-3, unit_variance=variance)
    assert 0.1 * variance / (variance * float(threshold) ** 2 + 1e-3) == pytest.approx(2.0)


def normalise(z, epsilon):
    return (z - z.mean(0)) / jnp.sqrt(z.var(0) + epsilon)


RNG = np.random.default_rng(5)
INPUTS = RNG.normal(size=(128, 16))
LABELS = np.argmax(INPUTS @ RNG.normal(size=(16, 4)) + 0.5 * RNG.normal(size=(128, 4)), axis=-1)
READOUT = RNG.normal(size=(32, 4))
READOUT *= 10 / np.linalg.norm(READOUT)
START = {"first": RNG.normal(size=(16, 32)) / 4, "second": RNG.normal(size=(32, 32)) / 32**0.5}
ETA, LAM, EVERY, STEPS = 0.1, 2e-2, 25, 2500


def cross_entropy(params, epsilon):
    x = jax.nn.relu(normalise(INPUTS @ params["first"], epsilon))
    logits = jax.nn.relu(normalise(x @ params["second"], epsilon)) @ READOUT
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, LABELS))


@jax.jit
@jax.vmap
def descend(epsilon):
    """Gradient descent with decay: losses and ‖w‖ of all steps, weights of every 50th."""

    def step(params, _):
        loss, gradient = jax.value_and_grad(cross_entropy)(params, epsilon)
        moved = jax.tree.map(lambda w, g: (1 - ETA * LAM) * w - ETA * g, params, gradient)
        return moved, (loss, optax.tree.norm(params))

    def some(params, _):
        after, courses = jax.lax.scan(step, params, length=EVERY)
        return after, (params, courses)

    _, (kept, courses) = jax.lax.scan(some, START, length=STEPS // EVERY)
    return kept, jax.tree.map(lambda x: x.reshape(-1), courses)


@jax.jit
def curvatures(weights):
    return jax.lax.map(lambda w: sphere_curvature(cross_entropy, w, 0.0, iterations=20), weights)


def first_jump(losses):
    return next((t for t in range(200, STEPS) if losses[t] > 0.1), STEPS)


def test_the_threshold_is_crossed_when_predicted_and_the_loss_jumps():
    kept, (losses, norms) = jax.tree.map(np.asarray, descend(jnp.array([0.0, 0.01])))
    jump = first_jump(losses[0])
    assert jump < STEPS
    last = jump // EVERY
    blocks = np.r_[8 : last - 10 : 8, last - 10 : last]
    times = blocks * EVERY
    h = np.asarray(curvatures(jax.tree.map(lambda w: w[0, blocks], kept)))
    crossing = int(np.argmax(ETA * h / norms[0, times] ** 2 > 2))
    assert 400 < times[crossing] < jump

    # Decay is free: from any time on, the curvature at the crossing says when that is.
    def predicted(h):
        return instability.steps_until_unstable(norms[0, times[:crossing]], h, ETA, LAM)

    left = times[crossing] - times[:crossing]
    np.testing.assert_allclose(predicted(h[crossing]), left, atol=EVERY)
    # The curvature of the time itself says it too early, as it still falls.
    own = predicted(h[:crossing])
    assert h[0] > 5 * h[crossing]
    assert 0.4 * left[0] < own[0] < 0.6 * left[0]
    assert np.all(own < left + EVERY)
    # The estimate of the ε that protects is ample.
    variance = np.mean(np.var(INPUTS @ START["first"], axis=0)) / norms[0, 0] ** 2
    assert instability.protecting_epsilon(ETA, h[crossing], variance) > 0.01
    assert first_jump(losses[1]) == STEPS


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: instability.stability_limit(1.0), "momentum is 1"),
        (lambda: instability.threshold_norm(-0.1, 1.0), "learning_rate is -0.1"),
        (lambda: instability.threshold_norm(0.1, np.nan), "curvature is nan"),
        (lambda: instability.threshold_norm(0.1, 1.0, unit_variance=0.0), "unit_variance is 0"),
        (lambda: instability.protecting_epsilon(0.1, 1.0, 0.0), "unit_variance is 0"),
        (lambda: instability.protecting_moment(0.1, -1.0, 1.0), "weight_decay is -1"),
        (lambda: instability.free_decay_rate(2.0, 0.5), "expected it below 1"),
        (lambda: instability.free_decay_steps(0.0, 1.0, 0.1, 0.1), "norm is 0"),
        (lambda: instability.free_decay_steps(1.0, -1.0, 0.1, 0.1), "until is -1"),
        (
            lambda: instability.steps_until_unstable(1.0, 1.0, 0.1, 0.1, gradient_moment=-1.0),
            "gradient_moment is -1",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
