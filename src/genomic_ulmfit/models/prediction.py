"""What a classifier says of any number of sequences, of lengths that it takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax
from torch import Tensor

from genomic_ulmfit.data.batches import Batch, TokenizedSequences
from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import AWDLSTM
from genomic_ulmfit.models.classifier import Classifier
from genomic_ulmfit.models.precision import autocast, settled_precision
from genomic_ulmfit.models.threads import in_threads, piece_size


def predict_probabilities(
    model: Classifier,
    codes: Sequence[Codes],
    *,
    names: Sequence[str] | None = None,
    precision: str | None = None,
    batch_size: int = 256,
) -> npt.NDArray[np.float64]:
    """Return class probabilities.

    Parameters
    ----------
    model, codes, names, precision, batch_size
        As in `predict_logits`.

    Returns
    -------
    numpy.ndarray of float64, shape (len(codes), n_classes)
        Rows sum to 1, in the order of `codes`.

    Raises
    ------
    InputError
        If a sequence has a length that the model does not take, see `require_length`.
    """
    logits = predict_logits(model, codes, names=names, precision=precision, batch_size=batch_size)
    probabilities: npt.NDArray[np.float64] = softmax(logits, axis=1)
    return probabilities


def predict_logits(
    model: Classifier,
    codes: Sequence[Codes],
    *,
    names: Sequence[str] | None = None,
    precision: str | None = None,
    batch_size: int = 256,
) -> npt.NDArray[np.float64]:
    """Return what the softmax of class probabilities is taken of.

    Parameters
    ----------
    model : Classifier
        Used in evaluation mode.
    codes : sequence of numpy.ndarray of uint8
        Base codes of each sequence; where the model was trained with context around sequences,
        they may have as much of it on either side.
    names : sequence of str, optional
        What to call each sequence in an error message; their numbers if not given.
    precision : {"bf16", "fp32"}, optional
        Of the encoder; heads compute in fp32. Probed if not given.
    batch_size : int
        Sequences at a time; it changes the speed, not the result.

    Returns
    -------
    numpy.ndarray of float64, shape (len(codes), n_classes)
        In the order of `codes`.

    Raises
    ------
    InputError
        If a sequence has a length that the model does not take, see `require_length`.
    """
    for number, sequence in enumerate(codes):
        require_length(model, sequence, names[number] if names else f"sequence {number + 1}")
    logits = np.zeros((len(codes), len(model.config.classes)))
    device = next(model.parameters()).device
    model.eval()
    config = model.config
    sequences = TokenizedSequences.of(codes, config.encoder.tokenizer, config.readings)
    precision = settled_precision(precision, device)

    def of_batch(batch: Batch) -> npt.NDArray[np.float64]:
        with torch.no_grad(), autocast(precision, device):
            found: Tensor = model(*(part.to(device) for part in batch[1:]))
            return found.double().cpu().numpy()

    batch_size = piece_size(len(codes), batch_size, device)
    # With and without context, sequences of one length are not to be padded to another.
    batches = sequences.in_order_of_length(batch_size, pad=config.length is None)
    for batch, found in in_threads(of_batch, batches, device):
        logits[batch.rows.numpy()] = found
    return logits


def require_length(model: AWDLSTM | Classifier, codes: Codes, name: str) -> None:
    """Check that a model can read a sequence of this length.

    Parameters
    ----------
    model : AWDLSTM or Classifier
        An encoder reads whatever holds one token; a classifier may have been trained on
        sequences of one length, with context around them or without.
    codes : numpy.ndarray of uint8, shape (length,)
        Base codes; with as much context as the model knows on either side, or none.
    name : str
        Of the sequence, for the message.

    Raises
    ------
    InputError
        If the sequence has a length that the model does not take.
    """
    length, context = None, 0
    if isinstance(model, Classifier):
        length, context = model.config.length, model.config.context
        shortest = model.config.encoder.tokenizer.k
    else:
        shortest = model.config.tokenizer.k
    if length is not None and len(codes) not in (length, length + 2 * context):
        allowed = f"{length}"
        if context:
            allowed += (
                f" (or {length + 2 * context}, with {context} bases of context on either side)"
            )
        raise InputError(
            f"{name}: has {len(codes)} bases, but this model was trained on sequences of "
            f"{allowed}. Cut windows of that length, or train with --head pooling."
        )
    if len(codes) < shortest:
        raise InputError(
            f"{name}: has {len(codes)} bases; at least {shortest} are needed. Remove it or give a "
            "longer one."
        )
