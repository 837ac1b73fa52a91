"""`medattn study network-list`: what `medattn networks` lists, measured anew and kept in `published.json`."""

from __future__ import annotations

import json
from typing import Any

from medattn_lite.networks.description import FILE
from medattn_lite.networks.registry import NETWORKS, describe, mechanism_table


def measured() -> dict[str, Any]:
    """What the file should hold, measured now (about ten seconds)."""
    return {"networks": [describe(name).as_dict() for name in NETWORKS], "mechanisms": mechanism_table()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(measured(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(FILE)
