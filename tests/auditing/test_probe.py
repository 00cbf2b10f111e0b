"""The probe against optimisers whose decay a person has read from their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optax import contrib

import wdjax
from tests.auditing import optimisers as local
from wdjax import groups, rates, transforms
from wdjax.auditing import probe

PARAMS = {
    "kernel": np.random.default_rng(0).normal(size=(3, 4)) / 3,
    "bias": np.zeros(4),
    "scale": np.ones(4),
    "temperature": np.float64(2.0),
}
STEPS = 30
COUNTS = np.array([0, 1, 5, 12, 29])
LR, WD, S = 0.01, 0.3, 0.02


def varying(step):
    """A warm-up from zero and a drop, in float64."""
    step = jnp.asarray(step, float)
    return LR * jnp.minimum(step / 5, 1) * jnp.where(step < 20, 1, 0.1)


VARYING = LR * np.minimum(COUNTS / 5, 1) * np.where(COUNTS < 20, 1, 0.1)
CONSTANT = np.full(len(COUNTS), LR)
L2 = optax.add_decayed_weights(S)
L1 = local.coupled_l1(S)
VECTORS = {name: np.size(leaf) > 1 for name, leaf in PARAMS.items()}
DECAY = optax.add_decayed_weights(-1e-4)
SGD = optax.sgd(LR, 0.9)
MULTI = optax.MultiSteps(optax.chain(L2, optax.adam(LR)), 4)

# Name: optimiser, kind, rates ρ_t, strengths s_t (a number stands for all steps).
KNOWN = {
    "sgd": (optax.sgd(LR, 0.9), "none", 0, 0),
    "adam": (optax.adam(LR), "none", 0, 0),
    "adam, varying": (optax.adam(varying), "none", 0, None),
    "adabelief": (optax.adabelief(LR), "none", 0, 0),
    "amsgrad": (optax.amsgrad(LR), "none", 0, 0),
    "lamb without decay": (optax.lamb(LR), "none", 0, 0),
    "adafactor without decay": (optax.adafactor(LR), "none", 0, 0),
    "novograd without decay": (optax.novograd(LR), "none", 0, 0),
    "muon without decay": (contrib.muon(LR), "none", 0, 0),
    "normalised": (optax.chain(optax.normalize_by_update_norm(), optax.sgd(LR)), "none", 0, 0),
    "tangent": (
        optax.chain(transforms.project_tangent(groups.per_leaf(VECTORS)), optax.sgd(LR, 0.9)),
        "none",
        0,
        0,
    ),
    "tangent of the decayed": (
        optax.chain(L2, transforms.project_tangent(groups.per_leaf(VECTORS)), optax.sgd(LR, 0.9)),
        {**dict.fromkeys(PARAMS, "none"), "temperature": "coupled_l2"},
        0,
        None,
    ),
    "adamw": (optax.adamw(LR, weight_decay=WD), "rate", LR * WD, 0),
    "adamw, varying": (optax.adamw(varying, weight_decay=WD), "rate", WD * VARYING, None),
    "lion": (optax.lion(varying, weight_decay=WD), "rate", WD * VARYING, None),
    "adamaxw": (optax.adamaxw(LR, weight_decay=WD), "rate", LR * WD, 0),
    "nadamw": (optax.nadamw(LR, weight_decay=WD), "rate", LR * WD, 0),
    "adan": (optax.adan(LR, weight_decay=WD), "rate", LR * WD, 0),
    "ademamix": (contrib.ademamix(LR, weight_decay=WD), "rate", LR * WD, 0),
    "adafactor": (optax.adafactor(varying, weight_decay_rate=1e-3), "rate", 1e-3, None),
    "muon": (
        contrib.muon(varying, weight_decay=WD, adam_weight_decay=WD),
        "rate",
        WD * VARYING,
        None,
    ),
    "lamb": (optax.lamb(varying, weight_decay=WD), "rate", VARYING, None),
    "fromage": (optax.fromage(LR), "rate", 1 - 1 / np.sqrt(1 + LR**2), 0),
    "sgdw": (transforms.sgdw(varying, WD, 0.9), "rate", WD * VARYING, None),
    "wdjax.adamw": (transforms.adamw(varying, weight_decay=WD), "rate", WD * VARYING, None),
    "plain sgd with L2": (optax.chain(L2, optax.sgd(LR)), "rate", LR * S, 0),
    "sgd with L2": (optax.chain(L2, optax.sgd(varying, 0.9)), "coupled_l2", 0, S),
    "sgd_l2": (transforms.sgd_l2(varying, S, 0.9, nesterov=True), "coupled_l2", 0, S),
    "adam with L2": (optax.chain(L2, optax.adam(varying)), "coupled_l2", 0, S),
    "adam without momentum": (optax.chain(L2, optax.adam(LR, b1=0.0)), "coupled_l2", 0, S),
    "lion with L2": (optax.chain(L2, optax.lion(LR, weight_decay=0.0)), "coupled_l2", 0, S),
    "muon with L2": (optax.chain(L2, contrib.muon(LR)), "coupled_l2", 0, S),
    "adafactor with L2": (optax.chain(L2, optax.adafactor(LR)), "coupled_l2", 0, S),
    "rmsprop with L2": (optax.chain(L2, optax.rmsprop(LR)), "coupled_l2", 0, S),
    "sign descent with L2": (optax.chain(L2, optax.sign_sgd(LR)), "coupled_l2", 0, S),
    "adadelta": (optax.adadelta(LR, weight_decay=S), "coupled_l2", 0, S),
    "lars": (optax.lars(LR, weight_decay=S), "coupled_l2", 0, S),
    "madgrad": (contrib.madgrad(LR, weight_decay=S), "coupled_l2", 0, S),
    "clipped, no momentum": (
        optax.chain(L2, optax.clip_by_global_norm(1.0), optax.sgd(LR)),
        "coupled_l2",
        0,
        S,
    ),
    "clipped entry by entry, no momentum": (
        optax.chain(L2, optax.clip(0.1), optax.sgd(LR)),
        "coupled_l2",
        0,
        S,
    ),
    "clipped": (
        optax.chain(L2, optax.clip_by_global_norm(1e-3), optax.sgd(LR, 0.9)),
        "coupled_l2",
        0,
        S,
    ),
    "adamw with L2": (
        optax.chain(L2, optax.adamw(varying, weight_decay=WD)),
        "coupled_and_decoupled",
        WD * VARYING,
        S,
    ),
    "lion with both": (
        optax.chain(L2, optax.lion(LR, weight_decay=WD)),
        "coupled_and_decoupled",
        LR * WD,
        S,
    ),
    "sgd with both": (
        optax.chain(L2, optax.sgd(LR, 0.9), DECAY),
        "coupled_and_decoupled",
        1e-4,
        S,
    ),
    "sign descent with both": (
        optax.chain(L2, optax.sign_sgd(LR), DECAY),
        "coupled_and_decoupled",
        1e-4,
        S,
    ),
    "adam with L1": (optax.chain(L1, optax.adam(LR)), "coupled_l1", 0, S),
    "sgd with L1": (optax.chain(L1, optax.sgd(LR, 0.9)), "coupled_l1", 0, S),
    "sgd with L1 and decay": (optax.chain(L1, optax.sgd(LR, 0.9), DECAY), "coupled_l1", 1e-4, S),
    "cautious": (optax.chain(optax.adam(LR), local.cautious(0.01)), "cautious", 0.01, 0),
    "cautious, strictly": (
        optax.chain(optax.sgd(LR, 0.9), local.cautious(0.01, strict=True)),
        "cautious",
        0.01,
        0,
    ),
    "optimistic": (optax.chain(L2, optax.optimistic_gradient_descent(LR)), "coupled_l2", 0, S),
    "negative momentum": (
        optax.chain(L2, optax.trace(-0.5), optax.scale(-LR)),
        "coupled_l2",
        0,
        S,
    ),
    "optimistic with L1": (
        optax.chain(L1, optax.optimistic_gradient_descent(LR)),
        "coupled_l1",
        0,
        S,
    ),
    "acprop": (optax.chain(contrib.acprop(LR), DECAY), "rate", 1e-4, 0),
    "apply_every": (optax.chain(L2, optax.adam(LR), optax.apply_every(4)), "coupled_l2", 0, S),
    "norm kept, then decay": (
        optax.chain(SGD, local.keep_norm(), optax.add_decayed_weights(-1e-3)),
        "rate",
        1e-3,
        0,
    ),
    "norm kept of adam, then decay": (
        optax.chain(optax.adam(0.05), local.keep_norm(), DECAY),
        "rate",
        1e-4,
        0,
    ),
    "novograd": (optax.novograd(LR, weight_decay=WD), "buffered", LR * WD, 0),
    "growing": (optax.chain(optax.adam(LR), optax.add_decayed_weights(0.01)), "rate", -0.01, 0),
    "L2 the wrong way": (
        optax.chain(optax.add_decayed_weights(-S), optax.adam(LR)),
        "coupled_l2",
        0,
        -S,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_a_person_reads_from_the_definition(name):
    tx, kind, rate, strength = KNOWN[name]
    found = probe(tx, PARAMS, steps=COUNTS)
    assert found.kinds == (kind if isinstance(kind, dict) else dict.fromkeys(PARAMS, kind))
    for leaf in found.leaves.values():
        np.testing.assert_allclose(leaf.rates, np.broadcast_to(rate, len(COUNTS)), rtol=1e-10)
        if strength is not None:
            seen = leaf.strengths[~leaf.idle]
            np.testing.assert_allclose(seen, strength, rtol=1e-10)


CONVENTIONS = {
    "lr_coupled": (rates.lr_coupled(WD, varying), WD * VARYING),
    "scheduled": (rates.scheduled(WD, varying, peak=LR), WD * VARYING / LR),
    "independent": (rates.independent(1e-3), 1e-3),
    "corrected": (rates.corrected(WD, varying, peak=LR), WD * VARYING**2 / LR),
    "squared": (rates.squared(WD, varying), WD * VARYING**2),
    "timescale": (rates.timescale(100), 0.01),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_each_convention_of_decoupled_decay(name):
    rate, expected = CONVENTIONS[name]
    tx = optax.chain(optax.sgd(varying, 0.9), transforms.decoupled_decay(rate))
    found = probe(tx, PARAMS, steps=COUNTS)["kernel"]
    assert found.kind == "rate"
    np.testing.assert_allclose(found.rates, np.broadcast_to(expected, len(COUNTS)), rtol=1e-10)


def wrapped(wrapper):
    decoupled = optax.adamw(LR, weight_decay=WD)
    coupled = optax.chain(L2, optax.adam(LR))
    return tuple(probe(wrapper(tx), PARAMS, steps=[0, 4]) for tx in (decoupled, coupled))


@pytest.mark.parametrize(
    "wrapper",
    [
        wdjax.tracked,
        lambda tx: optax.apply_if_finite(tx, 3),
        lambda tx: optax.MultiSteps(tx, 3),
        lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx),
        lambda tx: optax.flatten(tx),
        lambda tx: optax.partition({"all": tx}, lambda tree: jax.tree.map(lambda _: "all", tree)),
        lambda tx: optax.masked(tx, dict.fromkeys(PARAMS, True)),
    ],
    ids=["tracked", "finite", "MultiSteps", "clip", "flatten", "partition", "masked"],
)
def test_wrappers_change_nothing(wrapper):
    decoupled, coupled = wrapped(wrapper)
    for name in PARAMS:
        assert decoupled[name].kind == "rate"
        np.testing.assert_allclose(decoupled[name].rates, LR * WD, rtol=1e-6)
        assert coupled[name].kind == "coupled_l2"
        np.testing.assert_allclose(coupled[name].strengths, S, rtol=1e-6)


def test_injected_hyperparameters_and_their_schedules():
    schedule = optax.linear_schedule(0.0, LR, 10)
    tx = optax.inject_hyperparams(optax.adamw)(schedule, weight_decay=WD)
    found = probe(tx, PARAMS, steps=[0, 5, 20])["kernel"]
    assert found.kind == "rate"
    np.testing.assert_allclose(found.rates, WD * LR * np.array([0, 0.5, 1]), rtol=1e-6)


@pytest.mark.parametrize(
    "tx",
    [
        optax.chain(optax.clip_by_global_norm(1.0), MULTI.gradient_transformation()),
        optax.partition({"all": MULTI.gradient_transformation()}, dict.fromkeys(PARAMS, "all")),
        optax.inject_hyperparams(
            lambda rate: optax.MultiSteps(optax.chain(L2, optax.adam(rate)), 4)
        )(LR),
    ],
    ids=["chain", "partition", "inject"],
)
def test_accumulation_within_an_optimiser(tx):
    """Optax averages micro-gradients with factors in float32."""
    found = probe(tx, PARAMS, steps=5)
    assert found.kinds == dict.fromkeys(PARAMS, "coupled_l2")
    for leaf in found.leaves.values():
        np.testing.assert_allclose(leaf.strengths, S, rtol=1e-6)


def test_decay_once_per_accumulated_step_and_on_every_micro_step():
    once = optax.MultiSteps(optax.adamw(LR, weight_decay=WD), 4).gradient_transformation()
    np.testing.assert_allclose(
        probe(once, PARAMS, steps=5, micro_steps=4)["kernel"].rates, LR * WD, rtol=1e-6
    )
    inner = optax.MultiSteps(optax.adam(LR), 4).gradient_transformation()
    every = optax.chain(inner, optax.add_decayed_weights(-1e-3))
    np.testing.assert_allclose(
        probe(every, PARAMS, steps=5, micro_steps=4)["kernel"].rates, 4e-3, rtol=1e-6
    )


def test_leaves_have_answers_of_their_own():
    tx = optax.partition(
        {
            "coupled": optax.chain(L2, optax.sgd(LR, 0.9)),
            "strongly coupled": optax.chain(optax.add_decayed_weights(7 * S), optax.adam(LR)),
            "decoupled": optax.adamw(LR, weight_decay=WD),
            "frozen": optax.set_to_zero(),
        },
        {
            "kernel": "coupled",
            "bias": "frozen",
            "scale": "strongly coupled",
            "temperature": "decoupled",
        },
    )
    found = probe(optax.chain(optax.clip_by_global_norm(1.0), tx), PARAMS, steps=9)
    assert found.kinds == {
        "kernel": "coupled_l2",
        "bias": "frozen",
        "scale": "coupled_l2",
        "temperature": "rate",
    }
    np.testing.assert_allclose(found["kernel"].strengths, S, rtol=1e-9)
    np.testing.assert_allclose(found["scale"].strengths, 7 * S, rtol=1e-9)
    np.testing.assert_allclose(found["temperature"].rates, LR * WD, rtol=1e-9)


def test_a_mask():
    mask = {"kernel": True, "bias": False, "scale": False, "temperature": False}
    found = probe(optax.adamw(LR, weight_decay=WD, mask=mask), PARAMS, steps=5)
    assert found.kinds == {n: "rate" if chosen else "none" for n, chosen in mask.items()}


def test_a_schedule_of_the_strength():
    tx = optax.chain(optax.add_decayed_weights(lambda t: 0.01 * jnp.asarray(t, float)), SGD)
    found = probe(tx, PARAMS, steps=COUNTS)["kernel"]
    assert found.kind == "coupled_l2"
    np.testing.assert_allclose(found.strengths, 0.01 * COUNTS, rtol=1e-9, atol=1e-15)


@settings(max_examples=15)
@given(
    strength=st.floats(1e-6, 10),
    rate=st.floats(1e-5, 0.5),
    momentum=st.floats(0.1, 0.99),
    learning_rate=st.floats(1e-4, 1),
)
def test_any_strength_beside_any_rate(strength, rate, momentum, learning_rate):
    tx = optax.chain(
        optax.add_decayed_weights(strength),
        optax.sgd(learning_rate, momentum),
        optax.add_decayed_weights(-rate),
    )
    found = probe(tx, {"w": PARAMS["kernel"]}, steps=[3])["w"]
    np.testing.assert_allclose(found.strengths, strength, rtol=1e-6)
    np.testing.assert_allclose(found.rates, rate, rtol=1e-6)


def test_plain_sgd_makes_no_difference_between_coupled_and_decoupled():
    for tx in (optax.chain(L2, optax.sgd(LR)), optax.chain(optax.sgd(LR), DECAY)):
        found = probe(tx, PARAMS, steps=5)["kernel"]
        assert found.equivalent is not None
        np.testing.assert_allclose(found.equivalent, found.rates / LR, rtol=1e-9)
        assert "the same function as coupled L2" in str(found)
    assert probe(optax.adamw(LR), PARAMS, steps=5)["kernel"].equivalent is None
    assert probe(optax.fromage(LR), PARAMS, steps=5)["kernel"].equivalent is None


@pytest.mark.parametrize("base", [contrib.acprop(LR), optax.set_to_zero(), optax.adam(0.0)])
def test_a_decay_that_is_no_coupled_one(base):
    """Of acprop the first step alone is that of plain SGD; the others never move."""
    found = probe(optax.chain(base, DECAY), PARAMS, steps=5)["kernel"]
    assert found.equivalent is None
    assert str(found) in (
        "removes the fraction 0.0001 per step",
        "removes the fraction 0.0001 per step; no gradient moves it at step 0, 1, 2, 3, 4",
    )


def test_what_is_lost_per_step_with_full_buffers():
    found = probe(optax.chain(L2, SGD), PARAMS, steps=[400])["kernel"]
    np.testing.assert_allclose(found.removed, LR * S / (1 - 0.9), rtol=1e-9)


def test_l1_without_memory_is_an_amount():
    for tx in (optax.chain(L1, optax.sgd(LR)), optax.chain(SGD, local.amount(LR * S))):
        found = probe(tx, PARAMS, steps=5)
        assert found.kinds == dict.fromkeys(PARAMS, "l1")
        np.testing.assert_allclose(found["kernel"].amounts, LR * S, rtol=1e-9)


class TestWhichEntriesCautiousDecayChooses:
    def test_by_the_update(self):
        tx = optax.chain(optax.sgd(LR, 0.9), local.cautious(0.01))
        assert "the update brings nearer" in probe(tx, PARAMS, steps=5)["kernel"].note

    def test_the_wrong_way(self):
        tx = optax.chain(optax.sgd(LR, 0.9), local.cautious(0.01, toward=False))
        assert "the update takes away" in probe(tx, PARAMS, steps=5)["kernel"].note

    def test_by_the_gradient(self):
        tx = local.cautious_by_gradient(0.01, optax.sgd(LR, 0.9))
        assert "gradient's descent brings nearer" in probe(tx, PARAMS, steps=5)["kernel"].note


def test_a_decay_that_a_gradient_rescales_is_said_to_be_one():
    assert "a gradient rescales" in probe(optax.lamb(LR, weight_decay=WD), PARAMS)["kernel"].note
    kept = probe(optax.chain(SGD, local.keep_norm(), DECAY), PARAMS)["kernel"]
    assert "depends on the weights in another way" in kept.note
    assert not probe(optax.adafactor(LR, weight_decay_rate=1e-3), PARAMS)["kernel"].note


def test_a_step_without_learning_rate_is_said_to_be_idle():
    found = probe(optax.adam(varying), PARAMS, steps=[0, 5])["kernel"]
    np.testing.assert_array_equal(found.idle, [True, False])
    assert str(found) == "no decay; no gradient moves it at step 0"
    assert probe(optax.sgd(0.0), PARAMS)["kernel"].kind == "frozen"


def test_updates_whatever_the_weights_are_no_decay():
    with pytest.warns(UserWarning, match="key will be required"):
        tx = optax.noisy_sgd(LR)
    found = probe(tx, PARAMS, steps=5)["kernel"]
    assert found.kind == "none"
    assert found.note == "at zero gradient it drifts, whatever the weights are"


def test_a_drift_beside_a_decay_is_not_a_point():
    tx = optax.chain(optax.adamw(LR, weight_decay=WD), optax.add_noise(0.1, 0.5, 0))
    found = probe(tx, {"kernel": PARAMS["kernel"]}, steps=5)["kernel"]
    assert found.kind == "unknown"
    assert "drifts" in found.note
    assert "point" not in found.note


@pytest.mark.parametrize("value", [1.0, -2.0])
def test_a_leaf_of_one_number(value):
    """What is seen of it fits many rules; what is said must be one of those that it is."""
    params = {"w": np.full(1, value)}

    def kind(*parts):
        return probe(optax.chain(*parts), params, steps=3)["w"].kind

    assert kind(optax.adam(LR), local.cautious(0.01)) == "cautious"
    assert kind(optax.adam(LR), local.amount(0.01)) == "l1"
    assert kind(optax.sgd(LR), optax.keep_params_nonnegative()) == "unknown"
    assert kind(optax.adam(LR), local.while_small(0.01)) == "rate"
    assert kind(optax.adam(LR), local.other_rates(0.01)) not in ("cautious", "l1")


class TestUnknown:
    @pytest.mark.parametrize(
        ("tx", "why"),
        [
            (local.normalised(), "not finite"),
            (optax.chain(SGD, local.cubic()), "not proportional to weights"),
            (optax.chain(local.cubic(), optax.adam(LR)), "not as L2 or L1"),
            (optax.chain(SGD, local.alternating(0.01, 0.01)), "different things"),
            (contrib.schedule_free_adamw(LR), "that gradients move"),
            (contrib.schedule_free_adamw(LR, weight_decay=WD), "weights enter its memory"),
            (contrib.prodigy(weight_decay=WD), "not finite"),
            (optax.chain(optax.sgd(LR), optax.keep_params_nonnegative()), "not proportional"),
            (optax.chain(L2, local.to_initial(0.01), optax.adam(LR)), "not as L2 or L1"),
        ],
    )
    def test_what_is_none_of_these(self, tx, why):
        found = probe(tx, {"kernel": PARAMS["kernel"]}, steps=6)["kernel"]
        assert found.kind == "unknown"
        assert why in found.note
        assert not found.decays
