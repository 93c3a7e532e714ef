"""Filters as people write them: `popularity <= 0.3 and genres = "hip hop"`.

    filter     = both ("or" both)*
    both       = part ("and" part)*
    part       = "not" part | "(" filter ")" | column test
    test       = ("=" | "==" | "!=" | "<" | "<=" | ">" | ">=") value
               | ["not"] "in" "(" value ("," value)* ")"
               | ["not"] "between" value "and" value
               | ["not"] ("contains" | "starts with") value
               | "is" ["not"] ("missing" | "present")

A value is a number, a date or text; text that holds `and`, `or`, a bracket, a comma or an operator
stands in quotes, 'so' or "so", with the quote doubled inside.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from musicu.errors import QueryError
from musicu.records import check_kind
from musicu.retrieval.where import Compare, Where

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*')
      | (?P<symbol>==|!=|<=|>=|[=<>(),])
      | (?P<word>[^\s"'=<>(),!][^\s"=<>(),!]*)
      | (?P<wrong>\S)
    )""",
    re.VERBOSE,
)
_COMPARISONS = ("=", "==", "!=", "<", "<=", ">", ">=")
_DEEPEST = 100  # brackets and nots inside each other


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse_where(text: str) -> Where:
    """The condition that a text states; its columns are looked up when it meets a table.

    Raises QueryError with the place where the text cannot be read.
    """
    check_kind("the filter", text, str, "text like 'popularity <= 0.3'")
    reader = _Reader(text)
    if not reader.tokens:
        raise QueryError("the filter is empty: write one like 'popularity <= 0.3'")
    found = reader.any_of()
    if reader.tokens[reader.next :]:
        raise reader.wrong('"and", "or" or the end')
    return found


class _Reader:
    """A filter's tokens, and how far they are read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.next = 0
        self.depth = 0

    def any_of(self) -> Where:
        return self._joined("or", lambda: self._joined("and", self._part))

    def _joined(self, word: str, part: Callable[[], Where]) -> Where:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Where(word, tuple(parts))

    def _part(self) -> Where:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise QueryError(f"the filter nests deeper than {_DEEPEST}: simplify it")
        if self._take("not"):
            found = ~self._part()
        elif self._take("("):
            found = self.any_of()
            self._need(")")
        else:
            found = self._test(self._read("a column", ("word", "quoted")).text)
        self.depth -= 1
        return found

    def _test(self, column: str) -> Where:
        if self._take("is"):
            opposite = self._take("not")
            if self._take("present"):
                opposite = not opposite
            else:
                self._need("missing")
            found: Where = Compare(column, "missing")
            return ~found if opposite else found
        if self._take("not"):
            return ~self._worded(column, '"in", "between", "contains" or "starts with"')
        for op in _COMPARISONS:
            if self._take(op):
                found = Compare(column, "=" if op in ("==", "!=") else op, self._value())
                return ~found if op == "!=" else found
        return self._worded(column, 'an operator like "<=", "in" or "contains"')

    def _worded(self, column: str, wanted: str) -> Where:
        """A test that begins with a word, which may stand under "not"."""
        if self._take("in"):
            self._need("(")
            values = [self._value()]
            while self._take(","):
                values.append(self._value())
            self._need(")")
            return Where("or", tuple(Compare(column, "=", value) for value in values))
        if self._take("between"):
            low = self._value()
            self._need("and")
            return Compare(column, ">=", low) & Compare(column, "<=", self._value())
        if self._take("contains"):
            return Compare(column, "contains", self._value())
        if self._take("starts"):
            self._need("with")
            return Compare(column, "starts with", self._value())
        raise self.wrong(wanted)

    def _value(self) -> str:
        """A quoted text, or the words up to the next symbol, "and" or "or"."""
        first = self._read("a value", ("word", "quoted"), but=("and", "or"))
        words = [first.text]
        while first.kind == "word" and self._is("word", but=("and", "or")):
            words.append(self._read("a value", ("word",)).text)
        return " ".join(words)

    def _is(self, *kinds: str, but: tuple[str, ...] = ()) -> bool:
        """Whether the next token is of these kinds, and none of these words."""
        if self.next == len(self.tokens) or self.tokens[self.next].kind not in kinds:
            return False
        token = self.tokens[self.next]
        return token.kind == "quoted" or token.text.lower() not in but

    def _read(self, wanted: str, kinds: tuple[str, ...], but: tuple[str, ...] = ()) -> _Token:
        if not self._is(*kinds, but=but):
            raise self.wrong(wanted)
        self.next += 1
        return self.tokens[self.next - 1]

    def _take(self, word: str) -> bool:
        found = self._is("word", "symbol") and self.tokens[self.next].text.lower() == word
        self.next += found
        return found

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self.wrong(f'"{word}"')

    def wrong(self, wanted: str) -> QueryError:
        if self.next == len(self.tokens):
            return QueryError(f"the filter {self.text!r} ends where {wanted} should follow")
        found = self.tokens[self.next]
        return QueryError(
            f"the filter {self.text!r} has {found.text!r} at character {found.at + 1}, where "
            f'{wanted} should stand; text with "and", brackets or signs goes in quotes'
        )


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        token = match[kind]
        if kind == "wrong":
            raise QueryError(
                f"the filter {text!r} has {token!r} at character {match.start(kind) + 1}: "
                "is a quote left open?"
            )
        if kind == "quoted":
            token = token[1:-1].replace(token[0] * 2, token[0])
        found.append(_Token(kind, token, match.start(kind)))
    return found
