"""All that the article claims, in its order; W32, which was overlooked at first, stands last."""

from wdjax.experiments.article import Article, Claim

BULLETS, MATTERS = "opening list", "Why It Matters"
INTUITION, SHRINKAGE = "The Intuition of Complexity", "The Mechanism of Shrinkage"
DECOUPLING, PITFALLS = "Decoupling Weight Decay from L2", "Common Pitfalls"
SAMPLE, TERMS = "Sample Code", "Key Terms"

ARTICLE = Article(
    key="decay-techniques",
    title="Weight Decay Regularization Techniques",
    author="AI/ML Resources, Deep Learning",
    claims=(
        Claim(
            "W1",
            "Weight decay prevents overfitting and improves generalisation.",
            f"{BULLETS}, 1; {INTUITION}",
        ),
        Claim(
            "W2",
            "It shrinks the weights towards zero during training.",
            f"{BULLETS}, 1 and 2; {SHRINKAGE}",
        ),
        Claim(
            "W3",
            "It makes the network learn simpler patterns, which are robust to small fluctuations "
            "of the input.",
            f"{BULLETS}, 2; {SHRINKAGE}",
        ),
        Claim(
            "W4",
            "Tuning λ balances bias against variance.",
            f"{BULLETS}, 4; {TERMS}",
        ),
        Claim(
            "W5",
            "Decay is decoupled from the gradient so that it works consistently across optimisers.",
            f"{BULLETS}, 5",
        ),
        Claim(
            "W6",
            "In computer vision it keeps networks from fitting lighting and sensor artifacts.",
            f"{MATTERS}, 1",
            untested="It would need images of which lighting and sensor are known, and are others "
            "in the test than in training; that was not built. Overfitting to wrong labels of "
            "images is measured under W10.",
        ),
        Claim(
            "W7",
            "In long training runs it keeps the weights in a reasonable range, which would "
            "explode without it.",
            f"{MATTERS}, 2",
        ),
        Claim(
            "W8",
            "Large language models run an extreme risk of overfitting, against which their makers "
            "rely on weight decay.",
            f"{MATTERS}, 2",
            untested="It would need language models of a size that is out of reach here, trained "
            "with decay and without; what their makers rely on is a custom.",
        ),
        Claim(
            "W9",
            "Where signal is weak beside noise, as in finance, it keeps a model from chasing "
            "random fluctuations.",
            f"{MATTERS}, 3",
        ),
        Claim(
            "W10",
            "A network with many parameters can memorise the noise of its training data, and "
            "decay hinders it.",
            INTUITION,
        ),
        Claim(
            "W11",
            "Decay makes a model rely on many features rather than on a few large weights.",
            f"{INTUITION}; {TERMS}, L2 Regularization",
        ),
        Claim(
            "W12",
            "A weight that does not contribute to reducing the loss is gradually pulled to zero.",
            SHRINKAGE,
        ),
        Claim(
            "W13",
            "In effect decay selects features: the weights of irrelevant ones are suppressed, "
            "which pays where many inputs are irrelevant.",
            SHRINKAGE,
        ),
        Claim(
            "W14",
            "Weight decay is often taken for L2 regularisation, but is another thing in adaptive "
            "optimisers.",
            f"{BULLETS}, 3; {PITFALLS}, 1; {TERMS}",
        ),
        Claim(
            "W15",
            "In plain SGD, L2 regularisation and weight decay are equivalent.",
            f"{DECOUPLING}; {PITFALLS}, 1; {TERMS}",
        ),
        Claim(
            "W16",
            "In Adam the L2 penalty is scaled by the adaptive factors.",
            DECOUPLING,
        ),
        Claim(
            "W17",
            "That makes Adam with L2 regularise poorly; AdamW should always be used instead.",
            f"{DECOUPLING}; {PITFALLS}, 1",
        ),
        Claim(
            "W18",
            "AdamW applies the decay to the weights directly, after the optimiser's update, and "
            "not through the loss.",
            f"{DECOUPLING}; {SAMPLE}",
        ),
        Claim(
            "W19",
            "That keeps the strength of regularisation constant and predictable, whatever the "
            "optimiser's scaling.",
            DECOUPLING,
        ),
        Claim(
            "W20",
            "The wrong implementation can make convergence and generalisation significantly worse.",
            DECOUPLING,
        ),
        Claim(
            "W21",
            "For many years L2 regularisation and weight decay were thought to be identical, "
            "until the AdamW paper.",
            DECOUPLING,
            untested="History.",
        ),
        Claim(
            "W22",
            "Too much decay underfits; higher is not always better.",
            f"{PITFALLS}, 2",
        ),
        Claim(
            "W23",
            "λ has a sweet spot, which a validation set finds.",
            f"{PITFALLS}, 2; {BULLETS}, 4",
        ),
        Claim(
            "W24",
            "Decay does not replace dropout, batch normalisation or augmentation; a combination "
            "generalises best.",
            f"{PITFALLS}, 3",
        ),
        Claim(
            "W25",
            "Decay works on all layers, not only on the last.",
            f"{PITFALLS}, 4",
        ),
        Claim(
            "W26",
            "Decaying only some of the weights is rarely necessary.",
            f"{PITFALLS}, 4",
        ),
        Claim(
            "W27",
            "PyTorch's AdamW is the standard implementation of decoupled decay.",
            SAMPLE,
            untested="A custom. That `wdjax.transforms.adamw` is that rule, its tests show.",
        ),
        Claim(
            "W28",
            "In the sample code the optimiser applies λ = 0.01 during each step.",
            SAMPLE,
        ),
        Claim(
            "W29",
            "The sample code prints losses that fall from 1.2452 to 1.0423 in five steps.",
            f"{SAMPLE}, Sample Output",
        ),
        Claim(
            "W30",
            "Overfitting, generalisation, hyperparameter, weight decay as a factor slightly below "
            "one, bias-variance trade-off, and optimisation algorithm mean what they usually do.",
            TERMS,
            untested="Definitions.",
        ),
        Claim(
            "W31",
            "Regularisation is the primary tool to manage bias against variance.",
            f"{TERMS}, Bias-Variance Trade-off",
            untested="It would need other tools to compare with, as more data, averages of several "
            "models, or models of another size; that was not built.",
        ),
        Claim(
            "W32",
            "Companies use decay: for autonomous driving, large language models, and "
            "high-frequency trading.",
            f"{MATTERS}, 1 to 3",
            untested="A custom: what companies do. What decay does to noisy data is measured under "
            "W9.",
        ),
    ),
)
