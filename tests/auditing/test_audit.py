"""The audit of whole set-ups: against the theory, against walks and against real training."""

import dataclasses
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

import wdjax
from wdjax import transforms
from wdjax.theory.null_model import simulate

ETA, LAM, MU = 0.05, 0.01, 0.9
LR, WD, B1 = 1e-2, 0.05, 0.9
SHAPE = (12, 16)
D = SHAPE[0] * SHAPE[1]
G = 3.0
L2 = optax.add_decayed_weights(LAM)
RNG = np.random.default_rng(0)


def blind(params, noise):
    """A loss that is blind to the scale of each leaf and has nothing to teach it."""
    return sum(jnp.vdot(noise[n], w / jnp.sqrt(jnp.sum(w**2))) for n, w in params.items())


def weights(names, norm=2.0):
    drawn = {n: RNG.normal(size=SHAPE) for n in names}
    return {n: norm * w / np.linalg.norm(w) for n, w in drawn.items()}


def noise_of(params, moment):
    """Noise such that ‖w‖²‖g‖² is G."""

    def of(w):
        z = RNG.normal(size=w.shape)
        z = z - w * np.vdot(w, z) / np.vdot(w, w)
        return np.sqrt(moment) * z / np.linalg.norm(z)

    return {n: of(w) for n, w in params.items()}


