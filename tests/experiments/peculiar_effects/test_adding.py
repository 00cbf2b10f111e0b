import jax
import numpy as np
import pytest

from tests.experiments.peculiar_effects import cheap
from wdjax.data.addition import binary_addition
from wdjax.experiments.peculiar_effects import adding
from wdjax.training import Session

WIDTH = 8


class Oracle:
    """One network and AdamW, one array at a time, in float64."""

    def __init__(self, params):
        self.w = params
        self.m, self.v = ({k: np.zeros_like(p) for k, p in params.items()} for _ in range(2))
        self.count = 0

    def forward(self, x, epsilon):
        w, kept = self.w, []
        x = x @ w["first/kernel"] + w["first/bias"]
        for block in "0":
            inner, outer = x, x
            for part in "ab":
                z = inner @ w[f"linear_{block}{part}/kernel"] + w[f"linear_{block}{part}/bias"]
                kept.append(z)
                hat = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + epsilon)
                inner = w[f"norm_{block}{part}/gain"] * hat + w[f"norm_{block}{part}/shift"]
                if part == "a":
                    inner = np.maximum(inner, 0)
            x = np.maximum(outer + inner, 0)
        logits = x @ w["last/kernel"] + w["last/bias"]
        return logits, kept

    def step(self, gradient, decay):
        self.count += 1
        for name, g in gradient.items():
            self.w[name] = self.w[name] * (1 - 1e-3 * decay)
            self.m[name] = 0.9 * self.m[name] + 0.1 * g
            self.v[name] = 0.98 * self.v[name] + 0.02 * g**2
            m, v = self.m[name] / (1 - 0.9**self.count), self.v[name] / (1 - 0.98**self.count)
            self.w[name] = self.w[name] - 1e-3 * m / (np.sqrt(v) + 1e-3)


def flat(tree):
    return {
        "/".join(key.key for key in path): np.asarray(leaf, np.float64)
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
    }


@pytest.fixture(scope="module")
def trained():
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(jax, "jit", cheap.jit)
    runs = adding.Runs(*map(np.float32, [(0.5, 0), (1e-2, 1e-4), (0, 0)]), np.int32((7, 7)))
    arrays = adding.train(runs, adding.Scheme(1, WIDTH, blocks=1), Session(), "networks")
    monkeypatch.undo()
    return runs, arrays


def test_runs_are_all_combinations_and_the_seed_varies_slowest():
    runs = adding.grid((0.1, 0.2), (3, 4), epsilons=(1e-2, 1e-5), noises=(0.0, 0.1))
    rows = set(zip(*(values.tolist() for values in runs), strict=True))
    assert len(rows) == len(runs.seed) == 16
    np.testing.assert_array_equal(runs.seed, np.repeat([3, 4], 8))
    both = adding.joined(runs, adding.grid((0.3,), (5,)))
    assert both.weight_decay[-1] == np.float32(0.3) and len(both.seed) == 17


def test_steps_are_rounded_up_to_epochs():
    assert [adding.epochs_for(steps) for steps in (1, 78, 79, 30_000)] == [1, 1, 2, 385]


def test_measures_of_the_first_epoch_are_those_of_an_oracle(trained):
    runs, arrays = trained
    model = adding.AdditionNetwork(WIDTH, blocks=1)
    data = binary_addition(7)
    for run in (0, 1):
        state = jax.tree.map(lambda x, r=run: x[r], adding._initial(lambda: model, runs))
        oracle = Oracle(flat(state.params))
        losses, right, smallest = [], [], []
        epsilon, decay = float(runs.epsilon[run]), float(runs.weight_decay[run])
        params = state.params
        averages = state.averages
        for rows in np.arange(4992).reshape(78, 64):
            x, y = data.train.inputs[rows].astype(float), data.train.targets[rows]
            logits, kept = oracle.forward(x, epsilon)
            losses.append(np.mean((1 / (1 + np.exp(-logits)) - y) ** 2))
            right.append(np.mean(np.all((logits > 0) == y, axis=1)))
            smallest.append(min(z.var(axis=0).min() for z in kept))
            params = unflat(oracle.w, params)
            gradient = GRADIENT(params, averages, epsilon, x, y)
            oracle.step(flat(gradient), decay)
        assert arrays["loss"][run, 0] == pytest.approx(np.mean(losses), rel=1e-4)
        assert arrays["loss_peak"][run, 0] == pytest.approx(np.max(losses), rel=1e-4)
        assert arrays["train_accuracy"][run, 0] == pytest.approx(np.mean(right), abs=1e-3)
        assert arrays["variance"][run, 0] == pytest.approx(np.min(smallest), rel=1e-2)
        norms = [np.linalg.norm(value) for value in oracle.w.values()]
        assert arrays["norm_sum"][run, 0] == pytest.approx(sum(norms), rel=1e-4)
        assert arrays["squared_norm"][run, 0] == pytest.approx(np.sum(np.square(norms)), rel=1e-4)


def unflat(flat_params, like):
    leaves = iter(flat_params.values())
    return jax.tree.map(lambda _: next(leaves), like)


def _loss(params, averages, epsilon, x, y):
    network = adding.AdditionNetwork(WIDTH, 1, epsilon=epsilon)
    variables = {"params": params, "batch_stats": averages}
    logits, _ = network.apply(variables, x, train=True, mutable=["batch_stats"])
    return ((jax.nn.sigmoid(logits) - y) ** 2).mean()


GRADIENT = cheap.jit(jax.grad(_loss))


def test_normalised_values_of_training_are_bounded(trained):
    _, arrays = trained
    assert 1 < arrays["train_normalised"].max() <= np.sqrt(adding.BATCH - 1)
    assert np.all(arrays["test_normalised"] > 0)


def test_batches_are_the_same_in_every_epoch_unless_shuffled():
    runs = adding.grid((0.1,), (7, 8))
    fixed = [adding._rows(runs, adding.Scheme(2), epoch) for epoch in (0, 1)]
    np.testing.assert_array_equal(*fixed)
    np.testing.assert_array_equal(np.sort(fixed[0][1].ravel()), np.arange(4992))
    mixed = [adding._rows(runs, adding.Scheme(2, shuffle=True), epoch) for epoch in (0, 1)]
    assert mixed[0].shape == fixed[0].shape and np.any(mixed[0] != mixed[1])
    assert all(len(np.unique(rows[0])) == 4992 for rows in mixed)


def test_the_data_of_the_record_are_those_of_the_first_run():
    runs = adding.grid((0.1,), (7,), noises=(0.1,))
    assert adding.checksum(runs)["sha256"] == binary_addition(7, noise=0.1).sha256()


def test_runs_side_by_side_are_the_runs_one_after_the_other(monkeypatch):
    # Eleven runs are on one device, as no more of the tests' eight divide them.
    runs, scheme = adding.grid((0.1,), tuple(range(11))), adding.Scheme(1, width=16)
    alone = adding.train(runs, scheme, Session(), "alone")
    monkeypatch.setattr(adding.jax, "default_backend", lambda: "gpu")
    together = adding.train(runs, scheme, Session(), "together")
    for name in ("loss", "norm_sum", "gradient_norm", "test_accuracy"):
        np.testing.assert_allclose(together[name], alone[name], rtol=1e-3, err_msg=name)
