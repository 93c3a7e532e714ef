"""What a trained model remembers: marks of its listeners, and the command that trained it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog


def keep_record(
    catalog: Catalog, trained: str, listeners: Collection[str], **resolved: str | None
) -> None:
    """Note whom a model was trained with by the command that runs, so that `musicu forget`
    finds it and can train it again.

    trained: its name. resolved: what options came to whose default may change, such as the
    catalog's default model.
    """
    from musicu.listening.pseudonyms import KEY_FILE, listener_key
    from musicu.privacy.trained_models import keep_marks

    key = listener_key(catalog.path / KEY_FILE)
    words = _words(click.get_current_context(), resolved)
    keep_marks(catalog, trained, listeners, key, tuple(words))


def _words(context: click.Context, resolved: Mapping[str, str | None]) -> Iterator[str]:
    """The command line that a context stands for, without the program; paths are absolute."""
    names = []
    step: click.Context | None = context
    while step is not None and step.parent is not None:
        names.append(step.info_name or "")
        step = step.parent
    yield from reversed(names)
    for param in context.command.params:
        value = {**context.params, **resolved}.get(param.name or "")
        if value is None or not param.expose_value:
            continue
        each = value if param.multiple or param.nargs != 1 else [value]
        if isinstance(param, click.Option) and param.is_flag:
            yield from [param.opts[0]] if value else param.secondary_opts[:1]
        elif isinstance(param, click.Option):
            yield from (f"{param.opts[-1]}={_text(one)}" for one in each)
        else:
            yield from map(_text, each)


def _text(value: object) -> str:
    return str(value.absolute()) if isinstance(value, Path) else str(value)
