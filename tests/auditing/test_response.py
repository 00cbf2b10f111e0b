"""How optimisers step on noise, against what a person derives from their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

import wdjax
from wdjax import transforms
from wdjax.auditing.autocorrelation import autocorrelation_sum
from wdjax.auditing.response import motions
from wdjax.auditing.shrinking import shrunk

ETA, LAM, MU, B1, B2 = 0.05, 0.01, 0.9, 0.9, 0.99
SHAPE = (12, 16)
D = SHAPE[0] * SHAPE[1]
G = 0.1
"""‖g‖ of each leaf."""

L2 = optax.add_decayed_weights(LAM)


def matrices(names, size, seed):
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(size=SHAPE) for name in names}
    return {name: size * x / np.linalg.norm(x) for name, x in drawn.items()}


def rms_quotient(decay):
    """E(z²/v) for z ~ N(0, 1) and v the moving average of z² that takes z in."""
    squares = np.random.default_rng(2).normal(size=(200, 20_000)) ** 2
    ages = np.arange(len(squares))
    return np.mean(squares[0] / ((1 - decay) * decay**ages @ squares))


# Name: optimiser, E‖Δw‖², R, degree, drag, p, q. None stands for what has no simple form.
KNOWN = {
    "sgd": (optax.sgd(ETA), ETA**2 * G**2, 1, 1, 0, 1, 0),
    "heavy ball": (
        optax.chain(L2, optax.sgd(ETA, MU)),
        (ETA * G) ** 2 / (1 - MU**2),
        (1 + MU) / (1 - MU),
        1,
        ETA * LAM / (1 - MU),
        1,
        0,
    ),
    "nesterov": (
        optax.chain(L2, optax.sgd(ETA, MU, nesterov=True)),
        (ETA * G) ** 2 * (1 + 2 * MU - 2 * MU**3) / (1 - MU**2),
        (1 + MU) / ((1 - MU) * (1 + 2 * MU - 2 * MU**3)),
        1,
        ETA * LAM / (1 - MU),
        1,
        0,
    ),
    "sgdw": (
        transforms.sgdw(ETA, LAM, MU),
        (ETA * G) ** 2 / (1 - MU**2),
        (1 + MU) / (1 - MU),
        1,
        ETA * LAM,
        1,
        0,
    ),
    "average": (
        optax.chain(L2, optax.ema(MU, debias=False), optax.scale(-ETA)),
        (ETA * G) ** 2 * (1 - MU) / (1 + MU),
        (1 + MU) / (1 - MU),
        1,
        ETA * LAM,
        1,
        0,
    ),
    "adamw": (
        optax.adamw(ETA, B1, weight_decay=LAM),
        ETA**2 * D * (1 - B1) / (1 + B1),
        (1 + B1) / (1 - B1),
        0,
        ETA * LAM,
        0,
        0,
    ),
    # L2 that is small beside the gradient's entries, of size G/√d.
    "adam with L2": (
        optax.chain(optax.add_decayed_weights(1e-5), optax.adam(ETA, B1)),
        ETA**2 * D * (1 - B1) / (1 + B1),
        (1 + B1) / (1 - B1),
        0,
        ETA * 1e-5 * np.sqrt(D) / G,
        0,
        0.5,
    ),
    "adam below its epsilon": (
        optax.adam(ETA, B1, eps=10.0),
        (ETA * G / 10) ** 2 * (1 - B1) / (1 + B1),
        (1 + B1) / (1 - B1),
        1,
        0,
        1,
        0,
    ),
    "rmsprop": (optax.rmsprop(ETA), ETA**2 * D * rms_quotient(0.9), 1, 0, 0, 0, 0),
    "lion": (
        optax.lion(ETA, B1, B2, weight_decay=LAM),
        ETA**2 * D,
        None,
        0,
        ETA * LAM,
        0,
        0,
    ),
    "sign": (optax.sign_sgd(ETA), ETA**2 * D, 1, 0, 0, 0, 0),
    # Orthogonalised: r entries of size one, but for what the iteration leaves.
    "muon": (contrib.muon(ETA, weight_decay=LAM), None, None, 0, ETA * LAM, 0, 0),
    "clipped": (
        optax.chain(optax.clip_by_global_norm(G / 10), L2, optax.sgd(ETA, MU)),
        (ETA * G / 10) ** 2 / (1 - MU**2),
        (1 + MU) / (1 - MU),
        0,
        ETA * LAM / (1 - MU),
        0,
        0,
    ),
    "tracked": (
        wdjax.tracked(optax.adamw(ETA, B1, weight_decay=LAM)),
        ETA**2 * D * (1 - B1) / (1 + B1),
        (1 + B1) / (1 - B1),
        0,
        ETA * LAM,
        0,
        0,
    ),
}


@pytest.fixture(scope="module")
def measured():
    """All optimisers in one run, each on a leaf of its own."""
    tx = optax.partition({n: known[0] for n, known in KNOWN.items()}, {n: n for n in KNOWN})
    return motions(tx, matrices(KNOWN, 3.0, 0), matrices(KNOWN, G, 1), 4000, {})


@pytest.mark.parametrize("name", KNOWN)
def test_a_response_is_what_the_definition_says(measured, name):
    _, moment, correlation, degree, drag, growth_power, drag_power = KNOWN[name]
    motion = measured[name]
    if moment is not None:
        assert motion.moment == pytest.approx(moment, rel=0.03)
    if correlation is not None:
        assert motion.correlation == pytest.approx(correlation, rel=0.04)
    assert motion.degree == pytest.approx(degree, abs=0.01)
    assert motion.drag == pytest.approx(drag, rel=0.02 if name == "adam with L2" else 1e-6)
    assert motion.growth_power == pytest.approx(growth_power, abs=0.01)
    assert motion.drag_power == pytest.approx(drag_power, abs=0.01)


def test_the_memory_of_a_sign_is_that_of_the_arcsine_law(measured):
    filtered = np.concatenate([[1 - B1], B1 * (1 - B2) * B2 ** np.arange(4000)])
    lags = np.correlate(filtered, filtered, "full")[len(filtered) - 1 :]
    arcsine = 1 + 4 / np.pi * np.sum(np.arcsin(lags[1:] / lags[0]))
    assert arcsine == pytest.approx(45.93, abs=0.01)
    assert measured["lion"].correlation == pytest.approx(arcsine, rel=0.06)


def test_orthogonalised_steps_remember_less_than_their_momentum(measured):
    linear = (1 + 0.95) / (1 - 0.95)
    assert 0.5 * linear < measured["muon"].correlation < 0.95 * linear


def test_the_first_step_and_the_lasting_one(measured):
    # Of linear rules the first step is what theory calls η, but for Nesterov's look ahead.
    for name, first in {"sgd": 1, "heavy ball": 1, "nesterov": 1 + MU, "average": 1 - MU}.items():
        assert measured[name].immediate == pytest.approx(ETA * first, rel=1e-6)
    for name in ("adamw", "lion", "sign", "tracked"):
        assert measured[name].sustained == pytest.approx(ETA, rel=1e-3)


def schedule(step):
    """A warm-up from zero and a cosine, in float64."""
    step = jnp.asarray(step, float)
    falling = (1 + jnp.cos(jnp.pi * jnp.clip((step - 300) / 1700, 0, 1))) / 2
    return ETA * jnp.minimum(step / 300, 1) * falling


def test_a_schedule_is_divided_out():
    tx = optax.partition(
        {
            "sgd": optax.sgd(schedule),
            "adamw": optax.adamw(schedule, B1, weight_decay=LAM),
            "heavy ball": optax.chain(L2, optax.sgd(schedule, MU)),
        },
        {n: n for n in ("sgd", "adamw", "heavy ball")},
    )
    names = ("sgd", "adamw", "heavy ball")
    found = motions(tx, matrices(names, 3.0, 0), matrices(names, G, 1), 2000, {})
    course = found["sgd"].course
    expected = np.asarray(jax.vmap(schedule)(jnp.arange(len(course.sizes)))) / ETA
    np.testing.assert_allclose(course.sizes, expected, atol=1e-12)
    assert course.peak == pytest.approx(300, abs=40)
    for name in names:
        _, moment, correlation, degree, drag, _, _ = KNOWN[name]
        assert found[name].moment == pytest.approx(moment, rel=0.04)
        assert found[name].correlation == pytest.approx(correlation, rel=0.06)
        assert found[name].degree == pytest.approx(degree, abs=0.01)
        # A buffer of heavy ball lags behind the schedule.
        assert found[name].drag == pytest.approx(drag, rel=0.03, abs=1e-12)


def test_gradient_accumulation_counts_as_one_step():
    w, g = matrices("w", 3.0, 0), matrices("w", G, 1)
    once = motions(optax.sgd(ETA, MU), w, g, 300, {})["w"]
    in_three = motions(optax.MultiSteps(optax.sgd(ETA, MU), 3), w, g, 300, {})["w"]
    np.testing.assert_allclose(in_three[:4], once[:4], rtol=1e-6)


def test_large_trees_are_cut_and_sizes_corrected():
    # The norm of the gradients is above the clip in the whole tree, and below in its corners.
    rng = np.random.default_rng(0)
    w = {"a": rng.normal(size=(300, 200)), "b": rng.normal(size=(500,))}
    g = {name: 1e-3 * rng.normal(size=x.shape) for name, x in w.items()}
    whole = np.sqrt(sum(np.sum(x**2) for x in g.values()))
    tx = optax.chain(optax.clip_by_global_norm(0.5 * whole), optax.sgd(ETA))
    found = motions(tx, w, g, 1000, {})
    for name, x in g.items():
        assert found[name].moment == pytest.approx(ETA**2 * np.sum(x**2) / 4, rel=0.06)
        assert found[name].degree == pytest.approx(0, abs=0.01)
        assert found[name].immediate == pytest.approx(ETA / 2, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_tangent_to_weights_that_were_drawn_alike(seed):
    w = {"w": np.random.default_rng(seed).normal(size=SHAPE)}
    found = motions(optax.adam(ETA, B1), w, matrices("w", G, 5), 20, {})["w"]
    assert found.sustained == pytest.approx(ETA, rel=1e-3)


def test_no_motion_without_a_gradient_or_a_step():
    w = matrices(("moves", "still", "frozen"), 3.0, 0)
    g = matrices(w, G, 1) | {"still": np.zeros(SHAPE)}
    labels = {"moves": "train", "still": "train", "frozen": "freeze"}
    tx = optax.partition({"train": optax.sgd(ETA), "freeze": optax.set_to_zero()}, labels)
    assert set(motions(tx, w, g, 50, {})) == {"moves"}
    assert motions(optax.sgd(0.0), w, g, 50, {}) == {}


def test_the_sum_of_autocorrelations_of_a_moving_average():
    noise = np.random.default_rng(0).normal(size=(4000, 64))
    memory = np.zeros(64)
    series = np.stack([memory := 0.8 * memory + z for z in noise])
    value, error = autocorrelation_sum(series[100:])
    assert abs(value - 9.0) < 4 * error
    assert error < 0.5
    # A slow change of size does not matter.
    slow = np.linspace(1, 0.1, len(series))[:, None]
    assert autocorrelation_sum(slow * series).value == pytest.approx(value, rel=0.1)
    assert np.isnan(autocorrelation_sum(np.zeros((10, 2))).value)


def test_a_shrunk_tree_keeps_ranks_and_names():
    params = {
        "a": np.ones((3, 3, 64, 128)),
        "b": np.ones(128),
        "c": np.float32(1),
        "n": np.arange(3),
    }
    small = shrunk(params, 5000, 4096)
    assert {n: np.ndim(x) for n, x in small.items()} == {"a": 4, "b": 1, "c": 0, "n": 1}
    assert sum(x.size for x in jax.tree.leaves(small)) <= 5000
    assert shrunk(params, 10**6, 10**6) is params
