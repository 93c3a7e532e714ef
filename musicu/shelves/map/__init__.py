"""The catalog as a map: regions with names, and a page to see and hear them."""

from musicu.shelves.map.atlas import Atlas, Region, draw_map
from musicu.shelves.map.map_page import write_map
from musicu.shelves.map.projection import project

__all__ = ["Atlas", "Region", "draw_map", "project", "write_map"]
