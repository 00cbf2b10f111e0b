"""The article on weight decay and the normalisation of inputs, and all that it claims."""

from wdjax.experiments.article import Article, Claim

KEY = "input-normalization"
SOURCE = "How does weight decay affect input normalization? (30 January 2025)"

_EXAMPLE_1 = "example 1, standard scaling with high weight decay"
_EXAMPLE_2 = "example 2, min-max scaling with low weight decay"
_EXAMPLE_3 = "example 3, adaptive normalization"
_END = "closing paragraphs"

ARTICLE = Article(
    key=KEY,
    title="How does weight decay affect input normalization?",
    author="no author named (30 January 2025)",
    claims=(
        Claim(
            "N1",
            "Decay sets the scale of the weights: the stronger it is, the smaller they are.",
            "first and third paragraph",
        ),
        Claim(
            "N2",
            "Which normalisation of the inputs is best depends on the weight decay.",
            "first paragraph, and closing paragraphs",
        ),
        Claim(
            "N3",
            "In image classifiers with aggressive decay the activations became muted.",
            "second paragraph",
        ),
        Claim(
            "N4",
            "With aggressive decay, training converged drastically more slowly.",
            "second paragraph",
        ),
        Claim(
            "N5",
            "Standardising, or scaling between minimum and maximum, brings inputs into a range.",
            "third paragraph",
            untested="a definition; both are used as the article writes them",
        ),
        Claim(
            "N6",
            "Decay is usually a squared penalty in the loss, which pulls weights towards zero.",
            "third paragraph",
            untested="a definition; what it does to the weights is N1",
        ),
        Claim(
            "N7",
            "Smaller weights weaken the signal: a unit and the units behind it vary less.",
            "third paragraph",
        ),
        Claim(
            "N8",
            "A weakened signal makes learning less effective and convergence more difficult.",
            "third paragraph",
        ),
        Claim(
            "N9",
            "That is particularly so with activations like ReLU: small weights together with small "
            "inputs shut their units down.",
            "third paragraph",
        ),
        Claim(
            "N10",
            "SGD with weight decay is w ← w − η∇L − λw.",
            "the update rule after the third paragraph",
        ),
        Claim(
            "N11",
            "Once decay is applied, the normalisation of the inputs often has to be tuned again.",
            "the paragraph after the update rule",
        ),
        Claim(
            "N12",
            "The obvious repair is a larger learning rate, which can make training unstable.",
            "the paragraph after the update rule",
        ),
        Claim(
            "N13",
            "Without decay, standard scaling works for the small regression of the examples.",
            _EXAMPLE_1,
        ),
        Claim(
            "N25",
            "With a decay of 1e-3 the initial scaling of the inputs becomes less appropriate.",
            _EXAMPLE_1,
        ),
        Claim(
            "N14",
            "A decay of 1e-3 drives the weights much closer to zero than they began.",
            _EXAMPLE_1,
        ),
        Claim(
            "N15",
            "That decay slows convergence and may end in a worse result than less or none.",
            _EXAMPLE_1,
        ),
        Claim(
            "N26",
            "Min-max scaling might seem better suited to a more limited range of weights.",
            _EXAMPLE_2,
        ),
        Claim(
            "N16",
            "With a decay as low as 1e-5 the weights become larger.",
            _EXAMPLE_2,
        ),
        Claim(
            "N17",
            "Where inputs times weights are close to zero, ReLU mostly puts out zero, and the "
            "network cannot learn as well.",
            _EXAMPLE_2,
        ),
        Claim(
            "N18",
            "With min-max scaling it may converge if the learning rate is significantly increased.",
            _EXAMPLE_2,
        ),
        Claim(
            "N27",
            "It is necessary to normalise so that inputs times weights are not consistently very "
            "close to zero.",
            _EXAMPLE_2,
        ),
        Claim(
            "N19",
            "Inputs rescaled in each step by the size of the weights follow what decay does.",
            _EXAMPLE_3,
        ),
        Claim(
            "N20",
            "With a given architecture, tuning the learning rate after the decay is a remedy.",
            _END,
        ),
        Claim(
            "N21",
            "Rescaling the inputs during training is worth it, to use decay to the full.",
            _END,
        ),
        Claim(
            "N22",
            "Adaptive methods such as Adam or RMSprop tend to be less sensitive to a fixed scale.",
            _END,
        ),
        Claim(
            "N23",
            "To tune only the learning rate, or only the decay, is not enough.",
            _END,
        ),
        Claim(
            "N24",
            "There is literature on regularisation, gradient descent and normalisation to read.",
            _END,
            untested="advice to the reader",
        ),
    ),
)
