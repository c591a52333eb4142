"""How many processes train together, and which of them this is."""

from __future__ import annotations

import os

import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from genomic_ulmfit.errors import InputError
from genomic_ulmfit.training.lightning_setup import quiet


def processes(devices: int | None, nodes: int | None) -> tuple[int, int]:
    """Settle how many processes train together.

    Parameters
    ----------
    devices : int, optional
        Processes on each machine: one per GPU, or any number where there is no GPU.
    nodes : int, optional
        Machines.

    Returns
    -------
    devices, nodes : int
        As given; where not given, as many as `torchrun` or SLURM has started, else 1.

    Raises
    ------
    InputError
        If there are fewer devices, or another number of processes was started.
    """
    with quiet():
        started = _started()
    for option, given, found in zip(
        ("--devices", "--nodes"), (devices, nodes), started or (None, None), strict=True
    ):
        if given is not None and given < 1:
            raise InputError(f"{option}: got {given}, allowed is 1 or more.")
        if given is not None and found is not None and given != found:
            raise InputError(
                f"{option}: got {given}, but {found} were started; leave the option out."
            )
    devices, nodes = started or (devices or 1, nodes or 1)
    if torch.cuda.is_available() and devices > torch.cuda.device_count():
        raise InputError(
            f"--devices: {devices} are wanted, but this machine has {torch.cuda.device_count()} "
            "GPUs that can be used."
        )
    return devices, nodes


def environment() -> list[SLURMEnvironment]:
    """Return what Lightning must be told about SLURM, if this is one of its jobs.

    Left to itself Lightning requeues a job that is about to be stopped, with a checkpoint of half
    a step.
    """
    with quiet():
        if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
            return []
        return [SLURMEnvironment(auto_requeue=False)]


def is_first() -> bool:
    """Whether this is the process that speaks and writes."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank() == 0
    # Before the processes have met: as torchrun, SLURM and Lightning number them.
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    return next((os.environ[name] for name in names if name in os.environ), "0") == "0"


def leave() -> None:
    """Leave the group of processes that trained together, if there is one.

    Gloo has threads of its own, and a process that ends with them at work is aborted now and
    then, after everything has gone well.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _started() -> tuple[int, int] | None:
    """Return processes per machine and machines, if something else has started them."""
    if TorchElasticEnvironment.detect():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        return devices, int(os.environ["WORLD_SIZE"]) // devices
    if SLURMEnvironment.detect():
        tasks = int(os.environ["SLURM_NTASKS"])
        # What srun says to those that it starts, and to nobody else.
        if tasks > 1 and "SLURM_STEP_NUM_TASKS" not in os.environ:
            raise InputError(
                f"SLURM_NTASKS: SLURM has {tasks} tasks for this job, but srun has not started "
                "them, and one process would wait for the others forever. Put srun before the "
                "command."
            )
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return tasks // nodes, nodes
    return None
