import jax
import jax.numpy as jnp
import numpy as np

from wdjax.data import random_shift


def test_every_shift_occurs_and_is_a_window_of_the_padded_image():
    image = np.arange(20.0).reshape(4, 5)
    padded = np.pad(image, 1, mode="edge")
    windows = {padded[i : i + 4, j : j + 5].tobytes() for i in range(3) for j in range(3)}
    batch = jnp.broadcast_to(image[None, :, :, None], (200, 4, 5, 1))
    shifted = np.asarray(random_shift(jax.random.key(0), batch, 1))
    assert {one[:, :, 0].tobytes() for one in shifted} == windows


def test_no_shift_changes_nothing():
    images = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 4, 2)))
    np.testing.assert_array_equal(random_shift(jax.random.key(0), images, 0), images)
