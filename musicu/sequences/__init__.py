"""Sessions, and what comes next in them."""

from musicu.sequences.fitting_sequences import fit
from musicu.sequences.next_item_model import NextItemModel

__all__ = ["NextItemModel", "fit"]
