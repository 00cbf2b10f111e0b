"""Small pieces that the experiments share."""

import jax.numpy as jnp
import numpy as np
import pytest

from wdjax.experiments.serendipitous import ARTICLE, EXPERIMENTS
from wdjax.experiments.serendipitous.common import on_unit_sphere, turned
from wdjax.experiments.verdicts import graded, slope
from wdjax.training import Outcome


def test_the_angle_is_right_where_arccos_is_and_where_it_is_not():
    a = {"x": jnp.array([3.0, 0.0]), "y": jnp.array([0.0])}
    b = {"x": jnp.array([1.0, 1.0]), "y": jnp.array([1.0])}
    assert turned(a, b) == pytest.approx(np.arccos(1 / np.sqrt(3)))
    near = {"x": jnp.array([3.0, 3e-12]), "y": jnp.array([0.0])}
    assert turned(a, near) == pytest.approx(1e-12, rel=1e-3)
    assert turned(a, {"x": -a["x"], "y": a["y"]}) == pytest.approx(np.pi)


def test_the_unit_sphere_is_that_of_all_leaves_together():
    unit = on_unit_sphere({"x": jnp.array([3.0]), "y": jnp.array([4.0])})
    assert unit["x"][0] == pytest.approx(0.6) and unit["y"][0] == pytest.approx(0.8)


def test_slope_and_grades():
    x = np.array([1.0, 3.0, 10.0, 40.0])
    assert slope(x, 5 / np.sqrt(x)) == pytest.approx(-0.5)
    assert graded(True, False) == Outcome.HOLDS
    assert graded(np.False_, np.True_) == Outcome.IN_PART
    assert graded(False, False) == Outcome.FAILS


def test_the_claims_have_keys_of_their_own_and_a_place():
    keys = [claim.key for claim in ARTICLE.claims]
    assert len(set(keys)) == len(keys) == 20
    assert all(claim.text.endswith(".") and claim.where for claim in ARTICLE.claims)
    assert {experiment.article for experiment in EXPERIMENTS} == {ARTICLE.key}
