"""A network that is built again with other weights is not compiled again; nothing else is ever taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edge
from edge.targets import object_cache, toolchain
from graphs import proto

TEXT = "(float[1,3,8,8] x) => (float[1,4,8,8] y) { a = Conv (x, w) y = Relu (a) }"


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The C files of steps that zig compiled, with an empty cache to begin with."""
    monkeypatch.setattr(toolchain, "OBJECTS", str(tmp_path / "objects"))  # an absolute path replaces what stands before it
    found: list[str] = []
    real = toolchain.zig

    def noting(arguments: list[str], folder: Path) -> None:
        found.extend(word for word in arguments if word.startswith("steps_") and word.endswith(".c"))
        real(arguments, folder)

    monkeypatch.setattr(toolchain, "zig", noting)
    return found


def built(folder: Path, seed: int, text: str = TEXT) -> bytes:
    weights = np.random.default_rng(seed).standard_normal((4, 3, 1, 1)).astype(np.float32)
    return edge.build(proto(text, {"w": weights}), target="cpu", out=folder / "net.edge").path.read_bytes()


@pytest.mark.slow
def test_other_weights_other_files_and_a_damaged_cache(compiled: list[str], tmp_path: Path) -> None:
    first = built(tmp_path, 0)
    assert compiled
    compiled.clear()
    assert (built(tmp_path, 0), compiled) == (first, [])
    assert built(tmp_path, 1) != first
    assert compiled == []
    built(tmp_path, 0, TEXT.replace("Relu", "Sigmoid"))
    assert compiled
    compiled.clear()
    for path in (tmp_path / "objects").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    assert built(tmp_path, 0) == first
    assert compiled


def test_a_key_holds_the_words_the_names_and_what_stands_in_the_files(tmp_path: Path) -> None:
    one, two = tmp_path / "a.c", tmp_path / "b.h"
    one.write_text("int a;")
    two.write_text("int b;")
    key = object_cache.key_of(("zig", "-O2"), [one, two])
    assert key == object_cache.key_of(("zig", "-O2"), [two, one])
    assert key != object_cache.key_of(("zig", "-O1"), [one, two])
    assert key != object_cache.key_of(("zig", "-O2"), [one])
    two.write_text("int c;")
    assert key != object_cache.key_of(("zig", "-O2"), [one, two])
    two.rename(tmp_path / "c.h").write_text("int b;")
    assert key != object_cache.key_of(("zig", "-O2"), [one, tmp_path / "c.h"])


def test_what_was_used_longest_ago_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_cache, "MOST_BYTES", 3 * (object_cache.DIGEST + 100))
    cache, made = tmp_path / "cache", tmp_path / "made.o"
    made.write_bytes(bytes(100))
    moments = iter(range(100, 200))
    stamp = object_cache.os.utime
    monkeypatch.setattr(object_cache.os, "utime", lambda path: stamp(path, (moment := next(moments), moment)))
    for key in ("a", "b", "c"):
        object_cache.keep(cache, key, made)
        assert object_cache.restore(cache, key, tmp_path / "back.o")
    assert object_cache.restore(cache, "a", tmp_path / "back.o")
    object_cache.keep(cache, "d", made)
    assert sorted(path.name for path in cache.iterdir()) == ["a", "c", "d"]


def test_a_cache_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    made = tmp_path / "made.o"
    made.write_bytes(b"object")
    object_cache.keep(tmp_path / "cache", "a", made)
    assert not object_cache.restore(tmp_path / "cache", "a", tmp_path / "back.o")
