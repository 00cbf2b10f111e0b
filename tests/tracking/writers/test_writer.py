import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax import tracking
from wdjax.tracking import Measures
from wdjax.tracking.writers import JSONLWriter, TensorBoardWriter, Writer, full, summary

SCALAR = Measures(*(jnp.float32(0.1 * i) for i in range(10)))
ARRAY = Measures(*(jnp.arange(4.0).reshape(2, 2) + i for i in range(10)))


class Kept(Writer):
    """Keeps what it is given."""

    def __init__(self, flatten=summary):
        self.flatten, self.rows = flatten, []

    def put(self, step, row):
        self.rows.append((step, row))


def test_a_summary_holds_numbers_as_they_are_and_three_of_an_array():
    row = summary({"a": SCALAR, "b": ARRAY})
    assert len(row) == 10 * (1 + 3)
    # The shortest decimals of the float32, and not those of the float64 that it is next to.
    assert row["a/gradient_norm"] == 0.1
    assert (row["b/norm/mean"], row["b/norm/min"], row["b/norm/max"]) == (1.5, 0.0, 3.0)
    assert summary({"empty": jax.tree.map(lambda leaf: leaf[:0], ARRAY)}) == {}


def test_all_numbers_have_the_index_in_their_name():
    row = full({"a": SCALAR, "b": ARRAY})
    assert len(row) == 10 * (1 + 4)
    assert [row["a/norm"], row["b/norm[0, 1]"], row["b/balance[1, 1]"]] == [0.0, 1.0, 12.0]


def test_a_row_has_the_scalars_too():
    writer = Kept()
    writer.write(jnp.int32(3), {"a": SCALAR}, loss=jnp.float32(0.1), epoch=2)
    ((step, row),) = writer.rows
    assert (step, type(step), row["loss"], row["epoch"]) == (3, int, 0.1, 2.0)
    assert row["a/norm"] == 0.0


def test_bfloat16_is_written():
    writer = Kept()
    writer.write(0, {}, loss=jnp.bfloat16(0.5))
    assert writer.rows == [(0, {"loss": 0.5})]


def test_a_ring_is_written_step_by_step_without_its_empty_rows():
    tx = tracking.tracked(optax.sgd(0.1), record=tracking.ring(3), every=2)
    params = {"w": jnp.ones(2)}
    state, writer = tx.init(params), Kept()
    update = jax.jit(tx.update)
    for size in (1.0, 2.0, 3.0):
        _, state = update({"w": jnp.full(2, size)}, state, params)
    writer.write_all(tracking.steps(state), tracking.metrics(state))
    assert [step for step, _ in writer.rows] == [0, 2]
    found = [row["w/gradient_norm"] for _, row in writer.rows]
    np.testing.assert_allclose(found, np.sqrt(2) * np.array([1.0, 3.0]))


def test_inside_jit_a_writer_is_called_back(tmp_path):
    writer = JSONLWriter(tmp_path / "run.jsonl")

    @jax.jit
    def scanned():
        def body(step, _):
            measures = {"a": jax.tree.map(lambda leaf: leaf + step, SCALAR)}
            jax.debug.callback(writer.write, step, measures, loss=0.5, ordered=True)
            return step + 1, None

        return jax.lax.scan(body, 0, None, 3)[0]

    jax.block_until_ready(scanned())
    jax.effects_barrier()
    lines = (tmp_path / "run.jsonl").read_text().splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f'{{"step": {i}, "loss": 0.5,') for i, line in enumerate(lines))


def test_tensorboard_gets_each_number():
    calls = []
    TensorBoardWriter(lambda *call: calls.append(call)).write(7, {"a": SCALAR}, loss=0.5)
    assert calls[:2] == [("loss", 0.5, 7), ("a/norm", 0.0, 7)]
    assert len(calls) == 11


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda w: w.write(-1, {}), "step is -1; expected a whole number from 0 on"),
        (lambda w: w.write(1.5, {}), "step is 1.5"),
        (lambda w: w.write(np.arange(2), {}), "step is array"),
        (lambda w: w.write(0, {}, loss=np.ones(2)), "loss is array.*expected one real number"),
        (lambda w: w.write(0, {}, loss="low"), "loss is array.*expected one real number"),
        (lambda w: w.write(0, {}, loss=1j), "expected one real number"),
        (lambda w: w.write(0, {"a": SCALAR}, **{"a/norm": 1.0}), "'a/norm' is the name of a mea"),
        (lambda w: w.write_all(3, {"a": SCALAR}), r"the steps have shape \(\)"),
        (lambda w: w.write_all(np.arange(3), {"a": ARRAY}), r"leading axes \[\(2,\)\]"),
        (lambda w: w.write_all(np.arange(3), {"a": SCALAR}), r"leading axes \[\(\)\]"),
        (lambda w: jax.jit(lambda x: w.write(0, {}, loss=x))(1.0), "called inside of jit"),
        (lambda w: TensorBoardWriter(object()), "expected a function"),
    ],
)
def test_bad_input_is_explained(write, message):
    with pytest.raises(ValueError, match=message):
        write(Kept())
