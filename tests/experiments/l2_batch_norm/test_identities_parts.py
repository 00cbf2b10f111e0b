"""What the identities are measured with: a layer, a network, short runs, a network without norm."""

import dataclasses

import numpy as np
import pytest

from wdjax.data import load_digits, standardise
from wdjax.experiments.l2_batch_norm.identities import plain
from wdjax.experiments.l2_batch_norm.identities.config import QUICK, Config, validate
from wdjax.experiments.l2_batch_norm.identities.layer import layer_errors, random_kernel
from wdjax.experiments.l2_batch_norm.identities.network import (
    Batch,
    Network,
    kernels,
    measure_scaling,
    turned_factors,
)
from wdjax.experiments.l2_batch_norm.identities.run import initial_sums, worst_over_grid
from wdjax.training import Session


@pytest.mark.parametrize("config", [Config(), QUICK])
def test_the_settings_are_valid(config):
    validate(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": ()}, "one seed"),
        ({"inits": 1}, "two inits"),
        ({"scales": (1.0, 2.0)}, "none of them 1"),
        ({"scales": (2.0,)}, "two positive factors"),
        ({"scales": (-2.0, 3.0)}, "two positive factors"),
        ({"epsilons": (1e-12, 1e-5)}, "the usual ε"),
        ({"batch_sizes": (8, 2)}, "rising"),
        ({"batch_sizes": (0, 8)}, "rising"),
        ({"batch_sizes": (1, 2)}, "not below 8"),
        ({"steps": 0}, "one step"),
        ({"plain_steps": 15}, "multiple of ten"),
    ],
)
def test_settings_that_could_not_be_judged_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        validate(dataclasses.replace(Config(), **change))


def test_a_layer_meets_its_formulas_and_its_change_is_of_the_size_of_epsilon():
    images = np.random.default_rng(0).normal(size=(4, 5, 5, 2))
    found = layer_errors(random_kernel(0, 2), images, 3.0, 1e-4)
    assert found["output"] < 1e-13
    assert found["statistics"] < 1e-13
    assert found["change"] == pytest.approx(found["first order"], rel=1e-2)
    large = layer_errors(random_kernel(0, 2), images, 3.0, 1.0)
    assert large["output"] < 1e-13
    assert large["change"] < 0.8 * large["first order"]


def test_the_normalisation_of_a_layer_is_that_of_a_loop():
    """Against a literal convolution and batch norm, at another ε."""
    images, kernel = np.random.default_rng(1).normal(size=(2, 3, 3, 1)), random_kernel(2, 1)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    z = np.zeros((2, 3, 3, 16))
    for i in range(3):
        for j in range(3):
            z[:, i, j] = np.einsum("bhwc,hwcf->bf", padded[:, i : i + 3, j : j + 3], kernel)
    variance = z.var(axis=(0, 1, 2))
    change = np.abs(np.sqrt((variance + 0.1) / (variance + 0.1 / 4)) - 1).max()
    assert layer_errors(kernel, images, 2.0, 0.1)["change"] == pytest.approx(change, rel=1e-12)


def test_kernels_are_scaled_up_and_down_in_turn():
    weights = {f"{n}/kernel": np.ones((1, 1, 1, 1)) for n in range(3)} | {"head": np.ones((2, 2))}
    assert kernels(weights) == ["0/kernel", "1/kernel", "2/kernel"]
    assert list(turned_factors(weights, 4.0).values()) == [4.0, 0.25, 4.0]


def test_a_network_says_by_how_much_epsilon_is_above_its_smallest_variance():
    """Against the definition, at the first norm of a network that has no smaller variance."""
    images = np.random.default_rng(0).normal(size=(16, 8, 8, 1))
    network, batch = Network(8, (8, 8, 1)), Batch(images, np.arange(16) % 10)
    fresh = network.fresh(0)
    dull = fresh.weights | {"Conv_0/kernel": 1e-4 * fresh.weights["Conv_0/kernel"]}
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    convolved = np.einsum("bhwcij,ijcf->bhwf", windows, dull["Conv_0/kernel"])
    smallest = convolved.var(axis=(0, 1, 2)).min()
    found = measure_scaling(network, fresh._replace(weights=dull), batch, 1.0, 1e-5)
    assert found.epsilon_share == pytest.approx(1e-5 / smallest, rel=1e-6)
    halved = measure_scaling(network, fresh._replace(weights=dull), batch, 0.5, 1e-5)
    assert halved.epsilon_share == pytest.approx(4e-5 / smallest, rel=1e-6)


def test_the_grid_keeps_the_worst_of_the_seeds_in_its_place():
    config = dataclasses.replace(QUICK, scales=(2.0, 3.0, 4.0))
    found = worst_over_grid("x", lambda *point: {"sum": sum(point)}, config, [100.0, 200.0])
    assert found["x sum"].shape == (2, 2, 3)
    assert found["x sum"][1, 0, 2] == pytest.approx(200 + 32 + 1e-5 + 4)


def test_fresh_networks_have_a_sum_of_squares_of_800():
    found = initial_sums(dataclasses.replace(QUICK, inits=40))["initial sum"]
    assert found.shape == (40,)
    assert abs(found.mean() - 800) < 3 * found.std() / 40**0.5
    assert 1 < found.std() < 10


def test_only_the_network_without_batch_norm_sees_the_scale_of_its_weights():
    dataset = standardise(load_digits())
    config = dataclasses.replace(QUICK, plain_steps=20, seeds=(0, 1))
    found = plain.measure_plain(config, dataset, Session())
    assert found["plain_squares"].shape == (2, 2, 11)
    assert np.all(found["plain_squares"][:, :, 0] == 1)
    assert np.all(np.diff(found["plain_squares"][1]) > 0)
    assert np.abs(found["plain_scaled"][0]).min() > 1e-3
    assert np.abs(found["plain_scaled"][1]).max() < 1e-4
