"""What heads take from hidden states, when those of some sequences change from some token on.

Heads pool hidden states, project them to a few channels or weigh them to logits. Each of these
goes token by token, so what an edit leaves as it is need not be summed up again: nothing as wide
as hidden states is copied for it, but what was read anew. On two cores copying took as long as the
encoder did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from genomic_ulmfit.models.classifier import Classifier, Summary


class Again(NamedTuple):
    """What one reading of some edited sequences says from a token on.

    Parameters
    ----------
    start : int
        The token.
    hidden : Tensor, shape (n_tokens - start, n_edits, width)
    """

    start: int
    hidden: Tensor


class Summaries:
    """Summaries of sequences, and of what becomes of them.

    Parameters
    ----------
    model : Classifier
    hidden : Tensor, shape (n_tokens, readings * batch, width)
        Of the sequences, without context.
    lengths : Tensor of int, shape (batch,)
        Tokens of each.
    """

    def __init__(self, model: Classifier, hidden: Tensor, lengths: Tensor) -> None:
        self.model = model
        readings = model.config.readings
        self.turned = [number >= readings.phases for number in range(readings.count)]
        parts = hidden.float().chunk(readings.count, dim=1)
        self.weights = _weights(model, len(hidden), self.turned)
        self.by_token = [part @ weights for part, weights in zip(parts, self.weights, strict=False)]
        self.pooled: list[_Pooled] = []
        if model.pooling_head is not None:
            self.pooled = [_Pooled(part, lengths) for part in parts]

    def edited(self, columns: Tensor, again: Sequence[Again]) -> Summary:
        """Summarise edited sequences.

        Parameters
        ----------
        columns : Tensor of int, shape (n_edits,)
            Which of the sequences is edited.
        again : sequence of Again
            One for each reading.
        """
        model = self.model
        pooled, projected, of_states = None, None, None
        if self.pooled:
            pooled = torch.cat(
                [part.edited(columns, one) for part, one in zip(self.pooled, again, strict=True)]
            )
        if self.weights:
            lines = []
            for by_token, weights, turned, one in zip(
                self.by_token, self.weights, self.turned, again, strict=True
            ):
                line = torch.cat(
                    [by_token[: one.start, columns], one.hidden @ weights[one.start :]]
                )
                lines.append(line.flip(0) if turned else line)
            by_token = torch.stack(lines).sum(0)
            if model.position_head is not None:
                projected = by_token[..., : model.position_head.CHANNELS]
                projected = projected + model.position_head.project.bias
            if model.probe_head is not None:
                of_states = by_token[..., -len(model.config.classes) :].sum(0)
        return Summary(pooled, projected, of_states)


def _weights(model: Classifier, n_tokens: int, turned: Sequence[bool]) -> list[Tensor]:
    """Return what weighs each reading's states, shape (n_tokens, width, channels) each.

    The channels of the head by position come first, the classes of the probe last. Tokens are in
    the order in which the reading goes. Empty if no head has weights for tokens.
    """
    columns: list[list[Tensor]] = [[] for _ in turned]
    if model.position_head is not None:
        projection = model.position_head.project.weight.float().T
        for own, weights in zip(columns, projection.chunk(len(turned)), strict=True):
            own.append(weights.expand(n_tokens, -1, -1))
    if model.probe_head is not None:
        parts = model.probe_head.states.float().chunk(len(turned), dim=1)
        for own, weights, turn in zip(columns, parts, turned, strict=True):
            own.append(weights.flip(0) if turn else weights)
    return [torch.cat(own, dim=2) for own in columns if own]


class _Pooled:
    """Last, highest and mean states of one reading, up to every token."""

    def __init__(self, hidden: Tensor, lengths: Tensor) -> None:
        self.hidden, self.lengths = hidden, lengths
        inside = self._inside(0, len(hidden))
        nothing = torch.full_like(hidden[:1], -torch.inf)
        highest = hidden.masked_fill(~inside, -torch.inf).cummax(0).values
        # Before each token, and before the one behind the last.
        self.highest = torch.cat([nothing, highest])
        total = hidden.masked_fill(~inside, 0.0).cumsum(0)
        self.total = torch.cat([torch.zeros_like(total[:1]), total])

    def edited(self, columns: Tensor, again: Again) -> Tensor:
        """Return shape (n_edits, 3 * width), as `concat_pool` does."""
        start, hidden = again
        lengths = self.lengths[columns]
        highest, total = self.highest[start, columns], self.total[start, columns]
        last = self.hidden[lengths - 1, columns]
        if len(hidden):
            known, seen = hidden, hidden
            # Without padding, which sequences of one length have not, two copies less.
            if int(lengths.min()) < start + len(hidden):
                inside = self._inside(start, len(hidden))[:, columns]
                known = hidden.masked_fill(~inside, 0.0)
                seen = hidden.masked_fill(~inside, -torch.inf)
            highest, total = highest.maximum(seen.amax(0)), total + known.sum(0)
            place = lengths - 1 - start
            again_last = hidden[place.clamp(min=0), torch.arange(len(columns))]
            last = torch.where(place[:, None] >= 0, again_last, last)
        return torch.cat([last, highest, total / lengths[:, None]], dim=1)

    def _inside(self, start: int, count: int) -> Tensor:
        """Tell which of `count` tokens are no padding, shape (count, batch, 1)."""
        tokens = torch.arange(start, start + count)
        return (tokens[:, None] < self.lengths)[..., None]
