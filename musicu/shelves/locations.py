"""Moved to `musicu.catalog.locations`."""

from musicu.catalog.locations import absolute as absolute
from musicu.catalog.locations import file_url as file_url
from musicu.catalog.locations import relative_path as relative_path
