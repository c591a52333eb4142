"""What the machine itself can do, by PyTorch's own kernels."""

from __future__ import annotations

import statistics

import torch

from speed_rows.row import Bench, Measurement, Row, rates

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
REPEATS = 7


def gemm(bench: Bench, precision: str) -> Measurement:
    """Multiply square matrices; the size that goes fastest is the machine's peak."""
    by_size = {}
    for n in (128, 256) if bench.quick else (1024, 2048, 4096):
        a, b, out = (torch.ones(n, n, dtype=DTYPES[precision]) for _ in range(3))

        def multiply(n: int = n, a: torch.Tensor = a, b: torch.Tensor = b, out=out) -> float:
            torch.mm(a, b, out=out)
            return 2 * n**3 / 1e12

        by_size[n] = rates(multiply, bench.repeats(REPEATS))
    best = max(by_size, key=lambda n: statistics.median(by_size[n]))
    return Measurement(by_size[best], f"{best} x {best}")


def bandwidth(bench: Bench) -> Measurement:
    """Copy far more than the caches hold; what is read and what is written both count."""
    source = torch.ones((4 if bench.quick else 512) << 18)
    target = torch.empty_like(source)

    def copy() -> float:
        target.copy_(source)
        return 2 * source.numel() * source.element_size() / 1e9

    values = rates(copy, bench.repeats(REPEATS))
    return Measurement(values, f"copy of {source.numel() * 4 / 1e6:.0f} MB")


def rows(_: Bench) -> list[Row]:
    return [
        *(
            Row(
                f"gemm-{precision}",
                f"this machine: matrix product in {precision}, `torch.mm`, best of three sizes",
                "TFLOP/s",
                lambda bench, precision=precision: gemm(bench, precision),
            )
            for precision in DTYPES
        ),
        Row("memory-copy", "this machine: memory bandwidth, `Tensor.copy_`", "GB/s", bandwidth),
    ]
