"""From measured rows to the table, with ratios and shares of peak."""

from __future__ import annotations

from typing import Any

from speed_rows.language_model import SEED_LOSS
from speed_rows.row import Row

Results = dict[str, dict[str, Any]]
"""By name of the row: what was measured, or why it was not ("skipped", "failed")."""

SEED_EPOCHS = 19
"""After how many epochs the seed's training was at its best loss."""


def gemm_share(result: dict[str, Any], results: Results) -> float | None:
    """Return counted operations per second over the machine's own, in the same precision."""
    peak = results.get(f"gemm-{result.get('precision')}", {}).get("median")
    if peak is None or "median" not in result:
        return None
    return float(result["median"] * result["flop_per_unit"] / (peak * 1e12))


def ratios(row: Row, results: Results) -> dict[str, float]:
    """Return how many times faster our rows are than this peer."""
    found = {}
    for name in row.against:
        ours, theirs = (results.get(one, {}).get("median") for one in (name, row.name))
        if ours is not None and theirs is not None:
            found[name] = theirs / ours if row.unit == "s" else ours / theirs
    return found


def markdown(rows: list[Row], results: Results) -> str:
    """Write the table."""
    lines = [
        "| row | what | median | lowest to highest | n | share of GEMM peak | ours is faster by | "
        "note |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        result = results.get(row.name)
        if result is None:
            continue
        cells = [f"`{row.name}`", row.what]
        if "median" in result:
            share = gemm_share(result, results)
            cells += [
                f"**{number(result['median'])} {row.unit}**",
                f"{number(result['lowest'])} to {number(result['highest'])}",
                str(len(result["values"])),
                "" if share is None else f"{share:.0%} of {result['precision']}",
                ", ".join(
                    f"{ratio:.2f}× (`{name}`)" for name, ratio in ratios(row, results).items()
                ),
                result["note"],
            ]
        else:
            reason = result.get("skipped") or f"FAILED: {result['failed']}"
            cells += ["not measured", "", "", "", "", reason]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines)


def time_to_quality(results: Results) -> dict[str, Any] | None:
    """Compare our wall time to the seed's loss with the seed's recipe run through fastai."""
    ours, seed = results.get("time-to-quality", {}), results.get("fastai-train-seed", {})
    if "median" not in ours or "median" not in seed:
        return None
    epoch = seed["tokens_per_epoch"] / seed["median"]
    return {
        "ours_seconds": ours["median"],
        "ours_loss": ours["loss"],
        "reached": ours["reached"],
        "fastai_epoch_seconds": epoch,
        "fastai_epochs": SEED_EPOCHS,
        "fastai_seconds": SEED_EPOCHS * epoch,
        "ratio": SEED_EPOCHS * epoch / ours["median"],
    }


def time_to_quality_sentences(found: dict[str, Any], seed: dict[str, Any]) -> str:
    """Say how the comparison was computed."""
    reached = (
        f"the seed's loss of {SEED_LOSS} is passed"
        if found["reached"]
        else f"the seed's loss of {SEED_LOSS} is NOT passed, so the ratio means nothing"
    )
    return (
        f"Time to quality: ours {found['ours_seconds']:,.0f} s to a held-out loss of "
        f"{found['ours_loss']:.3f} ({reached}). The seed's recipe through fastai, EXTRAPOLATED: "
        f"{seed['tokens_per_epoch']:,} tokens an epoch / {number(seed['median'])} tokens/s "
        f"(`fastai-train-seed`, {seed['note']}) = "
        f"{found['fastai_epoch_seconds']:,.0f} s an epoch, x {found['fastai_epochs']} epochs = "
        f"{found['fastai_seconds']:,.0f} s: {found['ratio']:.1f}×. The losses are of different "
        "held-out parts of one genome, in nats per token of k=5, stride 2."
    )


def number(value: float) -> str:
    """Write three figures, thousands apart."""
    if value >= 100:
        digits = len(str(int(value)))
        return f"{round(value, 3 - digits):,.0f}" if digits > 4 else f"{value:,.0f}"
    return f"{value:.3g}"
