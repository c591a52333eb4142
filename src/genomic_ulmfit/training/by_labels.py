"""One way to train on any number of labels: the recipe that `recipe_by_labels` names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.motifs import MotifNetwork
from genomic_ulmfit.models.probe import ProbeHead
from genomic_ulmfit.training.features import CACHE_LIMIT, States, frozen_states
from genomic_ulmfit.training.probe_fit import fit_head, fit_probe, head_logits
from genomic_ulmfit.training.recipes import Recipe, config_by_recipe, recipe_by_labels


def train_by_labels(
    codes: Sequence[Codes],
    targets: npt.NDArray[np.intp],
    config: ClassifierConfig,
    recipe: Recipe | None = None,
    *,
    encoder: LanguageModel | None = None,
    states: States | None = None,
    valid: tuple[Sequence[Codes], npt.NDArray[np.intp]] | None = None,
    seed: int = 0,
    precision: str | None = None,
    progress: bool = True,
) -> tuple[Classifier, list[dict[str, Any]]]:
    """Train a classifier by a recipe: that for this many labels, unless another is given.

    Parameters
    ----------
    codes : sequence of numpy.ndarray of uint8
    targets : numpy.ndarray of int, shape (len(codes),)
    config : ClassifierConfig
        Its head is the network's; the recipe says whether there is a network, and how many phases
        are read.
    recipe : Recipe, optional
        The one for this many labels if not given.
    encoder : LanguageModel, optional
    states : numpy.ndarray of float16, shape (len(codes), n_tokens, width), optional
        As from `genomic_ulmfit.training.features.frozen_states` in the readings of
        `genomic_ulmfit.training.recipes.config_by_recipe`; computed if they are needed and not
        given.
    valid, seed, precision, progress
        As in `genomic_ulmfit.training.finetuning.fine_tune`.

    Returns
    -------
    model : Classifier
    curve : list of dict
        As from `fine_tune`; empty for a probe, which is fitted in one step.
    """
    if recipe is None:
        recipe = recipe_by_labels(
            len(codes), pretrained=encoder is not None, one_length=config.length is not None
        )
    config = config_by_recipe(config, recipe)
    probe = network = None
    curve: list[dict[str, Any]] = []
    if recipe.probe is not None:
        assert encoder is not None
        if states is None and recipe.network is not None and _room_for_states(codes, config):
            # Wanted twice.
            states = frozen_states(
                encoder.encoder,
                codes,
                context=config.context,
                readings=config.readings,
                precision=precision,
                progress=progress,
            )
        probe = fit_probe(
            codes,
            targets,
            replace(config, head="probe", with_probe=False),
            recipe.probe,
            encoder,
            states=states,
            seed=seed,
            precision=precision,
            progress=progress,
        )
    if recipe.network is not None:
        # Lightning takes longer to import than a probe to fit, which does without it.
        from genomic_ulmfit.training.finetuning import fine_tune

        network, curve = fine_tune(
            codes,
            targets,
            config,
            recipe.network,
            encoder=encoder,
            states=states,
            valid=valid,
            seed=seed,
            precision=precision,
            progress=progress,
        )
    motifs = None
    if recipe.motifs:
        inside = slice(config.context, len(codes[0]) - config.context)
        motifs = _motifs(
            [sequence[inside] for sequence in codes],
            targets,
            len(config.classes),
            frames=config.frames,
            seed=seed,
            progress=progress,
        )
    return _together(network, probe, motifs), curve


@dataclass(frozen=True, eq=False)
class ClassifierWithoutEncoder:
    """What the recipe makes of bases alone: the control that tells what an encoder adds.

    Parameters
    ----------
    head : ProbeHead
        Of 3-mers and open reading frames.
    motifs : MotifNetwork or None
        Where the recipe has one.
    """

    head: ProbeHead
    motifs: MotifNetwork | None

    def predict_proba(self, codes: Sequence[Codes]) -> npt.NDArray[np.float64]:
        """Return class probabilities, shape (len(codes), n_classes)."""
        logits = torch.from_numpy(head_logits(self.head, codes))
        if self.motifs is not None:
            with torch.no_grad():
                windows = torch.from_numpy(np.stack(codes)).split(512)
                of_motifs = torch.cat([self.motifs(part) for part in windows])
            logits = (logits + of_motifs.double()) / 2
        return logits.softmax(-1).numpy()


def train_without_encoder(
    codes: Sequence[Codes],
    targets: npt.NDArray[np.intp],
    n_classes: int,
    *,
    seed: int = 0,
    progress: bool = False,
) -> ClassifierWithoutEncoder:
    """Train the parts of the recipe for this many labels that need no language model.

    Parameters
    ----------
    codes : sequence of numpy.ndarray of uint8
        All of one length.
    targets : numpy.ndarray of int, shape (len(codes),)
    n_classes : int
    seed : int
    progress : bool
        Whether to draw bars on standard error.

    Returns
    -------
    ClassifierWithoutEncoder
    """
    recipe = recipe_by_labels(len(codes), pretrained=True, one_length=True)
    assert recipe.probe is not None
    head = fit_head(
        codes, targets, n_classes, recipe.probe, frames=True, seed=seed, progress=progress
    )
    motifs = None
    if recipe.motifs:
        motifs = _motifs(codes, targets, n_classes, frames=True, seed=seed, progress=progress)
    return ClassifierWithoutEncoder(head, motifs)


def _room_for_states(codes: Sequence[Codes], config: ClassifierConfig) -> bool:
    """Tell whether all hidden states can be in memory, at two bytes a channel."""
    assert config.length is not None
    encoder = config.encoder
    places = encoder.tokenizer.n_tokens(config.length) * config.readings.count
    return 2 * len(codes) * places * encoder.embedding <= CACHE_LIMIT


def _motifs(
    codes: Sequence[Codes],
    targets: npt.NDArray[np.intp],
    n_classes: int,
    *,
    frames: bool,
    seed: int,
    progress: bool,
) -> MotifNetwork:
    """Train the network over bases on sequences of one length."""
    from genomic_ulmfit.training.motifs import fit_motifs

    windows = np.stack(codes)
    lengths = np.full(len(windows), windows.shape[1], dtype=np.int64)
    return fit_motifs(
        windows, lengths, targets, n_classes, frames=frames, seed=seed, progress=progress
    )


def _together(
    network: Classifier | None, probe: Classifier | None, motifs: MotifNetwork | None
) -> Classifier:
    """Return one classifier whose logits are the mean of what there is.

    Network and probe must have been trained on one encoder, which neither has changed.
    """
    main = network or probe
    assert main is not None
    weights = dict(main.state_dict())
    if network is not None and probe is not None:
        weights |= {
            name: value for name, value in probe.state_dict().items() if name.startswith("probe_")
        }
    if motifs is not None:
        weights |= {f"motifs.{name}": value for name, value in motifs.state_dict().items()}
    whole = Classifier(
        replace(
            main.config,
            with_probe=network is not None and probe is not None,
            with_motifs=motifs is not None,
        )
    )
    whole.load_state_dict(weights)
    return whole.eval()
