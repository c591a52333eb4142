"""Bases as small integers: A, C, G, T are 0, 1, 2, 3 and every ambiguous base is 4.

With this order the complement of a base is 3 minus its code, and a k-mer read as a base-4
number is its token.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genomic_ulmfit.errors import InputError

Codes = npt.NDArray[np.uint8]

BASES = "ACGT"
AMBIGUOUS = 4
IUPAC_AMBIGUOUS = "RYSWKMBDHVN"

_INVALID = 255
_ENCODE = np.full(256, _INVALID, dtype=np.uint8)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "TtUu")):
    for _letter in _letters:
        _ENCODE[ord(_letter)] = _code
for _letter in IUPAC_AMBIGUOUS + IUPAC_AMBIGUOUS.lower():
    _ENCODE[ord(_letter)] = AMBIGUOUS

_DECODE = np.frombuffer(b"ACGTN", dtype=np.uint8)
_COMPLEMENT = np.array([3, 2, 1, 0, AMBIGUOUS], dtype=np.uint8)


def encode(sequence: str | bytes, *, name: str = "sequence") -> Codes:
    """Turn letters into base codes.

    Lower case is read as upper case and U (RNA) as T; the eleven IUPAC ambiguity letters all
    become `AMBIGUOUS`.

    Parameters
    ----------
    sequence : str or bytes
        Nucleotide letters, without white space.
    name : str
        What to call the sequence in an error message.

    Returns
    -------
    numpy.ndarray of uint8, shape (len(sequence),)
        0 to 3 for A, C, G, T and 4 for an ambiguous base.

    Raises
    ------
    InputError
        If a character is no IUPAC nucleotide letter (protein, gaps, digits).
    """
    raw = sequence.encode("utf-8", "surrogatepass") if isinstance(sequence, str) else sequence
    codes = _ENCODE[np.frombuffer(raw, dtype=np.uint8)]
    invalid = codes == _INVALID
    if invalid.any():
        position = int(invalid.argmax())
        # Every letter before it is ASCII, so that bytes and characters count alike up to here.
        letter = sequence[position] if isinstance(sequence, str) else chr(raw[position])
        raise InputError(
            f"{name}: {letter!r} at position {position + 1} is not a nucleotide letter "
            f"(A, C, G, T, U or IUPAC {IUPAC_AMBIGUOUS}). Is this a protein or an alignment? "
            "Give ungapped DNA or RNA."
        )
    return codes


def decode(codes: Codes) -> str:
    """Turn base codes into upper-case letters; ambiguous bases become N."""
    return _DECODE[codes].tobytes().decode("ascii")


def reverse_complement(codes: Codes) -> Codes:
    """Return the other strand, 5' to 3'; ambiguous bases stay ambiguous."""
    return _COMPLEMENT[codes[::-1]]


def one_hot(codes: Codes) -> npt.NDArray[np.float32]:
    """Return the one-hot form of base codes.

    Parameters
    ----------
    codes : numpy.ndarray of uint8, shape (..., length)

    Returns
    -------
    numpy.ndarray of float32, shape (..., length, 4)
        Ambiguous bases (and padding, which uses the same code) are all zeros.
    """
    table = np.vstack([np.eye(4), np.zeros((1, 4))]).astype(np.float32)
    return table[codes]
