import numpy as np
import pytest

from wdjax.data import batch_indices


def test_an_epoch_is_a_permutation_and_each_epoch_another():
    epochs = [batch_indices(0, range(start, start + 5), 17, 3).ravel() for start in (0, 5)]
    for epoch in epochs:
        assert len(set(epoch)) == 15
    assert not np.array_equal(*epochs)


def test_a_resumed_run_sees_the_same_batches():
    whole = batch_indices(3, range(40), 50, 8)
    parts = [batch_indices(3, range(0, 13), 50, 8), batch_indices(3, range(13, 40), 50, 8)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_seeds_differ():
    assert not np.array_equal(batch_indices(0, range(3), 50, 8), batch_indices(1, range(3), 50, 8))


@pytest.mark.parametrize("batch_size", [0, 51])
def test_an_impossible_batch_is_refused(batch_size):
    with pytest.raises(ValueError, match="expected 1 to 50"):
        batch_indices(0, range(1), 50, batch_size)
