"""Training a `MotifNetwork`."""

from __future__ import annotations

import math

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, Subset, TensorDataset

from genomic_ulmfit.dna.alphabet import Codes
from genomic_ulmfit.models.motifs import MotifNetwork
from genomic_ulmfit.training.lightning_setup import Progress, Task, adamw, fit, make_trainer

BATCH = 64
EPOCHS = 12
PATIENCE = 4
MIN_STEPS = 25
"""Of an epoch. A handful of sequences would be one step per epoch, and a dozen steps teach
nothing: an epoch then goes round them several times."""


def fit_motifs(
    codes: Codes,
    lengths: npt.NDArray[np.int64],
    targets: npt.NDArray[np.intp],
    n_classes: int,
    *,
    frames: bool = False,
    seed: int = 0,
    progress: bool = False,
) -> MotifNetwork:
    """Train on nine tenths of the sequences; the last tenth says when to stop.

    Parameters
    ----------
    codes : numpy.ndarray of uint8, shape (n, longest)
        Padded with the ambiguous code.
    lengths : numpy.ndarray of int, shape (n,)
        Bases of each.
    targets : numpy.ndarray of int, shape (n,)
    n_classes : int
    frames : bool
        Whether to score open reading frames, too.
    seed : int
        Of the tenth, weights, dropout and batches.
    progress : bool
        Whether to draw a bar on standard error.

    Returns
    -------
    MotifNetwork
        In evaluation mode, with the weights of its best epoch. For sequences of one length if
        all have one.
    """
    held_in, held_out = train_test_split(
        np.arange(len(targets)),
        test_size=max(n_classes, round(0.1 * len(targets))),
        stratify=targets if np.unique(targets, return_counts=True)[1].min() > 1 else None,
        random_state=seed,
    )
    data = TensorDataset(*(torch.from_numpy(a) for a in (codes, lengths, targets)))
    batch = min(BATCH, len(held_in))
    sampler = RandomSampler(
        held_in,
        num_samples=max(len(held_in), MIN_STEPS * batch),
        generator=torch.Generator().manual_seed(seed),
    )
    # The caller's random numbers go on as if nothing had been drawn here.
    with torch.random.fork_rng(range(min(1, torch.cuda.device_count()))):
        torch.manual_seed(seed)
        task = _MotifTask(MotifNetwork(n_classes, _one_length(lengths), frames))
        trainer = make_trainer(
            "fp32",
            accelerator="cpu",
            max_epochs=EPOCHS,
            callbacks=[
                Progress("Network over bases", progress),
                EarlyStopping("valid_loss", patience=PATIENCE),
                _KeepBest(),
            ],
        )
        fit(
            trainer,
            task,
            DataLoader(Subset(data, held_in), batch_size=batch, sampler=sampler),
            DataLoader(Subset(data, held_out), batch_size=512),
        )
    return task.model.eval()


def _one_length(lengths: npt.NDArray[np.int64]) -> int | None:
    return int(lengths[0]) if len(set(lengths.tolist())) == 1 else None


class _MotifTask(Task):
    """Cross-entropy of batches of codes, lengths and targets."""

    def __init__(self, model: MotifNetwork) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        """Return the loss of one batch."""
        codes, lengths, targets = batch
        loss = F.cross_entropy(self.model(codes, lengths), targets)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], index: int) -> None:
        """Log the loss of one held-out batch."""
        codes, lengths, targets = batch
        loss = F.cross_entropy(self.model(codes, lengths), targets)
        self.log("valid_loss", loss, batch_size=len(targets))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam with decoupled weight decay."""
        return adamw(self.parameters(), lr=1e-3, weight_decay=1e-2)


class _KeepBest(Callback):
    """Gives the network the weights of its best epoch back, without a file."""

    def __init__(self) -> None:
        self.lowest = math.inf
        self.weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Copy the weights if the held-out loss never was so low."""
        loss = float(trainer.callback_metrics["valid_loss"])
        if loss < self.lowest:
            self.lowest = loss
            self.weights = {name: value.clone() for name, value in task.state_dict().items()}

    def on_train_end(self, trainer: L.Trainer, task: L.LightningModule) -> None:
        """Put them back."""
        task.load_state_dict(self.weights)
