"""Flax models for the experiments; needs the extra `wdjax[lab]`."""

from wdjax.models.convolution import patch_convolution
from wdjax.models.mlp import MLP
from wdjax.models.norms import NORMS, make_norm
from wdjax.models.resnet import ResNet, convolution_kernels, kernels_3x3
from wdjax.models.transformer import CharTransformer

__all__ = [
    "MLP",
    "NORMS",
    "CharTransformer",
    "ResNet",
    "convolution_kernels",
    "kernels_3x3",
    "make_norm",
    "patch_convolution",
]
