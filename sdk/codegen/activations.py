"""activations.h: what kernels/vector.h knows of activations, printed from the table of edge.words.post."""

from __future__ import annotations

from edge.words.post import ACTIVATIONS

NAME = "activations.h"
TEXT = """/* The activations, from the table of edge.words.post; kernels/vector.h includes this twice. */
#ifdef ACTIVATION_KINDS
enum activation {{
    {kinds}
}};
#else
/* Does it need more than a few registers for itself? */
INLINE int is_long(struct act f) {{
    return {long};
}}

/* kind and parameters are compile-time constants at every call, so one case remains */
INLINE vf activate(vf v, struct act f) {{
    switch (f.kind) {{
{cases}
    KIND(NONE) return v;
    }}
    __builtin_trap();  /* EDGE_ACTS does not name it */
}}
#endif
"""


def activations_file() -> dict[str, str]:
    """File name -> text."""
    names = {kind: kind.upper() for kind in ACTIVATIONS}
    kinds = ", ".join(f"ACT_{name}" for name in ("NONE", *names.values()))
    long = " || ".join(f"f.kind == ACT_{names[kind]}" for kind, row in ACTIVATIONS.items() if row.long)
    cases = "\n".join(f"    KIND({names[kind]}) return {row.c};" for kind, row in ACTIVATIONS.items())
    return {NAME: TEXT.format(kinds=kinds, long=long, cases=cases)}
