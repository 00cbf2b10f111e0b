"""Images and text for the experiments, and batches of them; needs the extra `wdjax[lab]`."""

from wdjax.data.augmentation import random_shift
from wdjax.data.batches import batch_indices
from wdjax.data.characters import ALPHABET, Text, decode, encode, load_characters, windows
from wdjax.data.cifar import load_cifar10
from wdjax.data.dataset import Dataset, standardise
from wdjax.data.digits import load_digits

__all__ = [
    "ALPHABET",
    "Dataset",
    "Text",
    "batch_indices",
    "decode",
    "encode",
    "load_characters",
    "load_cifar10",
    "load_digits",
    "random_shift",
    "standardise",
    "windows",
]