def numbers(*args, **kwargs):
    """An audit without the linter, which takes as long as all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["wdjax.auditing.audit"], "lint", lambda *_: ())
        return wdjax.audit(*args, **kwargs)


# Optimiser, ‖w‖² at equilibrium, angle per step, relaxation, η, and its power of 1/‖w‖.
FORMULAS = {
    "sgd": (
        optax.chain(L2, optax.sgd(ETA)),
        np.sqrt(ETA * G / (2 * LAM)),
        np.sqrt(2 * ETA * LAM),
        1 / (4 * ETA * LAM),
        (ETA, 2),
    ),
    "heavy ball": (
        optax.chain(L2, optax.sgd(ETA, MU)),
        np.sqrt(ETA * G / (2 * LAM * (1 - MU))),
        np.sqrt(2 * ETA * LAM / (1 + MU)),
        (1 - MU) / (4 * ETA * LAM),
        (ETA, 2),
    ),
    "sgdw": (
        transforms.sgdw(ETA, LAM, MU),
        np.sqrt(ETA * G / (2 * LAM)) / (1 - MU),
        np.sqrt(2 * ETA * LAM * (1 - MU) / (1 + MU)),
        1 / (4 * ETA * LAM),
        (ETA, 2),
    ),
    "adamw": (
        optax.adamw(LR, B1, weight_decay=WD),
        LR * D / (2 * WD),
        np.sqrt(2 * LR * WD * (1 - B1) / (1 + B1)),
        1 / (2 * LR * WD),
        (LR, 1),
    ),
    "adam with L2": (
        optax.chain(optax.add_decayed_weights(1e-5), optax.adam(LR, B1)),
        (LR * np.sqrt(D * G) / (2 * 1e-5)) ** (2 / 3),
        (2 * LR**2 * 1e-5 * D / np.sqrt(G)) ** (1 / 3) * np.sqrt((1 - B1) / (1 + B1)),
        None,
        (LR, 1),
    ),
    "sign": (
        optax.chain(optax.sign_sgd(LR), optax.add_decayed_weights(-LR * WD)),
        LR * D / (2 * WD),
        np.sqrt(2 * LR * WD),
        1 / (2 * LR * WD),
        (LR, 1),
    ),
}
WALKED = {
    "muon": contrib.muon(LR, weight_decay=0.1),
    "clipped": optax.chain(optax.clip_by_global_norm(0.1), L2, optax.sgd(ETA, MU)),
    "lion": optax.lion(LR, weight_decay=0.1),
}


@pytest.fixture(scope="module")
def audited():
    """All optimisers in one audit, each on a leaf of its own."""
    with jax.enable_x64(True):
        rules = {name: row[0] for name, row in FORMULAS.items()} | WALKED
        params = weights(rules)
        tx = optax.partition(rules, {n: n for n in rules})
        return numbers(blind, params, noise_of(params, G), tx, steps=3000)


@pytest.mark.parametrize("name", FORMULAS)
def test_an_equilibrium_is_that_of_the_theory(audited, name):
    _, square, angle, relaxation, (eta, power) = FORMULAS[name]
    verdict = audited[name]
    assert verdict.role == "learning_rate"
    assert verdict.gradient_moment == pytest.approx(G, rel=1e-6)
    assert verdict.equilibrium_norm == pytest.approx(np.sqrt(square), rel=0.02)
    assert verdict.angle == pytest.approx(angle, rel=0.03)
    if relaxation is not None:
        assert verdict.relaxation_steps == pytest.approx(relaxation, rel=1e-4)
    assert verdict.effective_lr == pytest.approx(eta / 2.0**power, rel=2e-3)
    then = eta / square ** (power / 2)
    assert verdict.settled_effective_lr == pytest.approx(then, rel=0.04)


@pytest.mark.parametrize("name", WALKED)
def test_an_equilibrium_is_that_of_a_walk(audited, name):
    verdict = audited[name]
    walk = jax.jit(
        lambda: simulate(
            jax.random.key(1),
            WALKED[name],
            gradient_moment=G,
            norm=0.7 * verdict.equilibrium_norm,
            shape=SHAPE,
            steps=2000,
            discard=2500,
            walkers=8,
        )
    )()
    # It begins far from the equilibrium, 5 relaxation times or more before it counts.
    assert 4.9 * verdict.relaxation_steps <= 2500
    assert verdict.equilibrium_norm == pytest.approx(np.sqrt(np.mean(walk.norm**2)), rel=0.05)
    assert verdict.angle == pytest.approx(np.sqrt(np.mean(walk.angle**2)), rel=0.05)


def test_the_way_to_the_equilibrium(audited):
    # d‖w‖⁴/dt = 4 ρ (‖w‖⁴_eq − ‖w‖⁴) for SGD, from 2 to within 10% of the norm.
    verdict = audited["sgd"]
    there = verdict.equilibrium_norm**4
    near = there * (1.1**-4 if verdict.norm < verdict.equilibrium_norm else 1.1**4)
    expected = verdict.relaxation_steps * np.log((there - 2.0**4) / (there - near))
    assert verdict.settling_steps == pytest.approx(expected, rel=0.01)


def batch_normed(params, x, y):
    for name in ("first", "second"):
        x = x @ params[name]
        x = jax.nn.relu((x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-12))
    return optax.softmax_cross_entropy_with_integer_labels(x @ params["head"], y).mean()


def trained(tx, params, x, y, steps):
    """Trains; returns the parameters and, of "first", ‖w‖², angle² and G over the last half."""

    def turned(a, b):
        a, b = (w / jnp.linalg.norm(w, axis=0) for w in (a, b))
        return 2 * jnp.arctan2(jnp.linalg.norm(a - b, axis=0), jnp.linalg.norm(a + b, axis=0))

    def step(carry, key):
        params, state = carry
        chosen = jax.random.randint(key, (64,), 0, len(x))
        gradient = jax.grad(batch_normed)(params, x[chosen], y[chosen])
        updates, state = tx.update(gradient, state, params)
        after = optax.apply_updates(params, updates)
        w, g = params["first"], gradient["first"]
        seen = (jnp.sum(w**2), turned(w, after["first"]) ** 2, jnp.sum(w**2, 0) * jnp.sum(g**2, 0))
        return (after, state), seen

    keys = jax.random.split(jax.random.key(1), steps)
    (params, _), seen = jax.jit(lambda c: jax.lax.scan(step, c, keys))((params, tx.init(params)))
    square, angle, moment = (np.asarray(v)[steps // 2 :] for v in seen)
    return params, np.mean(square), np.mean(angle), np.mean(moment, axis=0)


@pytest.mark.parametrize(
    ("tx", "power", "close"),
    [
        # ‖w‖ goes with G^(1/4) under SGD; under AdamW it knows no G, and gradients have a memory.
        (optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.1, 0.9)), 0.25, (0.03, 0.03)),
        (optax.adamw(1e-2, weight_decay=0.2), 0.0, (0.12, 0.06)),
    ],
)
def test_real_training_comes_to_the_audited_equilibrium(tx, power, close):
    keys = jax.random.split(jax.random.key(0), 5)
    shapes = {"first": (16, 24), "second": (24, 24), "head": (24, 4)}
    params = {
        n: jax.random.normal(key, shape) / np.sqrt(shape[0])
        for key, (n, shape) in zip(keys, shapes.items(), strict=False)
    }
    x = jax.random.normal(keys[3], (2048, 16))
    y = jax.random.randint(keys[4], (2048,), 0, 4)
    params, square, angle, moment = trained(tx, params, x, y, 3000)
    found = numbers(batch_normed, params, (x[:64], y[:64]), tx, steps=3000)
    verdict = found["first"]
    now = np.sum(found.evidence.gradients["first"] ** 2, 0) * np.sum(params["first"] ** 2, 0)
    # To G as it was in training, channel by channel.
    scale = (np.sum(np.sqrt(moment)) / np.sum(np.sqrt(now))) ** (2 * power)
    norm, turn = close
    assert verdict.equilibrium_norm * scale == pytest.approx(np.sqrt(square), rel=norm)
    assert verdict.angle == pytest.approx(np.sqrt(angle), rel=turn)
    assert verdict.axes == (1,)


def rms(y):
    return y / jnp.sqrt(jnp.mean(y**2, -1, keepdims=True))


def two_layers(params, x, y):
    for name in ("first", "second"):
        x = jax.nn.relu(rms(x @ params[name]))
    return jnp.mean((x @ params["head"] - y) ** 2), {"features": x}


PARAMS = {
    "first": RNG.normal(size=(8, 8)),
    "second": RNG.normal(size=(8, 8)),
    "head": RNG.normal(size=(8,)),
    "count": np.arange(3),
}
BATCH = (RNG.normal(size=(16, 8)), RNG.normal(size=16))


@pytest.fixture(scope="module")
def small():
    with jax.enable_x64(True):
        tx = optax.adamw(3e-4, weight_decay=0.1)
        return wdjax.audit(two_layers, PARAMS, BATCH, tx, steps=20_000)


def test_the_report_merges_what_is_alike(small):
    text = str(small)
    assert text.startswith("Weight decay of 3 leaves in 20,000 steps")
    assert "decay controls the learning rate: first, second" in text
    assert "decay regularises: head" in text
    assert f"turns by {small['first'].angle:.3g}" in text
    assert "removes 3e-05 of the weight per step: a memory of 33,333 steps" in text
    assert [row.names for row in small.rows()] == [("first", "second"), ("head",)]


def test_the_report_of_findings(small):
    finding = wdjax.auditing.Finding("WD999", "warning", ("first",), "x < y", "do it")
    found = wdjax.auditing.Audit(small.verdicts, (finding,), small.evidence)
    assert "WD999 warning: x < y\n    at first\n    fix: do it" in str(found)
    assert "x &lt; y" in found._repr_html_()
    assert not found.ok
    assert wdjax.auditing.Audit(small.verdicts, (), small.evidence).ok
    note = finding._replace(severity="note")
    assert wdjax.auditing.Audit(small.verdicts, (note,), small.evidence).ok


def test_html_and_json(small):
    html = small._repr_html_()
    assert html.count("<tr>") == 3
    assert "first, second" in html
    plain = json.loads(json.dumps(small.to_dict(), allow_nan=False))
    first, _ = (v for v in plain["verdicts"] if v["role"] == "learning_rate")
    assert first["leaves"] == ["first"]
    assert first["angle"] == small["first"].angle
    head = next(v for v in plain["verdicts"] if v["name"] == "head")
    assert head["equilibrium_norm"] is None
    assert plain["steps"] == 20_000


def test_a_leaf_that_is_not_there(small):
    with pytest.raises(KeyError, match="first, head, second"):
        small["third"]


def test_without_decay_the_effective_learning_rate_falls():
    params = weights(("sgd", "adam", "sphere"))
    rules = {
        "sgd": optax.sgd(ETA),
        "adam": optax.adam(LR),
        "sphere": transforms.spherical_sgd(ETA),
    }
    tx = optax.partition(rules, {n: n for n in rules})
    found = numbers(blind, params, noise_of(params, G), tx, steps=2000)
    sgd, adam, sphere = (found[n] for n in rules)
    assert sgd.role == adam.role == sphere.role == "not_decayed"
    # ‖w‖⁴ grows by 2 η² G per step; Adam's ‖w‖² by η² d.
    grown = 2.0**4 + 2 * ETA**2 * G * 2000
    assert sgd.settled_effective_lr == pytest.approx(ETA / np.sqrt(grown), rel=0.02)
    assert adam.settled_effective_lr == pytest.approx(LR / np.sqrt(4 + LR**2 * D * 2000), rel=0.02)
    assert "falls as 1/√steps" in sgd.note
    text = str(found)
    assert "No fault was found." in text
    assert "Nothing is wrong" not in text
    assert sphere.settled_effective_lr == sphere.effective_lr
    assert "steps keep its norm" in sphere.note
    assert np.isnan(sgd.equilibrium_norm)


def warm(step):
    """Up from zero, and down again."""
    return LR * jnp.interp(jnp.asarray(step, float), jnp.array([0.0, 500, 3000]), jnp.eye(3)[1])


ODD = {
    "overshoots": optax.adamw(1.0, weight_decay=1.5),
    "long memory": optax.chain(L2, optax.sgd(1e-4, 0.999)),
    "trust ratio": optax.lamb(LR, weight_decay=WD),
    "wrong sign": optax.adamw(LR, weight_decay=-WD),
    "follows a schedule": optax.adamw(warm, weight_decay=WD),
    "falls": optax.adam(warm),
}


@pytest.fixture(scope="module")
def odd():
    with jax.enable_x64(True):
        params = weights(ODD)
        tx = optax.partition(ODD, {n: n for n in ODD})
        return numbers(blind, params, noise_of(params, G), tx, steps=3000)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("overshoots", "overshoots zero"),
        ("long memory", "remember more of the past than was looked at: no equilibrium is claimed"),
        ("trust ratio", "steps scale with the norm: no equilibrium is claimed"),
        ("wrong sign", "the wrong sign"),
    ],
)
def test_where_the_theory_does_not_reach_no_equilibrium_is_claimed(odd, name, note):
    verdict = odd[name]
    assert verdict.role == "learning_rate"
    assert note in verdict.note
    assert np.isnan(verdict.equilibrium_norm)
    assert np.isnan(verdict.angle)
    assert np.isnan(verdict.settling_steps)


def test_steps_of_a_schedule_are_counted_at_its_largest_rate(odd):
    verdict = odd["follows a schedule"]
    assert verdict.effective_steps == pytest.approx(1500, rel=0.01)
    assert "the run has 3,000, worth 1,5" in str(odd)
    assert "falls with it" in odd["falls"].note


def test_of_leaves_that_do_not_decay_alike_no_equilibrium_is_claimed():
    def joint(params, x):
        return jnp.mean((rms(x @ params["kernel"] + params["bias"]) @ x[0] - 1) ** 2)

    params = {"kernel": PARAMS["first"], "bias": PARAMS["head"]}
    tx = optax.adamw(LR, weight_decay=WD, mask={"kernel": True, "bias": False})
    verdict = numbers(joint, params, BATCH[0], tx, steps=3000)["bias"]
    assert verdict.leaves == ("bias", "kernel")
    assert verdict.role == "learning_rate"
    assert np.isnan(verdict.equilibrium_norm)
    assert np.isnan(verdict.settled_effective_lr)
    assert verdict.effective_lr > 0


def test_rows_without_a_gradient_do_not_count():
    def embedded(params, rows):
        return jnp.mean((rms(params["table"][rows]) @ BATCH[0][0] - 1) ** 2)

    params = {"table": RNG.normal(size=(50, 8))}
    tx = optax.adamw(LR, B1, weight_decay=WD)
    verdict = numbers(embedded, params, np.arange(10), tx, steps=3000)["table"]
    assert verdict.axes == (0,)
    assert verdict.norm == pytest.approx(np.linalg.norm(params["table"][:10]))
    assert verdict.equilibrium_norm == pytest.approx(np.sqrt(LR * 80 / (2 * WD)), rel=0.03)
    assert "40 of 50 indices have no gradient in this batch" in verdict.note


def test_bfloat16_weights_under_large_and_small_steps():
    params = {n: jnp.asarray(w, jnp.bfloat16) for n, w in weights(("large", "small")).items()}
    rules = {n: optax.adamw(lr, weight_decay=WD) for n, lr in (("large", LR), ("small", 3e-5))}
    tx = optax.partition(rules, {n: n for n in rules})
    found = numbers(blind, params, noise_of(weights(rules), G), tx, steps=2000)
    assert found["large"].role == "learning_rate"
    assert found["large"].equilibrium_norm == pytest.approx(np.sqrt(LR * D / (2 * WD)), rel=0.03)
    assert found["small"].role == "nothing"
    assert "steps are below rounding" in found["small"].note
    assert np.isnan(found["small"].settled_effective_lr)


def test_what_is_not_known_says_so(small):
    verdict = dataclasses.replace(small["first"], role="unknown", rate=np.nan, note="why")
    blank = ("equilibrium_norm", "angle", "effective_lr", "settled_effective_lr")
    verdict = dataclasses.replace(verdict, **dict.fromkeys(blank, np.nan))
    text = str(wdjax.auditing.Audit((verdict,), (), small.evidence))
    assert "what decay does is not known: first\n    why\n\nNo fault was found." in text


def test_a_side_that_starts_at_zero():
    def product(params, x):
        return jnp.mean(jnp.tanh(x @ params["a"] @ params["b"]))

    params = {"a": PARAMS["first"], "b": np.zeros((8, 2))}
    tx = optax.adamw(LR, weight_decay=WD)
    text = str(numbers(product, params, BATCH[0], tx, steps=100))
    assert "and 0 now: one side starts at zero" in text
    assert "falls to 1/e in 1,000 of 100 steps" in text


def test_l2_in_the_loss_counts_as_decay():
    def penalised(params, x, y):
        value, _ = two_layers(params, x, y)
        return value + LAM / 2 * jnp.sum(params["first"] ** 2)

    tx = optax.sgd(ETA, MU)
    inside = numbers(penalised, PARAMS, BATCH, tx, steps=50)
    mask = {n: n == "first" for n in PARAMS}
    coupled = optax.chain(optax.add_decayed_weights(LAM, mask), tx)
    beside = numbers(two_layers, PARAMS, BATCH, coupled, steps=50)
    for name in ("first", "second", "head"):
        one, other = inside[name], beside[name]
        assert one.role == other.role
        np.testing.assert_allclose(one.angle, other.angle, rtol=1e-6)
        np.testing.assert_allclose(one.equilibrium_norm, other.equilibrium_norm, rtol=1e-6)


GROWING = optax.MultiSteps(optax.sgd(0.1), lambda step: jnp.where(step < 5, 1, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0; expected the number of training steps"),
        ({"steps": 1.5}, "steps is 1.5"),
        ({"tx": optax.adam}, "has no init and update"),
        ({"params": {"w": jax.ShapeDtypeStruct((2,), "float32")}}, "a shape without values"),
        ({"params": {"w": np.arange(2)}}, "no floating-point leaf"),
        ({"params": {"w": np.array([1.0, np.nan])}}, "the parameters are not finite at w"),
        ({"batch": np.inf}, "the loss is inf at these parameters"),
        ({"loss": lambda p, x: p["w"]}, "expected a scalar"),
        ({"loss": lambda p, x: jnp.sum(p["w"] > 0)}, "the loss is of dtype int"),
        ({"batch": jax.ShapeDtypeStruct((), "float32")}, "the batch holds a shape without"),
        ({"params": {"w": np.ones(2), "f": jax.nn.relu}}, "'f' of the parameters.*eqx.partition"),
        ({"params": {"w": np.ones(2), "s": "relu"}}, "is 'relu', a str; expected arrays"),
        ({"params": {"w": np.ones(2), "k": jax.random.key(0)}}, "'k' is a PRNG key"),
        ({"tx": optax.lbfgs()}, "One that needs more, as L-BFGS"),
        ({"tx": contrib.reduce_on_plateau()}, "reduce_on_plateau, cannot be audited"),
        ({"tx": GROWING}, "one number as every_k_schedule"),
        ({"tx": optax.adamw(np.nan)}, "steps are not finite at leaf 'w'"),
        ({"loss": lambda p, x: jnp.sum(jnp.sqrt(0 * p["w"]))}, "its gradient is not at w"),
    ],
)
def test_bad_input(change, message):
    setup = wdjax.auditing.Setup(
        loss=lambda p, x: x * jnp.sum(p["w"] ** 2),
        params={"w": np.ones(2)},
        batch=np.float64(1.0),
        tx=optax.sgd(0.1),
        steps=10,
    )._replace(**change)
    with pytest.raises(ValueError, match=message):
        wdjax.audit(setup.loss, setup.params, setup.batch, setup.tx, steps=setup.steps)
