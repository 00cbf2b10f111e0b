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
# # Weight decay and the scale of the inputs
#
# [![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/wdjax/wdjax/blob/main/colabs/input_normalization.ipynb)
#
# The article asks how weight decay affects input normalisation: decay makes weights small, small
# weights mute activations, and so inputs should be scaled to fit. This notebook runs the article's
# examples many times over, and asks whether the best scale of the inputs depends on the decay at
# all.

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

ARTICLE = "input-normalization"
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
