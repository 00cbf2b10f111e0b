"""The article, and all that it claims."""

from wdjax.experiments.article import Article, Claim

_DEEP = "Weight decay in deep learning, Normalization → scale invariance"
_RATE = "Weight decay in deep learning, increased effective learning rate"
_NOISE = "Weight decay in deep learning, Increased effective learning rate → regularization"
_SCOPE = "Disclaimer"

ARTICLE = Article(
    key="serendipitous",
    title="The Serendipitous Effectiveness of Weight Decay in Deep Learning",
    author="Antoine Labatie, Towards Data Science, 30 December 2020",
    claims=(
        Claim(
            "S1",
            "Classically a penalty on the norm limits the capacity of a model and its overfitting; "
            "in the limit of an infinite penalty the solution is 0, whatever the data.",
            "Original rationale of weight decay",
            "recalled, of models without normalisation, which is not what the article is about "
            "(`bias-variance` and `decay-grid` measure it)",
        ),
        Claim(
            "S2",
            "Models with a convex Lipschitz loss on a bounded domain are learnable by minimising "
            "loss plus penalty, with a number of examples that does not grow with the parameters.",
            "Original rationale of weight decay, reference [1]; Disclaimer, first point",
            "a theorem that is proven elsewhere",
        ),
        Claim(
            "S3",
            "That theorem says nothing about networks with normalisation layers, because their "
            "loss is not Lipschitz in the weights.",
            "Original rationale of weight decay; " + _DEEP,
        ),
        Claim(
            "S4",
            "Behind a weight w, a normalisation layer makes output and loss blind to the scale of "
            "w, so that the values on the unit sphere say all.",
            _DEEP,
        ),
        Claim("S5", "The gradient is orthogonal to w, and scales as 1/‖w‖.", _DEEP),
        Claim(
            "S6",
            "SGD without decay spirals out: ‖w‖ grows without end, gradients vanish as 1/‖w‖, and "
            "the optimisation slows down.",
            _RATE + ", figure 1",
        ),
        Claim(
            "S7",
            "With decay the centripetal pull and the centrifugal push of the gradients come to an "
            "equilibrium with a nearly constant ‖w‖, which is stable.",
            _RATE + ", figure 1",
        ),
        Claim(
            "S8",
            "At equilibrium w/‖w‖ is updated as by SGD on the unit sphere with the effective "
            "learning rate η/‖w‖².",
            _RATE,
        ),
        Claim(
            "S9",
            "‖w‖² at equilibrium scales as √(η/λ).",
            _RATE + ", figure 2 (ResNet-8 on CIFAR-10)",
        ),
        Claim("S10", "The effective learning rate scales as √(ηλ).", _RATE),
        Claim(
            "S11",
            "What weight decay does first of all is to raise the effective learning rate; it does "
            "not reduce the capacity of the model.",
            _RATE + "; Conclusion",
        ),
        Claim(
            "S12",
            "The gradient of a mini-batch is that of the data set plus noise of mean zero.",
            _NOISE + ", figure 3",
        ),
        Claim(
            "S13",
            "Two steps with η and one with 2η go about equally far.",
            _NOISE,
        ),
        Claim(
            "S14",
            "The variance of the noise is 4η² for one step with 2η, and 2η² for two with η: twice "
            "as much per length of the path.",
            _NOISE,
        ),
        Claim(
            "S15",
            "More noise per length of the path, and so a larger λ, leads w/‖w‖ to flatter regions "
            "of low loss.",
            _NOISE + ", reference [4]",
        ),
        Claim(
            "S16",
            "Flatter regions overfit less, so that a larger λ is a form of regularisation.",
            _NOISE + ", reference [4]; Conclusion",
        ),
        Claim(
            "S20",
            "An increase of the learning rate is a form of regularisation.",
            _NOISE + ", of networks without normalisation and decay",
        ),
        Claim(
            "S17",
            "Gains and biases behind the normalisation change nothing about the scale invariance.",
            _SCOPE + ", second point",
        ),
        Claim(
            "S18",
            "Where some parameters are not scale-invariant, such as the last layer, the argument "
            "on the scale of the equilibrium still holds for those that are.",
            _SCOPE + ", third point",
        ),
        Claim(
            "S19",
            "Flatness alone guarantees no generalisation, a bound on the norm is needed too; w/‖w‖ "
            "has one, as its norm is 1.",
            _SCOPE + ", fourth point, reference [4]",
            "a theorem that is proven elsewhere; that w/‖w‖ has norm 1 is its definition",
        ),
    ),
)
