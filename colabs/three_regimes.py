# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Three regimes of training on the sphere
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/wdjax/wdjax/blob/main/colabs/three_regimes.ipynb)
#
# Kodryan, Lobacheva, Nakhodnov and Vetrov (NeurIPS 2022, arXiv:2209.03695) train scale-invariant
# networks on the sphere at a fixed effective learning rate, and find three regimes: convergence,
# chaotic equilibrium, divergence. This notebook finds the boundaries on a small network, and the
# exact ones on a toy. What weight decay does, behind a normalisation, is to choose the rate.

# %% [markdown]
# ## Install
#
# Does nothing where wdjax is there already. Otherwise it installs JAX for the accelerator of this
# machine, and wdjax. If Colab then asks for a restart of the runtime, restart it and begin again.

# %%
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("wdjax") is None:
    tpu = any(Path("/dev").glob("accel*")) or any(Path("/dev/vfio").glob("[0-9]*"))
    gpu = shutil.which("nvidia-smi") is not None
    wheel = "jax[tpu]" if tpu else "jax[cuda12]" if gpu else "jax"
    source = "wdjax[lab] @ git+https://github.com/wdjax/wdjax"
    command = [sys.executable, "-m", "pip", "install", "-q", "-U"]
    subprocess.check_call([*command, f"{wheel}>=0.10,<0.11", "flax>=0.12.7", source])

# %% [markdown]
# ## Settings
#
# `FAST = True` takes the quick settings: seconds per experiment, to see that everything works;
# their verdicts are no evidence. (The environment variable `WDJAX_FAST=1` does the same.) The
# default settings are those of the records in `benchmarks/results/`. What they cost, on two CPU
# cores, stands behind each experiment below.

# %%
FAST = False

# %% [markdown]
# ## What the article claims

# %%
from IPython.display import display

from wdjax.experiments import notebook

ARTICLE = "three-regimes"
display(notebook.outline(ARTICLE))

# %% [markdown]
# ## The experiments
#
# Each one is trained and measured, judged by rules that stand in `wdjax/experiments/`, and drawn.
# They were written down before the first run; where one was changed when a record was known, it
# says so. A claim that does not hold is said not to hold, with the likely reason.

# %%
for name in notebook.experiments(ARTICLE):
    display(notebook.show(notebook.run(name, fast=FAST)))
