"""The handwritten digits that scikit-learn carries: real data without a download."""

import numpy as np
from sklearn import datasets

from wdjax.data.dataset import Dataset

TEST_IMAGES = 360


def load_digits() -> Dataset:
    """Returns 1,797 digits of 8×8 pixels with 17 grey levels, in 10 classes.

    The last 360 are the test images: the file is ordered by writer, so they are of other hands
    than most of the training images.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository (1998), the test part, as in `sklearn.datasets.load_digits`.

    Example:
      >>> load_digits().train_images.shape
      (1437, 8, 8, 1)
    """
    pixels, target = datasets.load_digits(return_X_y=True)
    images = np.asarray(pixels, np.uint8).reshape(-1, 8, 8, 1)
    labels = np.asarray(target, np.int32)
    return Dataset(
        "digits",
        images[:-TEST_IMAGES],
        labels[:-TEST_IMAGES],
        images[-TEST_IMAGES:],
        labels[-TEST_IMAGES:],
    )
