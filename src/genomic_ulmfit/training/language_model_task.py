"""What Lightning must know to train a language model: the step, and all that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from genomic_ulmfit.data.streams import TokenStreams
from genomic_ulmfit.models.awd_lstm import State
from genomic_ulmfit.models.language_model import LanguageModel, activation_regularisation
from genomic_ulmfit.training.checkpoints import OWN
from genomic_ulmfit.training.lightning_setup import Task, adamw, one_cycle
from genomic_ulmfit.training.pretraining_recipe import PretrainingRecipe


class LanguageModelTask(Task):
    """Truncated back-propagation through time over endless streams.

    Parameters
    ----------
    model : LanguageModel
    recipe : PretrainingRecipe
    total_steps : int
    settings : dict
        What identifies the run; a checkpoint is resumed only under the same.
    """

    def __init__(
        self,
        model: LanguageModel,
        recipe: PretrainingRecipe,
        total_steps: int,
        settings: dict[str, Any],
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.settings = settings
        self.total_steps = total_steps
        self.state: State | None = None
        self.running_loss: Tensor | None = None
        self.resumed_random: dict[str, Tensor] | None = None
        self.tokens = 0
        self.seconds = 0.0
        self.curve: list[dict[str, float]] = []

    def training_step(self, batch: tuple[Tensor, bool], _: int) -> Tensor:
        """Return the loss of one window, and keep the state for the next."""
        window, fresh = batch
        state = None if fresh else self.state
        logits, raw, dropped, self.state = self.model(window[:-1], state)
        targets = self.model.encoder.config.tokenizer.new_bases(window[1:])
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        # Not read here: on a GPU that would wait for the step to end.
        current = loss.detach()
        self.running_loss = (
            current if self.running_loss is None else 0.98 * self.running_loss + 0.02 * current
        )
        self.tokens += targets.numel() * self.trainer.world_size
        return loss + activation_regularisation(raw, dropped, self.recipe.alpha, self.recipe.beta)

    def mean_running_loss(self) -> float:
        """Return the running mean of the loss over all processes."""
        assert self.running_loss is not None
        mean = self.trainer.strategy.reduce(self.running_loss.clone(), reduce_op="mean")
        return float(mean)

    def configure_optimizers(self) -> Any:
        """Return AdamW and its schedule."""
        optimizer = adamw(
            self.parameters(),
            lr=self.recipe.learning_rate,
            betas=(0.8, 0.99),
            weight_decay=self.recipe.weight_decay,
        )
        rates = [self.recipe.learning_rate]
        return {
            "optimizer": optimizer,
            "lr_scheduler": one_cycle(optimizer, rates, self.total_steps, warm_up=0.1),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the streams had read and which dropout masks come next, of every process.

        With them a resumed run repeats what the interrupted one would have done.
        """
        assert self.state is not None
        assert self.running_loss is not None
        random = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.device)
        own = {
            "state": [(h.cpu(), c.cpu()) for h, c in self.state],
            "running_loss": self.running_loss.cpu(),
            "random": random,
        }
        everyone = [own] * self.trainer.world_size
        if self.trainer.world_size > 1:
            torch.distributed.all_gather_object(everyone, own)
        checkpoint[OWN] = {
            "processes": everyone,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "curve": self.curve,
            "settings": self.settings,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take back what `on_save_checkpoint` has added."""
        saved = checkpoint[OWN]
        own = saved["processes"][self.trainer.global_rank]
        self.state = [(h.to(self.device), c.to(self.device)) for h, c in own["state"]]
        self.running_loss = own["running_loss"].to(self.device)
        self.resumed_random = own["random"]
        self.tokens = saved["tokens"]
        self.seconds = saved["seconds"]
        self.curve = saved["curve"]

    def on_train_start(self) -> None:
        """Settle which dropout masks come next."""
        if self.resumed_random is not None:
            torch.set_rng_state(self.resumed_random["cpu"])
            if "cuda" in self.resumed_random:
                torch.cuda.set_rng_state(self.resumed_random["cuda"], self.device)
        elif self.trainer.global_rank:
            # The same weights everywhere, but other dropout masks.
            entropy = [self.settings["seed"], self.trainer.global_rank]
            torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))


class StepsOfRun:
    """As many windows as a run has steps: epoch after epoch, the last one perhaps in part.

    To Lightning this is a single epoch, so that there is one place where it can be resumed.

    Parameters
    ----------
    streams : TokenStreams
    total_steps : int
    """

    def __init__(self, streams: TokenStreams, total_steps: int) -> None:
        self.streams = streams
        self.total_steps = total_steps
        self.steps = 0

    def __len__(self) -> int:
        return self.total_steps

    def __iter__(self) -> Iterator[tuple[Tensor, bool]]:
        while self.steps < self.total_steps:
            for batch in self.streams:
                self.steps += 1
                yield batch
                if self.steps == self.total_steps:
                    return

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the run, for a checkpoint."""
        return {"steps": self.steps, "streams": self.streams.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved place."""
        self.steps = state["steps"]
        self.streams.load_state_dict(state["streams"])
