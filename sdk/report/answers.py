"""What a network answered, on a terminal: the best classes where it names classes, else the range of every output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import one_line
from edge.report.table import MAX_WIDTH, table

Array = NDArray[np.generic]
TOP = 5
SUM_ERROR = 1e-3  #: probabilities of float16 and int8 networks sum to 1 only nearly
SOFTMAX, AS_THEY_ARE = "softmax", "the network's own"


@dataclass(frozen=True)
class Classes:
    """The scores of one output, by class.  probabilities: None where the scores are not finite or not float.  how: SOFTMAX or AS_THEY_ARE."""

    output: str
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64] | None
    how: str


def classes_of(outputs: Mapping[str, Array], labels: Sequence[str]) -> Classes | None:
    """The output that has one number a class: as many as there are labels, without labels the first that is a vector; None where there is none."""
    fitting = [name for name, a in outputs.items() if (a.size == len(labels) if labels else is_vector(a))]
    name = next(iter(fitting), None)
    if name is None:
        return None
    scores = outputs[name].reshape(-1).astype(np.float64)
    if outputs[name].dtype.kind != "f" or not np.isfinite(scores).all():
        return Classes(name, scores, None, "")
    if scores.min() >= 0 and abs(scores.sum() - 1) <= SUM_ERROR:
        return Classes(name, scores, scores, AS_THEY_ARE)
    grown = np.exp(scores - scores.max())
    return Classes(name, scores, grown / grown.sum(), SOFTMAX)


def best_of(outputs: Mapping[str, Array], labels: Sequence[str], picture: bool) -> Classes | None:
    """The classes to be shown, if any: of a network with labels, and of a picture."""
    return (classes_of(outputs, labels) if labels else None) or (classes_of(outputs, ()) if picture else None)


def is_vector(a: Array) -> bool:
    """(1, 10), (10,) or (1, 10, 1, 1): one axis that counts, and no batch."""
    return a.size > 1 and a.size == max(a.shape)


def top(found: Classes, labels: Sequence[str]) -> list[dict[str, object]]:
    """The classes with the largest scores, the largest first; among equals the first; NaN last."""
    order = np.argsort(-found.scores, kind="stable")[:TOP]
    share = found.probabilities
    return [
        {
            "class": int(i),
            "score": float(found.scores[i]),
            "probability": None if share is None else float(share[i]),
            "label": labels[i] if i < len(labels) else None,
        }
        for i in order
    ]


def facts_of(a: Array) -> dict[str, object]:
    """Shape, dtype, and the range of the values that are finite; argmax of a vector."""
    finite = a[np.isfinite(a)].astype(np.float64) if a.dtype.kind == "f" else a.astype(np.float64).reshape(-1)
    known = finite.size > 0
    return {
        "shape": list(a.shape),
        "dtype": str(a.dtype),
        "min": float(finite.min()) if known else None,
        "mean": float(finite.mean()) if known else None,
        "max": float(finite.max()) if known else None,
        "argmax": int(np.argmax(np.where(np.isnan(a), -np.inf, a) if a.dtype.kind == "f" else a)) if is_vector(a) else None,
        "not_finite": int(a.size - finite.size),
    }


def answers_facts(outputs: Mapping[str, Array], labels: Sequence[str], *, picture: bool) -> dict[str, object]:
    """For --json: every output's range, and the best classes of a picture or of a network with labels."""
    found = best_of(outputs, labels, picture)
    facts: dict[str, object] = {"outputs": {name: facts_of(a) for name, a in outputs.items()}}
    return facts | {"top": top(found, labels), "top_of": found.output, "probabilities": found.how or None} if found else facts


def answers_text(outputs: Mapping[str, Array], labels: Sequence[str], *, picture: bool) -> str:
    """The best classes of a picture or of a network with labels, else ranges."""
    found = best_of(outputs, labels, picture)
    return classes_text(found, labels) if found else ranges_text(outputs)


def classes_text(found: Classes, labels: Sequence[str]) -> str:
    labels = labels if len(labels) == len(found.scores) else ()
    rows = top(found, labels)
    count = f"{len(rows)} best of {len(found.scores)} classes" if len(rows) < len(found.scores) else f"all {len(rows)} classes"
    source = {SOFTMAX: "probability = softmax of the scores", AS_THEY_ARE: "the scores are probabilities", "": "scores as the network gives them"}
    header = (">probability", ">score", ">class", *(("label",) if labels else ()))
    cells = [
        (
            "-" if row["probability"] is None else f"{row['probability']:.2%}",
            f"{row['score']:.5g}",
            str(row["class"]),
            *((str(row["label"] or ""),) if labels else ()),
        )
        for row in rows
    ]
    text = table(header, cells)
    return f"{count} by output '{shortened(found.output)}', {source[found.how]}\n\n{text}\n"


def ranges_text(outputs: Mapping[str, Array]) -> str:
    """A line an output; below, which of them are not finite everywhere."""
    facts = {name: facts_of(a) for name, a in outputs.items()}
    with_best = any(f["argmax"] is not None for f in facts.values())
    header = ("output", "type", "shape", ">min", ">mean", ">max", *((">argmax",) if with_best else ()))
    rows = [
        (
            shortened(name),
            str(f["dtype"]),
            "x".join(map(str, outputs[name].shape)) or "one number",
            *("-" if f[key] is None else f"{f[key]:.4g}" for key in ("min", "mean", "max")),
            *(("-" if f["argmax"] is None else str(f["argmax"]),) if with_best else ()),
        )
        for name, f in facts.items()
    ]
    wild = [
        f"{one_line(name)}: {f['not_finite']} of {outputs[name].size} values are NaN or infinite, the range is that of the others"
        for name, f in facts.items()
        if f["not_finite"]
    ]
    return "\n".join([table(header, rows), *([""] if wild else []), *wild]) + "\n"


def shortened(name: str) -> str:
    text = one_line(name)
    return text if len(text) <= MAX_WIDTH // 2 else f"…{text[-MAX_WIDTH // 2 + 1 :]}"
