"""All that "L2 Regularization and Batch Norm" claims, in its order."""

from wdjax.experiments.article import Article, Claim

BACKGROUND = (
    "Background on ordinary networks, which the article recalls and does not test (`bias-variance` "
    "and `decay-grid` measure it, for another article)."
)

ARTICLE = Article(
    key="l2-and-batch-norm",
    title="L2 Regularization and Batch Norm",
    author="D. J. Wu, Jane Street Tech Blog, 2019",
    claims=(
        Claim(
            "headline",
            "Before a batch norm an L2 penalty does not regularise as it does elsewhere: it acts "
            "as an adaptive change of the learning rate.",
            "introduction and closing summary, in bold",
        ),
        Claim(
            "known",
            "The interaction is known (van Laarhoven; Hoffer et al.) and easily overlooked.",
            "introduction",
            "History: where an idea was published is not a measurement.",
        ),
        Claim(
            "adam",
            "The analysis is for SGD: under Adam, L2 and weight decay differ, and so may the "
            "behaviour.",
            "introduction; end of the analysis",
        ),
        Claim(
            "weight decay",
            "With SGD an L2 penalty makes every weight decay in each step by a small fraction of "
            "itself.",
            "L2 Regularization / Weight Decay",
        ),
        Claim(
            "usual purpose",
            "Elsewhere L2 is meant against overfitting: weights that matter recover from the decay "
            "and the others do not, or, to a Bayesian, small weights are the likelier ones.",
            "Purpose/Intuition of L2",
            BACKGROUND,
        ),
        Claim(
            "batch norm",
            "Batch norm standardises each channel; it makes training faster, more stable and less "
            "in need of tuning, for reasons still under research.",
            "Batch Normalization",
            "A definition and a report on the literature, which the article does not test.",
        ),
        Claim(
            "invariance",
            "Scaling a convolution scales mean and deviation of its output alike, so the output of "
            "the batch norm behind it stays, up to the effect of ε.",
            "What Happens When Both Are Used Together, first formulas",
        ),
        Claim(
            "gains and biases",
            "The gain and the bias that each batch norm learns do not affect the analysis.",
            "Batch Normalization",
        ),
        Claim(
            "batch size",
            "The invariance does not depend on the batch size, except that in tiny batches ε may "
            "matter more.",
            "What Happens When Both Are Used Together",
        ),
        Claim(
            "no restoring force",
            "The mechanism of L2 is broken: the loss pulls no weight back to the size that decay "
            "took from it.",
            "No More L2 Regularization Mechanism",
        ),
        Claim(
            "direction",
            "Scaling the weights leaves the direction of the gradient as it is.",
            "No More L2 Regularization Mechanism",
        ),
        Claim(
            "prior",
            "As a prior against complex models an L2 penalty says nothing of a model whose scale "
            "does not matter.",
            "No More L2 Regularization Mechanism",
            "A reading of the invariance, which is measured under its own claim.",
        ),
        Claim(
            "weights without batch norm",
            "Without batch norm, rescaling the weights worsens the loss, and they stay near the "
            "order of magnitude of their start.",
            "New Effect on Gradient Scale and Learning Rate",
        ),
        Claim(
            "gradient scale",
            "Scaling the weights by c scales their gradient by 1/c.",
            "Effect of Scale on Gradients",
        ),
        Claim(
            "relative step",
            "Steps relative to the weights scale by 1/c²: the learning rate is effectively divided "
            "by c².",
            "Effect of Scale on Gradients",
        ),
        Claim(
            "outward",
            "Steps that are finite and orthogonal to the weight end outside of its sphere, so that "
            "weights grow.",
            "Consequences for Learning Rate",
        ),
        Claim(
            "decaying rate",
            "Without L2 the weights before batch norms grow during training, and the effective "
            "learning rate decays with the square of their norm.",
            "Consequences for Learning Rate, in bold; plot of the relative step size",
        ),
        Claim(
            "equilibrium",
            "With L2, growth and decay come to an equilibrium, which keeps the effective learning "
            "rate from decaying.",
            "Consequences for Learning Rate",
        ),
        Claim(
            "broader optimum",
            "A learning rate that stays higher for longer may lead to a broader optimum that "
            "generalises better.",
            "Summary of the analysis",
            "A possibility that the article names and does not test (`flatness` measures it, for "
            "another article).",
        ),
        Claim(
            "head",
            "Layers behind the last batch norm, such as the final dense one, are regularised as "
            "ever.",
            "Summary of the analysis",
        ),
        Claim(
            "momentum",
            "With momentum the analysis is very similar.",
            "Summary of the analysis",
        ),
        Claim(
            "accuracy gap",
            "Without L2 on the convolutions a ResNet-20 ends worse on CIFAR-10: 89.5 % rather than "
            "91 %.",
            "Experiment, first plot",
        ),
        Claim(
            "weights grow",
            "Without L2 the sum of squares of the convolutions grows much faster than with it.",
            "Experiment, plot of the sum of squares",
        ),
        Claim(
            "underfits",
            "The loss of accuracy is that of a learning rate that drops too quickly: the training "
            "loss ends worse too (by 0.025).",
            "Experiment, note in parentheses",
        ),
        Claim(
            "overfits",
            "The difference between test and training loss ends larger too (by 0.024, or 7 %).",
            "Experiment, note in parentheses",
        ),
        Claim(
            "initial sum",
            "The sum of squares of the convolutions of a fresh ResNet-20 is 800.",
            "code of the compensation",
        ),
        Claim(
            "piecewise factor",
            "The sum of squares of the baseline is not constant; a factor of four linear pieces "
            "approximates it crudely, and well enough.",
            "Experiment, plot of the factor, and code",
        ),
        Claim(
            "restored",
            "Gradients scaled by the sum of squares and by that factor give back the baseline's "
            "final accuracy, without L2.",
            "Experiment, plot of the compensated run",
        ),
        Claim(
            "no regularisation lost",
            "As L2 has no direct regularising effect here, nothing else has to take its place.",
            "Experiment, before the compensated run",
        ),
        Claim(
            "early accuracy",
            "In the first phase the accuracy of the compensated run is a lot worse.",
            "Experiment, plot of the compensated run",
        ),
        Claim(
            "lagging averages",
            "That is a matter of inference alone: the moving averages of the batch norms cannot "
            "keep up with weights that grow exponentially, and are too small.",
            "Experiment, after the compensated run",
        ),
        Claim(
            "shorter window",
            "A shorter window of the averages (decay 0.98 instead of 0.997) repairs the early "
            "accuracy.",
            "Experiment, plot with the shorter window",
        ),
        Claim(
            "window and training",
            "The window has no effect on the training.",
            "Experiment, before the plot with the shorter window",
        ),
        Claim(
            "overshoot",
            "With the shorter window the early accuracy even exceeds the baseline's, whose own "
            "averages presumably lag.",
            "Experiment, after the plot with the shorter window",
        ),
        Claim(
            "step sizes replicated",
            "The compensated run has the relative step sizes of the baseline.",
            "Experiment, plot of three relative step sizes",
        ),
        Claim(
            "exponential growth",
            "The weights of the compensated run grow exponentially, far beyond the baseline's.",
            "Experiment, last plot, logarithmic",
        ),
    ),
)
