"""What a command says of a file with several payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.cli.output import hint

if TYPE_CHECKING:
    from edge.artifact import Artifact


def name_others(file: Artifact, verb: str) -> None:
    """Names the payloads that were not run, and how to."""
    others = [payload.format for payload in file.manifest.payloads if payload != file.payload]
    if others:
        hint(f"the {file.payload.format} payload was run; for the others: " + ", ".join(f"EDGE_PAYLOAD={name} edge {verb} …" for name in others))
