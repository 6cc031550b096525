"""Small traces in the formats of large ones."""

import json
from pathlib import Path

Window = tuple[float, float, str, float, float]


def servegen(
    folder: Path, *clients: list[Window], prompt: str = "{10: 0.5, 30: 0.5}", answer: str = "{5: 1}"
) -> Path:
    """Of each client its windows (start, requests/s, kind, shape, scale), in blocks of 6 hours
    that all have the same lengths."""
    folder.mkdir(exist_ok=True)
    for number, windows in enumerate(clients):
        lines = [f"{start:g},{per_s},1,{kind},{a},{b}" for start, per_s, kind, a, b in windows]
        (folder / f"chunk-{number}-trace.csv").write_text("\n".join(lines))
        of = {"input_tokens": prompt, "output_tokens": answer, "reason_ratio": "{}"}
        blocks = {str(start): of for start in (0, 21_600)}
        (folder / f"chunk-{number}-dataset.json").write_text(json.dumps(blocks))
    return folder
