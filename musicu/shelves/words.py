"""Moved to `musicu.catalog.words`."""

from musicu.catalog.words import clock as clock
from musicu.catalog.words import one_line as one_line
