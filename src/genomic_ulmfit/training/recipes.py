"""What is trained from how many labels: one recipe for each amount of labelled data.

With few labels a network has more weights than evidence. What works is a linear probe of the
frozen encoder that finds out which positions carry evidence and listens to those
(`genomic_ulmfit.training.probe_fit`); with thousands of labels, a small network on top of the
encoder knows something besides. `RECIPES` says which is used when. (Fine-tuning the encoder, too,
gained nothing: `docs/few-labels.md`.) `WITHOUT_POSITIONS` says the same of heads that pool.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from genomic_ulmfit.models.classifier import ClassifierConfig
from genomic_ulmfit.training.finetuning_recipe import (
    FROZEN,
    NAIVE,
    POOLED,
    PRETRAINED,
    FineTuningRecipe,
)


@dataclass(frozen=True)
class ProbeRecipe:
    """How the probe is fitted.

    Parameters
    ----------
    word_share : float
        Factor on the weights of 3-mers. Fewer labels find their few informative places, a start
        codon above all, more easily than the many that hidden states spread evidence over. To
        choose it on left-out sequences does worse: the evidence has seen them.
    """

    word_share: float


@dataclass(frozen=True)
class Recipe:
    """What is trained, and averaged if it is both.

    Parameters
    ----------
    probe : ProbeRecipe or None
    network : FineTuningRecipe or None
        A head trained on the encoder, which is left as it is or fine-tuned, too; beside a probe
        it has to be left, for both to read the same hidden states.
    motifs : bool
        Whether a network over bases alone stands beside them. For some species it knows more than
        the others together, and it never knows the same. Needs sequences of one length.
    """

    probe: ProbeRecipe | None
    network: FineTuningRecipe | None
    motifs: bool = False

    def __post_init__(self) -> None:
        if self.probe and self.network and any(s.layers != 0 for s in self.network.stages):
            raise ValueError("a probe cannot stand beside a network that changes the encoder")


RECIPES = (
    (0, Recipe(ProbeRecipe(word_share=4.0), None)),
    (150, Recipe(ProbeRecipe(word_share=2.0), None)),
    (400, Recipe(ProbeRecipe(word_share=1.0), None)),
    (1500, Recipe(ProbeRecipe(word_share=1.0), FROZEN, motifs=True)),
)
"""(labels from which on a recipe is used, recipe)."""

WITHOUT_POSITIONS = (
    (0, Recipe(None, PRETRAINED)),
    (100, Recipe(None, POOLED)),
)
"""The same, for a head that pools."""


def recipe_by_labels(n_labels: int, *, pretrained: bool, one_length: bool) -> Recipe:
    """Return the recipe for an amount of labelled data.

    Parameters
    ----------
    n_labels : int
        Labelled sequences to learn from.
    pretrained : bool
        Whether there is an encoder to start from; without one there is nothing to probe.
    one_length : bool
        Whether all sequences have one length; without that there are no positions to weigh.

    Returns
    -------
    Recipe
    """
    recipes = RECIPES if one_length else WITHOUT_POSITIONS
    by_number = [recipe for start, recipe in recipes if n_labels >= start][-1]
    return by_number if pretrained else Recipe(None, NAIVE, motifs=by_number.motifs)


def config_by_recipe(config: ClassifierConfig, recipe: Recipe) -> ClassifierConfig:
    """Return the classifier that a recipe trains: what it reads is what the recipe can use.

    A probe knows more from every phase of the tokens, computed once, and pooled states that an
    encoder is trained for are averaged over them. To train an encoder on each for other heads would
    be as much work again, and so would a scan, which is what sequences with context are for.
    """
    alike = recipe.network is not None and recipe.network.every_phase
    if config.context or not (alike or recipe.probe is not None):
        return config
    return replace(config, phases=config.encoder.tokenizer.stride, phases_alike=alike)
