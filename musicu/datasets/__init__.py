"""Where music and listening data come from."""

from musicu.datasets.synthetic import DEMO_TRUTH, make_demo_music

__all__ = ["DEMO_TRUTH", "make_demo_music"]
