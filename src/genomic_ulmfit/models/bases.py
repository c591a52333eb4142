"""Base codes as the tensors that networks over bases read."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from genomic_ulmfit.dna.alphabet import AMBIGUOUS


def one_hot(codes: Tensor) -> Tensor:
    """Return one channel per base, all 0 for an ambiguous one and for padding.

    Parameters
    ----------
    codes : Tensor of uint8, shape (batch, bases)

    Returns
    -------
    Tensor of float32, shape (batch, bases, 4)
    """
    # One column more for ambiguous bases, cut off again.
    return F.one_hot(codes.long(), AMBIGUOUS + 1)[..., :AMBIGUOUS].float()
