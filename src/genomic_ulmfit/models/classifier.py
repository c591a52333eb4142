"""The classifier: an encoder under a head that pools hidden states or sees position, or both."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from genomic_ulmfit.data.readings import Readings
from genomic_ulmfit.dna.alphabet import BASES
from genomic_ulmfit.dna.tokenizer import KmerTokenizer
from genomic_ulmfit.errors import InputError
from genomic_ulmfit.models.awd_lstm import AWDLSTM, State
from genomic_ulmfit.models.bases import one_hot
from genomic_ulmfit.models.config import Dropouts, EncoderConfig
from genomic_ulmfit.models.frames import ReadingFrames
from genomic_ulmfit.models.motifs import MotifNetwork
from genomic_ulmfit.models.probe import ProbeHead

HEADS = ("position", "pooling", "probe")
FIXED_LENGTH = ("position", "probe")
"""Heads with weights for every position, for sequences of one length."""


@dataclass(frozen=True)
class ClassifierConfig:
    """Shape of a classifier.

    Parameters
    ----------
    encoder : EncoderConfig
    classes : tuple of str
        Class names, in the order of the output columns.
    head : {"position", "pooling", "probe"}
        `pooling` is the seed's head (last, max and mean over time), for sequences of any
        length. `position` adds what stands where, for sequences that all have `length` bases.
        `probe` is linear and by position alone; `genomic_ulmfit.training.probe_fit` fits it.
    length : int or None
        Bases per sequence; needed by the `position` and `probe` heads.
    context : int
        Bases that stood before and behind every sequence in training: the encoder reads them on
        its way to the sequence, the head scores nothing of them. Needs `length`; whole tokens.
    both_strands : bool
        Whether the encoder reads the reverse complement, too, so that the head knows of every
        place what stands on either side. A language model of both strands can do that as it is.
    phases : int
        How many of the tokenizer's phases the encoder reads: 1, or with its stride all of them.
        Each cuts the bases into other k-mers, and so gives another opinion of the same place.
    integer_labels : bool
        Whether class names are to be given back as integers.
    with_probe : bool
        Whether a probe of the same hidden states has a say beside the head, and
    with_motifs : bool
        whether a `MotifNetwork` has, which sees bases alone: logits are then the mean of all.
    frames : bool
        Whether all that sees bases by position scores open reading frames, too
        (`ReadingFrames`).
    phases_alike : bool
        Whether the pooling head scores every phase by itself, all with the same weights, and the
        mean of the logits counts; otherwise it has weights of its own for each.
    """

    encoder: EncoderConfig
    classes: tuple[str, ...]
    head: str = "position"
    length: int | None = None
    integer_labels: bool = False
    with_probe: bool = False
    context: int = 0
    both_strands: bool = False
    phases: int = 1
    with_motifs: bool = False
    frames: bool = False
    phases_alike: bool = False

    @property
    def readings(self) -> Readings:
        """The ways in which a sequence is read."""
        return Readings(self.both_strands, self.phases)

    @property
    def opinions(self) -> int:
        """How many logits the pooling head averages."""
        return self.phases if self.phases_alike else 1

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise InputError(f"head: got {self.head!r}, allowed are {', '.join(HEADS)}.")
        fixed = self.head in FIXED_LENGTH or self.with_probe or self.with_motifs
        if fixed and self.length is None:
            raise InputError(
                f"head: {self.head!r} needs sequences of one length; use 'pooling' for sequences "
                "of several lengths."
            )
        stride = self.encoder.tokenizer.stride
        if self.context < 0 or self.context % stride or (self.context and self.length is None):
            raise InputError(
                f"context: got {self.context} bases; allowed are multiples of {stride}, around "
                "sequences of one length."
            )
        if not 1 <= self.phases <= stride:
            raise InputError(f"phases: got {self.phases}, allowed are 1 to {stride}.")
        if self.head == "probe" and self.with_probe:
            raise InputError("with_probe: a probe has no second one; use another head.")

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> ClassifierConfig:
        """Read what `to_dict` wrote."""
        encoder = EncoderConfig.from_dict(value["encoder"])
        return cls(**{**value, "encoder": encoder, "classes": tuple(value["classes"])})


class PoolingHead(nn.Module):
    """ULMFiT's concat pooling and two-layer head (Howard & Ruder 2018, section 3.3).

    Parameters
    ----------
    width : int
        Channels of the hidden states.
    n_classes : int
    dropout : float
        On the pooled states; the second layer's is .1, as in the seed.
    readings : int
        Of each sequence; each is pooled by itself.
    opinions : int
        How many logits are averaged: with 1, what is pooled of all readings stands beside each
        other; with more, of every so-manieth reading, phase by phase, under the same weights.
    """

    def __init__(
        self, width: int, n_classes: int, dropout: float, readings: int = 1, opinions: int = 1
    ) -> None:
        super().__init__()
        self.readings = readings
        self.opinions = opinions
        pooled = 3 * width * (readings // opinions)
        self.layers = nn.Sequential(
            nn.BatchNorm1d(pooled),
            nn.Dropout(dropout),
            nn.Linear(pooled, 50),
            nn.ReLU(),
            nn.BatchNorm1d(50),
            nn.Dropout(0.1),
            nn.Linear(50, n_classes),
        )

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """Pool and score.

        Parameters
        ----------
        hidden : Tensor, shape (time, readings * batch, width)
        lengths : Tensor of int, shape (batch,)
            Tokens of each sequence; what lies beyond is padding and is not looked at.

        Returns
        -------
        Tensor, shape (batch, n_classes)
        """
        return self.score(concat_pool(hidden.float(), lengths.repeat(self.readings)))

    def score(self, pooled: Tensor) -> Tensor:
        """Return logits of pooled states, shape (readings * batch, 3 * width)."""
        parts = pooled.chunk(self.readings)
        every = [torch.cat(parts[i :: self.opinions], dim=1) for i in range(self.opinions)]
        return self.layers(torch.cat(every)).unflatten(0, (self.opinions, -1)).mean(0)


def concat_pool(hidden: Tensor, lengths: Tensor) -> Tensor:
    """Return last, max and mean hidden state over the tokens a sequence really has.

    Parameters
    ----------
    hidden : Tensor, shape (time, batch, width)
    lengths : Tensor of int, shape (batch,)

    Returns
    -------
    Tensor, shape (batch, 3 * width)
    """
    time = torch.arange(len(hidden), device=hidden.device)[:, None, None]
    inside = time < lengths[None, :, None]
    last = hidden[lengths - 1, torch.arange(hidden.shape[1], device=hidden.device)]
    highest = hidden.masked_fill(~inside, -torch.inf).amax(0)
    mean = hidden.masked_fill(~inside, 0.0).sum(0) / lengths[:, None]
    return torch.cat([last, highest, mean], dim=1)


class PositionHead(nn.Module):
    """Scores what stands where: convolutions over hidden states and bases, never pooled.

    Pooling forgets position, but a motif's distance from the window's edge is evidence. Every
    hidden state is projected to a few channels and put beside the bases that its token brought
    in; two convolutions find motifs in both, and a linear layer with weights of its own for
    every position reads them. Another linear layer reads the bases themselves, so that the
    head contains logistic regression on one-hot bases, and one open reading frames.

    Parameters
    ----------
    width : int
        Channels of the hidden states.
    tokenizer : KmerTokenizer
    n_bases : int
        Length of the sequences.
    n_classes : int
    dropout : float
        On bases and motifs.
    frames : bool
        Whether open reading frames are scored, too.
    """

    CHANNELS = 16
    MOTIFS = (48, 32)
    REACH = 5

    def __init__(
        self,
        width: int,
        tokenizer: KmerTokenizer,
        n_bases: int,
        n_classes: int,
        dropout: float = 0.4,
        frames: bool = False,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        inner, outer = self.MOTIFS
        self.project = nn.Linear(width, self.CHANNELS)
        self.find = nn.Sequential(
            nn.Conv1d(
                self.CHANNELS + tokenizer.stride * len(BASES),
                inner,
                self.REACH,
                padding=self.REACH // 2,
            ),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(inner, outer, self.REACH, padding=self.REACH // 2, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
        )
        places = (tokenizer.n_tokens(n_bases) + 1) // 2
        self.motifs = nn.Linear(places * outer, n_classes)
        self.dropout = nn.Dropout(dropout)
        self.bases = nn.Linear(n_bases * len(BASES), n_classes, bias=False)
        self.frames = ReadingFrames(n_bases, n_classes) if frames else None
        # Start as the pooling head alone: positions earn their weight.
        nn.init.zeros_(self.motifs.weight)
        nn.init.zeros_(self.bases.weight)

    def forward(self, hidden: Tensor, codes: Tensor) -> Tensor:
        """Score hidden states and bases by position.

        Parameters
        ----------
        hidden : Tensor, shape (n_tokens, batch, width)
            Readings as `side_by_side` puts them.
        codes : Tensor of uint8, shape (batch, n_bases)

        Returns
        -------
        Tensor, shape (batch, n_classes)
        """
        return self.score(self.project(hidden.float()), codes)

    def score(self, projected: Tensor, codes: Tensor) -> Tensor:
        """Return logits from projected states, shape (n_tokens, batch, CHANNELS), and bases."""
        return self.of_shares(projected, one_hot(codes))

    def of_shares(self, projected: Tensor, bases: Tensor) -> Tensor:
        """Score what may be mixtures of bases, shape (batch, n_bases, 4); see `score`."""
        k, stride = self.tokenizer.k, self.tokenizer.stride
        news = bases[:, k - stride : k - stride + len(projected) * stride]
        news = news.reshape(len(bases), len(projected), -1)
        states = torch.tanh(projected).transpose(0, 1)
        seen = torch.cat([states, news], dim=2).transpose(1, 2)
        if len(projected) == 1:
            # Over one place, oneDNN's gradient of these convolutions in bf16 is not finite.
            with torch.autocast(seen.device.type, enabled=False):
                found = self.find(seen.float())
        else:
            found = self.find(seen)
        logits: Tensor = self.motifs(found) + self.bases(self.dropout(bases.flatten(1)))
        return logits if self.frames is None else logits + self.frames(bases)


class Summary(NamedTuple):
    """What heads take from hidden states; None where no head asks for it.

    Parameters
    ----------
    pooled : Tensor, shape (readings * batch, 3 * width)
        From `concat_pool`.
    projected : Tensor, shape (n_tokens, batch, PositionHead.CHANNELS)
    of_states : Tensor, shape (batch, n_classes)
        What the probe weighs states to.
    """

    pooled: Tensor | None
    projected: Tensor | None
    of_states: Tensor | None


def mean_opinion(
    pooling: Tensor | None,
    by_position: Tensor | None,
    probe: Tensor | None,
    motifs: Tensor | None,
) -> Tensor:
    """Return the logits of a classifier from those of its heads, each of one shape.

    Parameters
    ----------
    pooling, by_position : Tensor or None
        Of one network: what it says is their sum.
    probe, motifs : Tensor or None

    Returns
    -------
    Tensor
        The mean over network, probe and network over bases, as far as there are such.
    """
    of_network = [logits for logits in (pooling, by_position) if logits is not None]
    network = torch.stack(of_network).sum(0) if of_network else None
    opinions = [logits for logits in (network, probe, motifs) if logits is not None]
    return torch.stack(opinions).mean(0)


class Classifier(nn.Module):
    """Encoder and head.

    Parameters
    ----------
    config : ClassifierConfig
    dropouts : Dropouts, optional
        Of the encoder; the `output` rate is also the pooling head's.
    """

    def __init__(self, config: ClassifierConfig, dropouts: Dropouts | None = None) -> None:
        super().__init__()
        self.config = config
        dropouts = dropouts or Dropouts()
        self.encoder = AWDLSTM(config.encoder, dropouts)
        width, n_classes = config.encoder.embedding, len(config.classes)
        by_position = width * config.readings.count
        tokenizer = config.encoder.tokenizer
        self.pooling_head: PoolingHead | None = None
        self.position_head: PositionHead | None = None
        self.probe_head: ProbeHead | None = None
        if config.head == "probe" or config.with_probe:
            assert config.length is not None
            self.probe_head = ProbeHead(
                by_position,
                tokenizer.n_tokens(config.length),
                config.length,
                n_classes,
                config.frames,
            )
        self.motifs: MotifNetwork | None = None
        if config.with_motifs:
            self.motifs = MotifNetwork(n_classes, config.length, config.frames)
        if config.head != "probe":
            self.pooling_head = PoolingHead(
                width, n_classes, dropouts.output, config.readings.count, config.opinions
            )
        if config.head == "position":
            assert config.length is not None
            self.position_head = PositionHead(
                by_position, tokenizer, config.length, n_classes, frames=config.frames
            )

    def forward(self, tokens: Tensor, lengths: Tensor, codes: Tensor) -> Tensor:
        """Score sequences.

        Parameters
        ----------
        tokens : Tensor of int, shape (time, readings * batch)
            Padded at the end with the unknown token; see
            `genomic_ulmfit.data.batches.TokenizedSequences`.
        lengths : Tensor of int, shape (batch,)
            Tokens of each sequence.
        codes : Tensor of uint8, shape (batch, bases)
            Base codes, padded with the ambiguous code; heads that see position read them. Where
            sequences have one length, what is more than that is context, as much before the
            sequence as behind it.

        Returns
        -------
        Tensor, shape (batch, n_classes)
            Logits.
        """
        return self.forward_from(0, self.encoder.embed(tokens), lengths, codes)

    def forward_from(self, first: int, x: Tensor, lengths: Tensor, codes: Tensor) -> Tensor:
        """Score the output of the first `first` LSTM layers (of the embedding if 0).

        Parameters
        ----------
        first : int
        x : Tensor, shape (time, readings * batch, width)
        lengths, codes : Tensor
            As in `forward`.

        Returns
        -------
        Tensor, shape (batch, n_classes)
            Logits.
        """
        if self.config.length is not None:
            around = (codes.shape[1] - self.config.length) // 2
            codes = codes[:, around : around + self.config.length]
            lengths = lengths.clamp(max=self.config.encoder.tokenizer.n_tokens(self.config.length))
        x, state = self._at_the_sequence(first, x)
        # Without output dropout: on channels whose mean is large against what varies, batch
        # norm would learn the variance of the masks. The pooling head has dropout of its own.
        hidden, _, _ = self.encoder.forward_from(first, x, state)
        if self.training:
            return self.logits(self._summarise(hidden, lengths), codes)
        # Rounded to bf16, log-odds would differ in the second digit from those of `explain`.
        with torch.autocast(hidden.device.type, enabled=False):
            return self.logits(self._summarise(hidden.float(), lengths), codes)

    def logits(self, summary: Summary, codes: Tensor) -> Tensor:
        """Score sequences by what heads take from their hidden states, and their bases.

        Parameters
        ----------
        summary : Summary
        codes : Tensor of uint8, shape (batch, bases)
            Without context.

        Returns
        -------
        Tensor, shape (batch, n_classes)
            The mean of the opinions.
        """
        pooling = by_position = probe = None
        if self.pooling_head is not None:
            assert summary.pooled is not None
            pooling = self.pooling_head.score(summary.pooled)
        if self.position_head is not None:
            assert summary.projected is not None
            by_position = self.position_head.score(summary.projected, codes)
        if self.probe_head is not None:
            assert summary.of_states is not None
            probe = self.probe_head.score(summary.of_states, codes)
        motifs = None if self.motifs is None else self.motifs(codes)
        return mean_opinion(pooling, by_position, probe, motifs)

    def _summarise(self, hidden: Tensor, lengths: Tensor) -> Summary:
        pooled, projected, of_states = None, None, None
        if self.pooling_head is not None:
            pooled = concat_pool(hidden.float(), lengths.repeat(self.config.readings.count))
        if self.position_head is not None:
            projected = self.position_head.project(self.side_by_side(hidden).float())
        if self.probe_head is not None:
            of_states = self.probe_head.of_states(self.side_by_side(hidden))
        return Summary(pooled, projected, of_states)

    def side_by_side(self, hidden: Tensor) -> Tensor:
        """Put what was read of the same place in several ways beside each other.

        Parameters
        ----------
        hidden : Tensor, shape (time, readings * batch, width)
            Of sequences of one length.

        Returns
        -------
        Tensor, shape (time, batch, readings * width)
        """
        return side_by_side(hidden, self.config.readings)

    def only_the_sequence(self, x: Tensor) -> Tensor:
        """Cut off the time steps of context, before and behind.

        Parameters
        ----------
        x : Tensor, shape (time, ...)

        Returns
        -------
        Tensor, shape (n_tokens, ...)
            `x` as it is for sequences of any length, which have no context.
        """
        if self.config.length is None:
            return x
        n_tokens = self.config.encoder.tokenizer.n_tokens(self.config.length)
        before = (len(x) - n_tokens) // 2
        return x[before : before + n_tokens]

    def _at_the_sequence(self, first: int, x: Tensor) -> tuple[Tensor, State | None]:
        """Read the context before the sequences; return these and the encoder's state.

        No gradient runs back into the context: it would cost as much again as the sequences
        do, several times over, to learn from labels that are not about it.
        """
        rest = self.only_the_sequence(x)
        before = (len(x) - len(rest)) // 2
        if not before:
            return rest, None
        with torch.no_grad():
            _, _, state = self.encoder.forward_from(first, x[:before])
        return rest, state


def apart(beside: Tensor, readings: Readings) -> Tensor:
    """Undo `side_by_side`."""
    parts = list(beside.chunk(readings.count, dim=2))
    along = parts[: readings.phases]
    return torch.cat([*along, *(part.flip(0) for part in parts[readings.phases :])], dim=1)


def side_by_side(hidden: Tensor, readings: Readings) -> Tensor:
    """Put what was read of the same place in several ways beside each other.

    Parameters
    ----------
    hidden : Tensor, shape (time, readings * batch, width)
        Of sequences of one length.
    readings : Readings

    Returns
    -------
    Tensor, shape (time, batch, readings * width)
        What was read along the other strand is turned round. Tokens that stand beside each
        other are of the same bases or, of another phase, and of sequences whose length less k is
        no multiple of the stride, fewer bases apart than the stride.
    """
    parts = list(hidden.chunk(readings.count, dim=1))
    along = parts[: readings.phases]
    return torch.cat([*along, *(part.flip(0) for part in parts[readings.phases :])], dim=2)
