"""A labelled set of images, split into training and test."""

import hashlib
from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """Images and labels as NumPy arrays.

    Attributes:
      name: What it is called in records and figures.
      train_images: (n, height, width, channels), uint8 as stored or float32 once standardised.
      train_labels: (n,), int32, in 0 .. classes − 1.
      test_images: As the training images.
      test_labels: As the training labels.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.train_labels.max()) + 1

    def sha256(self) -> str:
        """SHA-256 of the four arrays in order, so that a record says which data it is about."""
        digest = hashlib.sha256()
        for array in self[1:]:
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def standardise(dataset: Dataset) -> Dataset:
    """Returns the data set with mean 0 and standard deviation 1 per channel of the training images.

    The test images are moved by the training images' statistics. Images become float32.

    Example:
      >>> images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
      >>> labels = np.array([0, 1], np.int32)
      >>> standard = standardise(Dataset("toy", images, labels, images, labels))
      >>> print(standard.train_images.mean().round(3), standard.train_images.std().round(3))
      0.0 1.0
    """
    mean = dataset.train_images.mean(axis=(0, 1, 2), dtype=np.float64)
    deviation = dataset.train_images.std(axis=(0, 1, 2), dtype=np.float64)

    def move(images: np.ndarray) -> np.ndarray:
        return ((images - mean) / np.maximum(deviation, 1e-12)).astype(np.float32)

    return dataset._replace(
        train_images=move(dataset.train_images), test_images=move(dataset.test_images)
    )
