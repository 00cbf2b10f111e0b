"""The article on training on the sphere, and all that it claims."""

from wdjax.experiments.article import Article, Claim

KEY = "three-regimes"

_PRACTICE = "section on practical training, and appendix"

ARTICLE = Article(
    key=KEY,
    title="Training Scale-Invariant Neural Networks on the Sphere Can Happen in Three Regimes",
    author="M. Kodryan, E. Lobacheva, M. Nakhodnov and D. Vetrov (NeurIPS 2022, arXiv:2209.03695)",
    claims=(
        Claim(
            "R1",
            "The loss of a scale-invariant network sees only the direction of its weights, which "
            "are trained on a sphere at a fixed effective learning rate.",
            "introduction and preliminaries",
        ),
        Claim(
            "R2",
            "Training on the sphere has three regimes: as the effective learning rate grows, "
            "convergence, chaotic equilibrium, divergence.",
            "abstract and figure 1",
        ),
        Claim(
            "R16",
            "The effective gradient norm tells the regimes apart as the loss does: it keeps "
            "falling in the first, and stays at a level in the second and third.",
            "figure 1, its third panel and the diagram of the gradient norm against the loss",
        ),
        Claim(
            "R3",
            "For one group, the rate decides by a threshold whether the loss reaches its minimum; "
            "above it the loss settles at a level, up to that of random directions.",
            "theoretical analysis of the toy example",
        ),
        Claim(
            "R4",
            "Several groups on one sphere share its norm by themselves, and so converge, or swing, "
            "together.",
            "theoretical analysis of the toy example",
        ),
        Claim(
            "R5",
            "In the first regime a higher rate leads to flatter minima, which generalise better.",
            "section on the first regime",
        ),
        Claim(
            "R6",
            "In the first regime sharpness stays below what the rate is stable for, 2/η_e.",
            "section on the first regime, in relation to the edge of stability",
        ),
        Claim(
            "R7",
            "A rate that is lowered within the first regime stays in its minimum.",
            "section on the first regime",
        ),
        Claim(
            "R8",
            "A rate that is raised within the first regime makes the run leave its minimum for one "
            "like those of the higher rate.",
            "section on the first regime",
        ),
        Claim(
            "R9",
            "In the second regime the loss stays at a level that grows with the rate.",
            "section on the second regime, figure 1",
        ),
        Claim(
            "R10",
            "The level of the second regime does not depend on where the run comes from.",
            "section on the second regime",
        ),
        Claim(
            "R11",
            "In the second regime sharpness stays near what the rate is stable for, 2/η_e.",
            "section on the second regime, in relation to the edge of stability",
        ),
        Claim(
            "R12",
            "From the second regime, a rate that is lowered leads to a minimum; the best ones, for "
            "flatness and test error, are reached from the lowest rates of the second regime.",
            "section on the second regime",
        ),
        Claim(
            "R13",
            "In the third regime training does not go below the loss of guessing, and moves like a "
            "random walk.",
            "section on the third regime, figure 1",
        ),
        Claim(
            "R14",
            "Conventional training with weight decay goes through the same regimes, according to "
            "its effective learning rate.",
            "section on training in the whole space",
        ),
        Claim(
            "R17",
            "The regimes can be used to reach better optima in conventional training of normalised "
            "networks.",
            "abstract, and section on practical training",
            untested="only the drop of the rate on the sphere is measured (R12): in conventional "
            "training the rate would have to be dropped within `fixed-rate-decay-link`, whose runs "
            "have one rate and no test error, and on images where starts differ by more than seeds",
        ),
        Claim("R15", "Momentum keeps the picture.", _PRACTICE),
        Claim(
            "R18",
            "Data augmentation keeps the picture.",
            _PRACTICE,
            untested="all runs see the images as they are: a first regime needs images that can be "
            "fitted while they are shifted, so a longer run, and CIFAR-10 rather than digits",
        ),
        Claim(
            "R19",
            "Schedules of the learning rate keep the picture.",
            _PRACTICE,
            untested="all rates are constant within a stage; a schedule would pass through the "
            "regimes within one run, for which no verdict here has a rule",
        ),
        Claim(
            "R20",
            "Networks with trained gains, biases and head keep the picture.",
            _PRACTICE,
            untested="the network has none, so that each weight is scale-invariant (R1): it would "
            "need a second network, and a second optimiser for the weights off the sphere",
        ),
        Claim(
            "R21",
            "Other networks and data keep the picture.",
            _PRACTICE,
            untested="the committed runs are of dense layers on digits; `--convolution` and "
            "`--data` take a network like the article's and CIFAR-10 on an accelerator, but there "
            "is neither a fully scale-invariant residual network here nor CIFAR-100",
        ),
    ),
)
