"""YAML files that an image holds already, changed in place: comments, order, quotes and everything that was not asked about stay.

ruamel.yaml writes the file; a second reading by the rules of YAML 1.1, as cloud-init reads it, must find the old content with the
change and nothing else.  A file for which that does not hold is refused by its name.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import EdgeError

if TYPE_CHECKING:
    from ruamel.yaml import YAML

Tree = MutableMapping[str, object]
Change = Callable[[Tree], None]
MAX_BYTES, MAX_ALIASES, MAX_DEPTH = 64 << 10, 16, 40
BY_HAND = "write the settings into it by hand, or take it out of the image"
INDENTED_LIST = re.compile(r"^( *)[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n\1 +- ", re.MULTILINE)


def changed(where: str, name: str, data: bytes, change: Change, header: str = "") -> bytes:
    """The file `name` with a mapping changed.  data: as it is, b"" when it is not there.  header: a first line that it must have.

    change: works on a mapping; it is applied twice, to what is written and to what the result is compared with.
    """
    text = decoded(where, name, data)
    refuse_hostile(where, name, text)
    tree, plain = parsed(where, name, text, "rt"), parsed(where, name, text, "safe")
    if tree is None:
        plain = {}
        change(plain)
        return checked(where, name, fresh(text, plain, header), plain)
    if not isinstance(tree, MutableMapping) or not isinstance(plain, MutableMapping):
        raise EdgeError(where, f"its {name} does not hold a mapping of keys to values", BY_HAND)
    change(tree)
    change(plain)
    with not_yaml(where, name):
        made = printed(tree, text)
    return checked(where, name, made, plain)


def checked(where: str, name: str, made: str, wanted: Tree) -> bytes:
    """The new text, when it says what is wanted to whoever reads it."""
    try:
        good = parsed(where, name, made, "safe") == wanted
    except EdgeError:
        good = False
    if not good:
        raise EdgeError(where, f"its {name} cannot be changed without changing more than was asked for", BY_HAND)
    return made.encode()


def decoded(where: str, name: str, data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise EdgeError(where, f"its {name} has {len(data)} bytes, more than edge adds settings to", BY_HAND)
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise EdgeError(where, f"its {name} is not text", BY_HAND) from None


def fresh(text: str, made: Tree, header: str) -> str:
    """A file that holds comments only keeps them.  The rest is JSON, which is YAML: no quoting of ours can be wrong."""
    comments = text.strip()
    first = f"{header}\n" if header and not comments.startswith(header) else ""
    return first + (f"{comments}\n" if comments else "") + json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def refuse_hostile(where: str, name: str, text: str) -> None:
    """What unfolds to more than it holds, or is nested beyond reason, is never built."""
    from ruamel.yaml import YAML
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

    depth = aliases = 0
    with not_yaml(where, name):
        for event in YAML(typ="safe", pure=True).parse(text):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            aliases += isinstance(event, AliasEvent)
            if depth > MAX_DEPTH or aliases > MAX_ALIASES:
                raise EdgeError(where, f"its {name} is nested too deep or repeats itself too often", BY_HAND)


def parsed(where: str, name: str, text: str, kind: str) -> object:
    """kind: "rt" keeps comments and order, "safe" reads plain values as cloud-init does."""
    yaml = reader(kind)
    with not_yaml(where, name):
        found: object = yaml.load(text)
    return found


@contextmanager
def not_yaml(where: str, name: str) -> Iterator[None]:
    from ruamel.yaml.error import YAMLError

    try:
        yield
    except (YAMLError, ValueError, TypeError, AttributeError, LookupError, NotImplementedError, RecursionError) as error:  # of the library, too
        first = str(error).split("\n")[0]
        raise EdgeError(where, f"its {name} cannot be read as YAML: {first}", BY_HAND) from None


def reader(kind: str) -> YAML:
    from ruamel.yaml import YAML

    yaml = YAML(typ=kind, pure=True)
    yaml.preserve_quotes = True
    yaml.width = 1 << 20  # no line of the user's is broken
    if kind == "safe":
        yaml.version = (1, 1)
    return yaml


def printed(tree: Tree, like: str) -> str:
    """like: the text as it was, whose way to indent lists is kept."""
    yaml, out = reader("rt"), io.StringIO()
    if INDENTED_LIST.search(like):
        yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(tree, out)
    return out.getvalue()


def put(tree: Tree, key: str, value: object) -> None:
    """Sets a key.  Strings are quoted, so that neither `no` nor `0x1` becomes something else; keys too, but in a block of the user's."""
    from ruamel.yaml.comments import CommentedMap

    block = isinstance(tree, CommentedMap) and not tree.fa.flow_style()
    tree[key if block and key.replace("-", "_").isidentifier() else quoted(key)] = said(value)


def said(value: object) -> object:
    """A value of ours, with every string quoted."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return {quoted(key): said(one) for key, one in value.items()}
    return [said(one) for one in value] if isinstance(value, list) else value


def quoted(text: str) -> str:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    return str.__new__(DoubleQuotedScalarString, text)
