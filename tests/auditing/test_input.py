"""What the probe takes as parameters, steps and arguments, what it refuses, how it prints."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax.auditing import probe

PARAMS = {"kernel": np.ones((2, 3)), "bias": np.zeros(3)}
ADAMW = optax.adamw(0.01, weight_decay=0.1)


def test_the_sampled_steps():
    np.testing.assert_array_equal(probe(ADAMW, PARAMS, steps=1).steps, [0])
    np.testing.assert_array_equal(probe(ADAMW, PARAMS, steps=3).steps, [0, 1, 2])
    np.testing.assert_array_equal(probe(ADAMW, PARAMS, steps=[7, 2, 2]).steps, [2, 7])
    assert list(probe(ADAMW, PARAMS, steps=1000).steps)[-1] == 999
    assert len(probe(ADAMW, PARAMS, steps=1000).steps) == 9


@pytest.mark.parametrize("steps", [0, -1, [], [-1, 3], 10.0, "10", True, None, [1.5]])
def test_steps_that_are_none(steps):
    with pytest.raises(ValueError, match="expected a number of training steps"):
        probe(ADAMW, PARAMS, steps=steps)


def test_bad_micro_steps():
    with pytest.raises(ValueError, match="micro_steps is 0"):
        probe(ADAMW, PARAMS, micro_steps=0)
    tx = optax.MultiSteps(ADAMW, 4)
    with pytest.raises(ValueError, match="the number of micro-steps is another one"):
        probe(tx, PARAMS, steps=[0, 3], micro_steps=3)
    for wrong in (2.5, "4", True, -1):
        with pytest.raises(ValueError, match="expected an int, 1 or more calls"):
            probe(ADAMW, PARAMS, micro_steps=wrong)


def test_accumulation_anywhere_is_found():
    inner = optax.MultiSteps(optax.apply_every(2), 3).gradient_transformation()
    tx = optax.chain(inner, optax.add_decayed_weights(-1e-3))
    found = probe(tx, PARAMS, steps=3)["kernel"]
    np.testing.assert_allclose(found.rates, 6e-3, rtol=1e-9)
    with pytest.raises(ValueError, match="the number of micro-steps is another one, 6"):
        probe(tx, PARAMS, steps=1, micro_steps=3)
    endless = optax.chain(optax.apply_every(10**6))
    with pytest.raises(ValueError, match="not completed a step"):
        probe(endless, PARAMS)


def test_what_is_no_optimiser():
    with pytest.raises(ValueError, match="tx is 'adam', which has no init and update"):
        probe("adam", PARAMS)
    with pytest.raises(ValueError, match="call it first"):
        probe(optax.adam, PARAMS)


def test_integers_keys_and_missing_leaves_are_left_alone():
    params = {
        "w": np.ones(3),
        "n": np.arange(3),
        "flag": np.array(True),
        "none": None,
        "masked": optax.MaskedNode(),
        "empty": np.zeros((0, 2)),
    }
    tx = optax.chain(optax.sgd(0.1, 0.9), optax.add_decayed_weights(-0.01))
    masked = optax.masked(tx, {**dict.fromkeys(params, False), "w": True, "none": None})
    found = probe(masked, params, steps=3)
    assert found.kinds == {"w": "rate"}


def test_missing_updates_are_frozen():
    def update(updates, state, params=None):
        return {**updates, "bias": None}, state

    tx = optax.chain(ADAMW, optax.GradientTransformation(lambda _: optax.EmptyState(), update))
    assert probe(tx, PARAMS, steps=2).kinds == {"kernel": "rate", "bias": "frozen"}


def test_a_tree_of_any_kind():
    assert list(probe(ADAMW, [np.ones(2), (np.ones(3),)], steps=1).kinds) == ["0", "1/0"]
    assert list(probe(ADAMW, np.ones(2), steps=1).kinds.values()) == ["rate"]
    shapes = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, PARAMS))
    assert probe(ADAMW, shapes, steps=1).kinds == dict.fromkeys(PARAMS, "rate")


def test_complex_leaves_and_none_at_all():
    with pytest.raises(ValueError, match="'w' is complex"):
        probe(ADAMW, {"w": np.ones(2, complex)})
    with pytest.raises(ValueError, match="no floating-point leaf: n"):
        probe(ADAMW, {"n": np.arange(2)})
    with pytest.raises(ValueError, match=r"\(no leaf\)"):
        probe(ADAMW, {})


def test_what_an_update_needs_besides():
    tx = optax.chain(optax.polyak_sgd(1.0), optax.add_decayed_weights(-0.01))
    with pytest.raises(ValueError, match=r"probe\(tx, params, value=1.0\)"):
        probe(tx, PARAMS)
    found = probe(tx, PARAMS, steps=2, value=1.0)
    assert found.kinds == dict.fromkeys(PARAMS, "rate")
    np.testing.assert_allclose(found["kernel"].rates, 0.01, rtol=1e-9)


def test_an_optimiser_that_does_not_fit_the_parameters():
    tx = optax.adamw(0.1, mask={"other": True})
    with pytest.raises(ValueError, match="the optimiser failed at these parameters"):
        probe(tx, PARAMS)


def test_a_state_that_changes_its_structure():
    tx = optax.GradientTransformation(lambda _: {}, lambda u, s, p=None: (u, {"n": jnp.zeros(())}))
    with pytest.raises(ValueError, match="changes the structure"):
        probe(tx, PARAMS)


def test_the_table_puts_equal_answers_on_one_line():
    params = {name: np.ones(2) for name in "abcde"}
    mask = {name: name != "e" for name in params}
    lines = str(probe(optax.adamw(0.01, weight_decay=0.1, mask=mask), params, steps=2)).splitlines()
    assert lines == [
        "a, b and 2 more  removes the fraction 0.001 per step",
        "e                no decay",
    ]


def test_the_course_of_a_schedule_in_words():
    tx = optax.adamw(optax.linear_schedule(0.01, 0.0, 10), weight_decay=0.1)
    text = str(probe(tx, PARAMS, steps=[0, 5, 9])["kernel"])
    assert text == "removes the fraction 0.001 (step 0), 0.0001 (step 9) per step"


def test_plain_values_and_a_table_for_notebooks():
    found = probe(optax.chain(optax.add_decayed_weights(0.1), optax.adam(0.1)), PARAMS, steps=2)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["leaves"][1]["name"] == "kernel"
    np.testing.assert_allclose(values["leaves"][1]["strengths"], 0.1)
    assert "<td>bias, kernel</td>" in found._repr_html_()


def test_the_caller_s_precision_is_left_as_it_was():
    with jax.enable_x64(False):
        probe(ADAMW, PARAMS, steps=1)
        assert jnp.ones(2, float).dtype == jnp.float32
