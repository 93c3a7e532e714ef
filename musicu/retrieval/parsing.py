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
from functools import reduce
from typing import NamedTuple

from musicu.errors import QueryError
from musicu.retrieval.where import Both, Compare, Either, Missing, Not, Where

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
_KEYWORDS = ("and", "or")
_DEEPEST = 100  # brackets and nots inside each other


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse_where(text: str) -> Where:
    """The condition that a text states; its columns are looked up when it meets a table.

    Raises QueryError with the place where the text cannot be read.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.next = 0
        self.depth = 0

    def parse(self) -> Where:
        if not self.tokens:
            raise QueryError("the filter is empty: write one like 'popularity <= 0.3'")
        found = self._any()
        if self.next < len(self.tokens):
            raise self._wrong('"and", "or" or the end')
        return found

    def _any(self) -> Where:
        return self._chain(self._all, "or", Either)

    def _all(self) -> Where:
        return self._chain(self._part, "and", Both)

    def _chain(
        self, part: Callable[[], Where], word: str, join: Callable[[Where, Where], Where]
    ) -> Where:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return _balanced(parts, join)

    def _part(self) -> Where:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise QueryError(f"the filter nests deeper than {_DEEPEST}: simplify it")
        found = self._nested()
        self.depth -= 1
        return found

    def _nested(self) -> Where:
        if self._is("not"):
            self.next += 1
            return Not(self._part())
        if self._take("("):
            found = self._any()
            self._need(")")
            return found
        return self._test(self._column())

    def _column(self) -> str:
        if self.next < len(self.tokens) and self._now().kind in ("word", "quoted"):
            self.next += 1
            return self.tokens[self.next - 1].text
        raise self._wrong("a column")

    def _test(self, column: str) -> Where:
        if self._take("is"):
            return self._missing(column)
        negated = self._take("not")
        found = self._word_test(column)
        if found is None and not negated:
            return self._comparison(column)
        if found is None:
            raise self._wrong('"in", "between", "contains" or "starts with"')
        return Not(found) if negated else found

    def _word_test(self, column: str) -> Where | None:
        if self._take("in"):
            values = self._values()
            return _balanced([Compare(column, "=", value) for value in values], Either)
        if self._take("between"):
            low = self._value()
            self._need("and")
            return Compare(column, ">=", low) & Compare(column, "<=", self._value())
        if self._take("contains"):
            return Compare(column, "contains", self._value())
        if self._take("starts"):
            self._need("with")
            return Compare(column, "starts with", self._value())
        return None

    def _comparison(self, column: str) -> Where:
        for op in _COMPARISONS:
            if self._take(op):
                value = self._value()
                if op == "!=":
                    return Not(Compare(column, "=", value))
                return Compare(column, "=" if op == "==" else op, value)
        raise self._wrong('an operator like "<=", "in" or "contains"')

    def _missing(self, column: str) -> Where:
        negated = self._take("not")
        present = self._take("present")
        if not present:
            self._need("missing")
        found = Missing(column)
        return Not(found) if present != negated else found

    def _values(self) -> list[str]:
        self._need("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._need(")")
        return values

    def _value(self) -> str:
        """A quoted text, or the words up to the next symbol, "and" or "or"."""
        if self.next < len(self.tokens) and self._now().kind == "quoted":
            self.next += 1
            return self.tokens[self.next - 1].text
        first = self.next
        while self._is_plain():
            self.next += 1
        if self.next == first:
            raise self._wrong("a value")
        return " ".join(token.text for token in self.tokens[first : self.next])

    def _is_plain(self) -> bool:
        return (
            self.next < len(self.tokens)
            and self._now().kind == "word"
            and self._now().text.lower() not in _KEYWORDS
        )

    def _now(self) -> _Token:
        return self.tokens[self.next]

    def _is(self, word: str) -> bool:
        if self.next == len(self.tokens) or self._now().kind == "quoted":
            return False
        return self._now().text.lower() == word

    def _take(self, word: str) -> bool:
        found = self._is(word)
        self.next += found
        return found

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise self._wrong(f'"{word}"')

    def _wrong(self, wanted: str) -> QueryError:
        if self.next == len(self.tokens):
            return QueryError(f"the filter {self.text!r} ends where {wanted} should follow")
        found = self._now()
        return QueryError(
            f"the filter {self.text!r} has {found.text!r} at character {found.at + 1}, where "
            f'{wanted} should stand; text with "and", brackets or signs goes in quotes'
        )


def _balanced(parts: list[Where], join: Callable[[Where, Where], Where]) -> Where:
    """The parts joined as a shallow tree, so that a thousand of them do not nest."""
    while len(parts) > 1:
        pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
        parts = [reduce(join, pair) for pair in pairs]
    return parts[0]


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
