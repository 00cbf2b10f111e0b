"""Random changes of images that keep their label, as pure functions under jit."""

import jax
import jax.numpy as jnp


def random_shift(key: jax.Array, images: jax.Array, most: int) -> jax.Array:
    """Shifts each image by up to `most` pixels in each direction, repeating its border.

    Args:
      key: A JAX random key.
      images: (batch, height, width, channels).
      most: The largest shift, in pixels; each of the (2·most + 1)² shifts is equally likely.

    Returns:
      Images of the same shape and dtype.

    Example:
      >>> images = jnp.arange(9.0).reshape(1, 3, 3, 1)
      >>> random_shift(jax.random.key(0), images, 0)[0, 1, :, 0]
      Array([3., 4., 5.], dtype=float32)
    """
    batch, height, width, _ = images.shape
    down, across = jax.random.randint(key, (2, batch, 1), -most, most + 1)
    rows = jnp.clip(jnp.arange(height) + down, 0, height - 1)
    columns = jnp.clip(jnp.arange(width) + across, 0, width - 1)
    return jnp.asarray(images)[
        jnp.arange(batch)[:, None, None], rows[:, :, None], columns[:, None, :]
    ]
