"""k-mer tokens by arithmetic: a k-mer's id is its value as a base-4 number.

There is no vocabulary file. Two models with the same k agree about every token, always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.dna.alphabet import AMBIGUOUS, BASES, Codes
from genomic_ulmfit.errors import InputError

Tokens = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class KmerTokenizer:
    """Reads DNA as overlapping k-mers.

    Parameters
    ----------
    k : int
        Bases per token, 1 to 7.
    stride : int
        Bases between the starts of neighbouring tokens, 1 to `k`. Neighbours share
        ``k - stride`` bases, so only `stride` bases of the next token are news.
    """

    k: int = 5
    stride: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.k <= 7:
            raise InputError(f"k: got {self.k}, allowed are 1 to 7.")
        if not 1 <= self.stride <= self.k:
            raise InputError(f"stride: got {self.stride}, allowed are 1 to k={self.k}.")

    @property
    def unknown(self) -> int:
        """Id of the token for a k-mer with an ambiguous base, and of padding."""
        return 4**self.k

    @property
    def vocab_size(self) -> int:
        """Number of ids: every k-mer, and one for unknown."""
        return 4**self.k + 1

    @property
    def n_new(self) -> int:
        """Outcomes still open when the token before is known: 4 to the power of stride."""
        return 4**self.stride

    def n_tokens(self, length: int, phase: int = 0) -> int:
        """Return how many tokens `length` bases give when the first `phase` are skipped."""
        return max(0, (length - phase - self.k) // self.stride + 1)

    def tokenize(self, codes: Codes, phase: int = 0) -> Tokens:
        """Read base codes as tokens.

        Parameters
        ----------
        codes : numpy.ndarray of uint8, shape (..., length)
            Base codes (see `genomic_ulmfit.dna.alphabet`); leading axes are kept.
        phase : int
            Bases to skip before the first token.

        Returns
        -------
        numpy.ndarray of uint16, shape (..., n_tokens(length, phase))
            A k-mer with an ambiguous base becomes `unknown`.

        Raises
        ------
        InputError
            If the sequence is too short for one token, or the phase is negative.
        """
        if phase < 0:
            raise InputError(f"phase: got {phase}, allowed is 0 or more.")
        length = codes.shape[-1]
        count = self.n_tokens(length, phase)
        if count == 0:
            raise InputError(
                f"sequence: has {length} bases{f', {phase} of them skipped' if phase else ''}; at "
                f"least {self.k + phase} are needed, because {self.k} are read at a time."
            )
        tokens = np.zeros((*codes.shape[:-1], count), dtype=np.uint16)
        last = phase + (count - 1) * self.stride
        for offset in range(self.k):
            bases = codes[..., phase + offset : last + offset + 1 : self.stride]
            np.multiply(tokens, 4, out=tokens)
            np.add(tokens, bases, out=tokens)
        # An ambiguous base adds 4 instead of 0 to 3 and so carries into its neighbour; only
        # sequences that have one pay for finding where.
        if (codes == AMBIGUOUS).any():
            for offset in range(self.k):
                bases = codes[..., phase + offset : last + offset + 1 : self.stride]
                tokens[bases == AMBIGUOUS] = self.unknown
        return tokens

    def new_bases(self, tokens: Any) -> Any:
        """Return the last `stride` bases of each token as one number below `n_new`.

        Parameters
        ----------
        tokens : numpy.ndarray or Tensor of int

        Returns
        -------
        numpy.ndarray or Tensor of int
            Of the same shape.
        """
        return tokens & (self.n_new - 1)

    def to_kmer(self, token: int) -> str:
        """Spell a token in letters; unknown is spelt as N."""
        if token == self.unknown:
            return "N" * self.k
        return "".join(BASES[(token >> 2 * (self.k - 1 - i)) & 3] for i in range(self.k))
