"""What the article claims, in its order."""

from wdjax.experiments.article import Article, Claim

BACKGROUND, TOY = "Intuition of weight decay", "Toy experiment"
PICKING, PROBLEMS = "Picking the right value", "Problems with batch normalization"

ARTICLE = Article(
    key="peculiar-effects",
    title="Weight Decay and Its Peculiar Effects",
    author="andylolu2, a post with its code on GitHub",
    claims=(
        Claim(
            "definition",
            "Each step takes the share ηλ from the weights, before the usual update; λ is mostly "
            "from 1e-5 to 1.",
            "What is weight decay?",
            untested="A definition, and a custom.",
        ),
        Claim(
            "not-quite-l2",
            "Weight decay is sometimes called L2 regularisation, and is not exactly the same.",
            "What is weight decay?",
            untested="A remark that refers to another article. `adam-l2` measures it: they are one "
            "for plain gradient descent, and differ with momentum and for adaptive steps.",
        ),
        Claim(
            "adam-parameter",
            "The weight_decay of torch.optim.Adam does this update.",
            "What is weight decay?",
        ),
        Claim(
            "classical-regions",
            "Too simple models have high train and test errors, too large ones a low train and a "
            "high test error; the best lie in between.",
            f"{BACKGROUND}, Classical regime",
        ),
        Claim(
            "less-expressive",
            "Decay makes models less expressive: good for one that overfits, bad for one that "
            "underfits.",
            f"{BACKGROUND}, Classical regime",
        ),
        Claim(
            "double-descent",
            "Beyond the overfitting region test error falls again.",
            f"{BACKGROUND}, Modern regime",
        ),
        Claim(
            "threshold-at-zero-loss",
            "The boundary is where a model has just enough capacity for nearly zero training loss.",
            f"{BACKGROUND}, Modern regime",
        ),
        Claim(
            "one-bumpy-solution",
            "At the threshold there is one interpolating solution; it is bumpy, because it has to "
            "fit the noise, and so generalises poorly.",
            f"{BACKGROUND}, Modern regime",
        ),
        Claim(
            "more-capacity-smoother",
            "With more capacity, a model can fit all training data and be smooth between them.",
            f"{BACKGROUND}, Modern regime",
        ),
        Claim(
            "simple-interpolations",
            "Among all interpolations decay prefers smoother, simpler ones, which generalise.",
            f"{BACKGROUND}, Modern regime; {TOY}; Summary",
        ),
        Claim(
            "meme",
            "A picture sums up the understanding of all this.",
            f"{BACKGROUND}, Modern regime",
            untested="A joke, and not totally accurate, as the article says.",
        ),
        Claim(
            "accuracy-against-decay",
            "The plot of train and test accuracy against λ.",
            f"{TOY}, first figure",
        ),
        Claim(
            "suitable-decay",
            "For this model suitable values of λ are about 0.1.",
            f"{TOY}, first figure",
        ),
        Claim(
            "low-decay",
            "With too low a λ the training set is fitted, and test accuracy is very low.",
            f"{TOY}, first figure",
        ),
        Claim(
            "high-decay",
            "With too high a λ the weights are too small to fit even the training set.",
            f"{TOY}, first figure",
        ),
        Claim(
            "no-dip",
            "There is no dip of test accuracy at the interpolation threshold.",
            f"{TOY}, first figure",
        ),
        Claim(
            "noise-makes-the-dip",
            "That there is none is because the data are free of noise (a guess).",
            TOY,
        ),
        Claim(
            "memorised-first",
            "In the first 3,665 steps the training set is fitted, with almost zero loss, and test "
            "accuracy stays very low.",
            f"{TOY}, second figure",
        ),
        Claim(
            "norm-falls",
            "Over the next 25,000 steps the weight norm falls, at a perfect train accuracy.",
            f"{TOY}, second figure",
        ),
        Claim(
            "norm-is-sum-of-squares",
            "That norm is the sum of the squared weights.",
            TOY,
        ),
        Claim(
            "norm-correlates",
            "The fall of the norm is correlated with the rise of test accuracy.",
            f"{TOY}, second figure",
        ),
        Claim(
            "no-golden-rule",
            "There is no golden rule to pick λ; some trial and error is unavoidable.",
            PICKING,
            untested="That no rule exists is nothing that a run could show.",
        ),
        Claim(
            "decouples",
            "λ = λ_norm √(b/(BT)) makes the suitable value independent of batch size, data and "
            "epochs.",
            PICKING,
        ),
        Claim(
            "starting-point",
            "λ_norm in the range from 0.025 to 0.05, best for image classification, may be a "
            "useful start.",
            PICKING,
        ),
        Claim(
            "speed",
            "Batch norm speeds training up by a lot.",
            PROBLEMS,
        ),
        Claim(
            "fluctuations",
            "With batch norm and weight decay, accuracy fluctuates periodically.",
            f"{PROBLEMS}, third figure",
        ),
        Claim(
            "near-convergence",
            "The fluctuations come in when the model is about to converge.",
            PROBLEMS,
        ),
        Claim(
            "variance-near-zero",
            "Weights of little use decay to zero, the variance of their feature becomes tiny, and "
            "batch norm, which divides by it, makes the output blow up.",
            PROBLEMS,
        ),
        Claim(
            "decay-and-growth",
            "The huge gradient then makes the weights large, they decay again, and so it repeats.",
            PROBLEMS,
        ),
        Claim(
            "variance-recovers",
            "After the weights got large, the variance of the feature is high again.",
            PROBLEMS,
        ),
        Claim(
            "further-details",
            "A paper (arXiv:2106.15739) has further details on why this happens.",
            PROBLEMS,
        ),
        Claim(
            "larger-epsilon",
            "A larger ε of the batch norms avoids the instabilities.",
            f"{PROBLEMS}, third figure",
        ),
        Claim(
            "sweet-spot",
            "There is a sweet spot: a particular λ in between works best.",
            "Summary",
        ),
    ),
)
