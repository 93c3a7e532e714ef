"""Moved to `musicu.catalog.identity`."""

from musicu.catalog.identity import Row as Row
from musicu.catalog.identity import album_keys as album_keys
from musicu.catalog.identity import artist_key as artist_key
from musicu.catalog.identity import artist_keys as artist_keys
from musicu.catalog.identity import fold as fold
from musicu.catalog.identity import title_key as title_key
from musicu.catalog.identity import version_of as version_of
