"""What a training run will do to its weights, said before it is made: `wdjax plan`.

`plan(Run(...))` joins `wdjax.theory` and `wdjax.theory.conventions` for the numbers of one run.
"""

from wdjax.planning.plan import Plan, plan
from wdjax.planning.run import Run
from wdjax.planning.section import Section

__all__ = ["Plan", "Run", "Section", "plan"]
