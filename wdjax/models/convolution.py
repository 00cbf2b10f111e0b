"""A convolution as a matrix product of patches, for training many small models at once."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax


def patch_convolution(
    images: jax.Array,
    kernel: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: lax.ConvGeneralDilatedDimensionNumbers = None,
    feature_group_count: int = 1,
    precision: lax.PrecisionLike = None,
) -> jax.Array:
    """Convolves NHWC images with an HWIO kernel by one matrix product.

    Equal to `lax.conv_general_dilated` to rounding, and takes its place in `flax.linen.Conv` by
    the argument `conv_general_dilated`. Under `vmap` it becomes a batched product, where a
    convolution would become a grouped one, and inside `lax.scan` it stays fast: on XLA's CPU
    backend both turn the gradient of a convolution onto a path that is many times slower. It needs
    memory for the patches: height × width of the kernel, times the image.

    Args:
      images: (batch, height, width, channels).
      kernel: (height, width, channels, features).
      window_strides: Steps in height and width.
      padding: "SAME", "VALID", or pairs (before, after) for height and width.
      lhs_dilation: None or ones.
      rhs_dilation: None or ones.
      dimension_numbers: None, or those of NHWC images and an HWIO kernel, as Flax gives them.
      feature_group_count: One.
      precision: Of the matrix product.

    Returns:
      (batch, height', width', features).

    Raises:
      ValueError: A dilation or a number of feature groups other than one, or another layout.
    """
    dilations = (*(lhs_dilation or ()), *(rhs_dilation or ()))
    if feature_group_count != 1 or any(step != 1 for step in dilations):
        raise ValueError(
            "patch_convolution has no dilation and no feature groups, but was given the dilations "
            f"{lhs_dilation} and {rhs_dilation} and {feature_group_count} feature groups: use "
            "lax.conv_general_dilated."
        )
    if dimension_numbers not in (None, _layout(images, kernel)):
        raise ValueError(
            f"patch_convolution takes NHWC images and an HWIO kernel, not {dimension_numbers}."
        )
    height, width, channels, features = kernel.shape
    pads = (
        lax.padtype_to_pads(images.shape[1:3], (height, width), window_strides, padding)
        if isinstance(padding, str)
        else padding
    )
    padded = jnp.pad(images, ((0, 0), *pads, (0, 0)))
    down, across = window_strides
    rows = (padded.shape[1] - height) // down + 1
    columns = (padded.shape[2] - width) // across + 1
    shifted = [
        padded[:, i : i + down * (rows - 1) + 1 : down, j : j + across * (columns - 1) + 1 : across]
        for i in range(height)
        for j in range(width)
    ]
    patches = jnp.concatenate(shifted, axis=-1)
    columns_of_kernel = kernel.reshape(height * width * channels, features)
    return jnp.matmul(patches, columns_of_kernel, precision=precision)


def _layout(images: jax.Array, kernel: jax.Array) -> lax.ConvDimensionNumbers:
    return lax.conv_dimension_numbers(images.shape, kernel.shape, ("NHWC", "HWIO", "NHWC"))
