import jax
import numpy as np
import pytest

from wdjax.models import MLP


@pytest.mark.parametrize("norm", ["batch", "layer", "group"])
def test_inputs_are_flattened(norm):
    inputs = np.ones((4, 5, 2), np.float32)
    model = MLP(widths=(16, 8), classes=3, norm=norm)
    variables = model.init(jax.random.key(0), inputs, train=True)
    assert variables["params"]["Dense_0"]["kernel"].shape == (10, 16)
    assert model.apply(variables, inputs, train=False).shape == (4, 3)
