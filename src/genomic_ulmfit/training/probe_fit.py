"""Fitting the linear probe: kernel ridge regression on a sum of kernels, one for each place.

`genomic_ulmfit.training.places` says what a place is and how its kernel is weighed. All of it is
linear in hidden states, 3-mers and open frames, so the result is a `ProbeHead`, a part of an
ordinary classifier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.classifier import Classifier, ClassifierConfig
from genomic_ulmfit.models.language_model import LanguageModel
from genomic_ulmfit.models.probe import WORD, ProbeHead
from genomic_ulmfit.progress import tracked
from genomic_ulmfit.training.features import States, frozen_states
from genomic_ulmfit.training.kernel_ridge import fit_ridge
from genomic_ulmfit.training.places import (
    Floats,
    FramePlaces,
    Places,
    StatePlaces,
    WordPlaces,
    evidence_of_places,
)
from genomic_ulmfit.training.platt import calibrate, smoothed
from genomic_ulmfit.training.recipes import ProbeRecipe

FRAME_SHARE = 2.0
"""Factor on the weights of open frames. They are few beside the many places of the others, and
know what those do not."""

MOST_FOR_EVIDENCE = 1000
"""Sequences, drawn at random from more, that evidence is measured on."""

MOST_FOR_FIT = 3000
"""Sequences that are fitted together: kernels grow with the square of their number. More are
fitted in parts, whose mean knows nearly as much as one fit of all and takes linear time."""

MOST_STATES = 1 << 28
"""Values of hidden states that are fitted together: 1.6 GB in both precisions. Long sequences are
fitted in more parts, rather than not at all."""

FEWEST_FOR_FIT = 50
"""Sequences of a part, however long."""

FOLDS, FOLDS_OF_MANY, MANY = 5, 3, 500
"""Parts that sequences are divided into to find out how sure a fit of them may be: fewer where
there are more than `MANY`, for each fit then takes longer and knows nearly as much."""

LEAST_SURE = 0.05
"""Of what left-out scores would have. More than 0, so that what is likelier stays likelier."""

MOST_FOR_CALIBRATION = 500
"""Sequences of each part that the mean is calibrated on."""


def fit_probe(
    codes: Sequence[Codes],
    targets: npt.NDArray[np.intp],
    config: ClassifierConfig,
    recipe: ProbeRecipe,
    encoder: LanguageModel,
    *,
    states: States | None = None,
    seed: int = 0,
    precision: str | None = None,
    progress: bool = False,
) -> Classifier:
    """Fit a linear probe of a frozen encoder.

    Parameters
    ----------
    codes : sequence of numpy.ndarray of uint8
        Training sequences, all of one length, between `config.context` bases of context each.
    targets : numpy.ndarray of int, shape (len(codes),)
        Index of each sequence's class.
    config : ClassifierConfig
        With head "probe".
    recipe : ProbeRecipe
    encoder : LanguageModel
    states : numpy.ndarray of float16, shape (len(codes), n_tokens, width), optional
        As from `genomic_ulmfit.training.features.frozen_states`; computed if not given.
    seed : int
        Of the draw from more sequences than `MOST_FOR_EVIDENCE`, and of the parts of more than
        `MOST_FOR_FIT`.
    precision : {"bf16", "fp32"}, optional
        Of the encoder; probed if not given.
    progress : bool
        Whether to draw bars on standard error.

    Returns
    -------
    Classifier
        In evaluation mode. Its probabilities are calibrated on predictions of sequences that
        neither the fit nor the evidence has seen.

    Raises
    ------
    InputError
        If there are fewer than two classes.
    """
    tokens = config.encoder.tokenizer.n_tokens(len(codes[0]) - 2 * config.context)
    per_row = tokens * config.encoder.embedding * config.readings.count
    together = min(MOST_FOR_FIT, max(FEWEST_FOR_FIT, MOST_STATES // per_row))
    n_parts = -(-len(codes) // together)

    def states_of(part: npt.NDArray[np.intp]) -> States:
        if states is not None:
            return states[part]
        return frozen_states(
            encoder.encoder,
            [codes[i] for i in part],
            context=config.context,
            readings=config.readings,
            precision=precision,
            # With one part, reading it is what takes time.
            progress=progress and n_parts == 1,
        )

    model = Classifier(config)
    model.encoder.load_state_dict(encoder.encoder.state_dict())
    model.probe_head = fit_head(
        [sequence[config.context : len(sequence) - config.context] for sequence in codes],
        targets,
        len(config.classes),
        recipe,
        states_of,
        frames=config.frames,
        together=together,
        seed=seed,
        progress=progress and n_parts > 1,
    )
    return model.eval()


def fit_head(
    codes: Sequence[Codes],
    targets: npt.NDArray[np.intp],
    n_classes: int,
    recipe: ProbeRecipe,
    states_of: Callable[[npt.NDArray[np.intp]], States] | None = None,
    *,
    frames: bool = False,
    together: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> ProbeHead:
    """Fit the probe's head alone.

    Parameters
    ----------
    codes : sequence of numpy.ndarray of uint8
        Training sequences, all of one length, without context.
    targets : numpy.ndarray of int, shape (len(codes),)
    n_classes : int
    recipe : ProbeRecipe
    states_of : callable, optional
        Takes numbers of sequences and returns their hidden states, shape (n, n_tokens, width).
        Without it the head reads bases only and takes no hidden states.
    frames : bool
        Whether to score open reading frames, too.
    together : int, optional
        Sequences that are fitted together, at most; `MOST_FOR_FIT` if not given.
    seed : int
        As in `fit_probe`.
    progress : bool
        Whether to draw a bar on standard error.

    Returns
    -------
    ProbeHead

    Raises
    ------
    InputError
        If there are fewer than two classes.
    """
    if len(np.unique(targets)) < 2:
        raise InputError("labels: all sequences are of one class; a probe needs at least two.")
    fitted = []
    parts = _parts(targets, together or MOST_FOR_FIT, seed)
    for part in tracked(parts, "Linear probe", len(parts), progress):
        chosen = [codes[i] for i in part]
        read = np.zeros((len(part), 0, 1), np.float16) if states_of is None else states_of(part)
        head = _fit_part(
            chosen,
            targets[part],
            n_classes,
            recipe,
            read,
            frames=frames,
            seed=seed,
            alone=len(parts) == 1,
        )
        few = slice(MOST_FOR_CALIBRATION)
        fitted.append(_Part(head, chosen[few], np.array(read[few]), targets[part][few]))
    return fitted[0].head if len(fitted) == 1 else _mean_head(fitted)


def _parts(targets: npt.NDArray[np.intp], most: int, seed: int) -> list[npt.NDArray[np.intp]]:
    """Divide rows into parts of `most` at most, each with its share of every class.

    Classes with fewer rows than there are parts are in every part.
    """
    n_parts = -(-len(targets) // most)
    if n_parts == 1:
        return [np.arange(len(targets))]
    rng = np.random.default_rng(seed)
    dealt: list[list[npt.NDArray[np.intp]]] = [[] for _ in range(n_parts)]
    for label in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == label))
        for number, part in enumerate(dealt):
            part.append(rows if len(rows) < n_parts else rows[number::n_parts])
    return [rng.permutation(np.concatenate(part)) for part in dealt]


class _Part(NamedTuple):
    """A head, and some of the sequences that it was fitted to."""

    head: ProbeHead
    codes: list[Codes]
    states: States
    targets: npt.NDArray[np.intp]


def _mean_head(parts: Sequence[_Part]) -> ProbeHead:
    """Return the mean of heads, calibrated on what each says of sequences that are not its own.

    (But for classes so rare that every part holds them.)
    """
    left_out = [
        np.mean(
            [
                head_logits(other.head, part.codes, part.states)
                for other in parts
                if other.head is not part.head
            ],
            axis=0,
        )
        for part in parts
    ]
    targets = np.concatenate([part.targets for part in parts])
    gain, bias = calibrate(np.concatenate(left_out), targets)
    mean = parts[0].head
    of_all = [part.head.state_dict() for part in parts]
    weights = {name: sum(one[name] for one in of_all) / len(of_all) * gain for name in of_all[0]}
    mean.load_state_dict({**weights, "bias": weights["bias"] + torch.from_numpy(bias)})
    return mean


def _fit_part(
    codes: Sequence[Codes],
    targets: npt.NDArray[np.intp],
    n_classes: int,
    recipe: ProbeRecipe,
    states: States,
    *,
    frames: bool,
    seed: int,
    alone: bool,
) -> ProbeHead:
    """Fit a head to sequences that are few enough to be fitted together.

    One that is not `alone` is calibrated with the others.
    """
    words = WORD.tokenize(np.stack(codes)).astype(np.int64)
    wanted = np.eye(n_classes, dtype=np.float32)[targets]
    places: list[Places] = [WordPlaces(words), StatePlaces(states)]
    shares = [recipe.word_share, 1.0]
    if frames:
        places.append(FramePlaces(codes))
        shares.append(FRAME_SHARE)
    task = _Task(places, shares, wanted, seed)
    everything = np.arange(len(codes))
    evidence = task.evidence(everything)
    fit = fit_ridge(task.kernel(evidence, everything), wanted)
    gain, bias = calibrate(fit.left_out, targets)
    if alone:
        # The scores above are of sequences that the ridge has not seen, but the evidence has.
        sure = _how_sure(task, targets, gain, bias)
        gain, bias = gain * sure, bias * sure

    head = ProbeHead(states.shape[2], states.shape[1], len(codes[0]), n_classes, frames)
    parameters = [head.words, head.states]
    if head.frames is not None:
        parameters.append(head.frames.weight)
    constant = gain * fit.offset + bias
    with torch.no_grad():
        for kind, of_kind, parameter in zip(places, evidence, parameters, strict=True):
            weights = gain * kind.weights(of_kind, fit.coefficients)
            parameter.copy_(torch.from_numpy(weights))
            constant = constant - kind.centre @ weights.sum(axis=0)
        head.bias.copy_(torch.from_numpy(constant))
    return head.eval()


class _Task(NamedTuple):
    """What a head is fitted to.

    Parameters
    ----------
    places : list of Places
    shares : list of float
        Factor on the weights of each kind.
    wanted : numpy.ndarray of float32, shape (n, n_classes)
        1 for a sequence's class, else 0.
    seed : int
        Of the sample that evidence is measured on.
    """

    places: list[Places]
    shares: list[float]
    wanted: Floats
    seed: int

    def evidence(self, rows: npt.NDArray[np.intp]) -> list[Floats]:
        """Weigh places by what they tell of the labels of some sequences."""
        drawn = np.random.default_rng(self.seed).permutation(rows)
        sample = np.sort(drawn[:MOST_FOR_EVIDENCE])
        found = [
            share * evidence_of_places(kind.means(sample), self.wanted[sample])
            for kind, share in zip(self.places, self.shares, strict=True)
        ]
        if any(of_kind.any() for of_kind in found):
            return found
        return [np.ones_like(of_kind) for of_kind in found]

    def kernel(self, evidence: list[Floats], columns: npt.NDArray[np.intp]) -> Floats:
        """Return the kernel of all sequences with some, shape (n, len(columns))."""
        kernel = np.zeros((len(self.wanted), len(columns)), dtype=np.float32)
        for kind, of_kind in zip(self.places, evidence, strict=True):
            for weight, means in zip(of_kind, kind.means(slice(None)), strict=True):
                if weight:
                    kernel += weight * (means @ means[columns].T)
        return kernel


def _how_sure(
    task: _Task, targets: npt.NDArray[np.intp], gain: np.float32, bias: Floats
) -> np.float32:
    """Return the factor on logits that left-out sequences ask for, 1 at most.

    Each part of the sequences is scored by a fit of the others, their evidence included; the
    factor is the one under which these scores make the labels likeliest (temperature scaling, Guo
    et al. 2017, arXiv:1706.04599). What is likeliest of a sequence does not change.
    """
    smallest = int(np.unique(targets, return_counts=True)[1].min())
    n_folds = min(FOLDS if len(targets) <= MANY else FOLDS_OF_MANY, smallest)
    if n_folds < 2:
        return np.float32(1)  # A class of a single sequence cannot be left out.
    logits = np.zeros(task.wanted.shape)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=task.seed)
    for rest, fold in folds.split(targets, targets):
        kernel = task.kernel(task.evidence(rest), rest)
        fit = fit_ridge(kernel[rest], task.wanted[rest])
        logits[fold] = gain * (kernel[fold] @ fit.coefficients + fit.offset) + bias
    wanted = smoothed(targets, task.wanted.shape[1])
    found = minimize_scalar(
        lambda factor: -(wanted * log_softmax(factor * logits, axis=1)).sum(),
        bounds=(LEAST_SURE, 1),
        method="bounded",
    )
    return np.float32(found.x)


def head_probabilities(
    head: ProbeHead, codes: Sequence[Codes], states: States | None = None
) -> npt.NDArray[np.float64]:
    """Return class probabilities from hidden states that are at hand.

    Parameters
    ----------
    head, codes, states
        As in `head_logits`.

    Returns
    -------
    numpy.ndarray of float64, shape (len(codes), n_classes)
    """
    return torch.from_numpy(head_logits(head, codes, states)).softmax(-1).numpy()


def head_logits(
    head: ProbeHead, codes: Sequence[Codes], states: States | None = None
) -> npt.NDArray[np.float64]:
    """Return logits from hidden states that are at hand.

    Parameters
    ----------
    head : ProbeHead
    codes : sequence of numpy.ndarray of uint8
        Without context.
    states : numpy.ndarray of float16, shape (len(codes), n_tokens, width), optional
        From the encoder that the head was fitted on; none for a head that takes none.

    Returns
    -------
    numpy.ndarray of float64, shape (len(codes), n_classes)
    """
    if states is None:
        states = np.zeros((len(codes), 0, 1), dtype=np.float16)
    parts = []
    with torch.no_grad():
        for start in range(0, len(codes), 512):
            hidden = torch.from_numpy(np.array(states[start : start + 512], dtype=np.float32))
            bases = torch.from_numpy(np.stack(codes[start : start + 512]))
            parts.append(head(hidden.transpose(0, 1), bases).double().numpy())
    return np.concatenate(parts)
