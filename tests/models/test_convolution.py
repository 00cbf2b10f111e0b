import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from wdjax.models import patch_convolution


@settings(max_examples=12)
@given(
    size=st.tuples(st.integers(3, 8), st.integers(3, 8)),
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.sampled_from(["SAME", "VALID", ((1, 2), (0, 1))]),
)
def test_equal_to_a_convolution_with_its_gradients(size, window, strides, padding):
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        images = jnp.asarray(rng.normal(size=(2, *size, 3)))
        kernel = jnp.asarray(rng.normal(size=(*window, 3, 4)))

        def plain(images, kernel):
            return lax.conv_general_dilated(
                images, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
            )

        def patches(images, kernel):
            return patch_convolution(images, kernel, strides, padding)

        out, pull = jax.vjp(plain, images, kernel)
        ours, our_pull = jax.vjp(patches, images, kernel)
        np.testing.assert_allclose(ours, out, atol=1e-12)
        cotangent = jnp.asarray(rng.normal(size=out.shape))
        for found, expected in zip(our_pull(cotangent), pull(cotangent), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("bad", [{"rhs_dilation": (2, 2)}, {"feature_group_count": 3}])
def test_what_it_cannot_do_is_refused(bad):
    with pytest.raises(ValueError, match="no dilation and no feature groups"):
        patch_convolution(jnp.ones((1, 4, 4, 3)), jnp.ones((2, 2, 3, 3)), (1, 1), "SAME", **bad)


def test_another_layout_is_refused():
    with pytest.raises(ValueError, match="NHWC images"):
        patch_convolution(
            jnp.ones((1, 3, 4, 4)), jnp.ones((2, 2, 3, 3)), (1, 1), "SAME",
            dimension_numbers=("NCHW", "HWIO", "NCHW"),
        )  # fmt: skip
