"""What outcomes are worth: rewards as views of the feedback, and long-term value in advance."""

from musicu.rewards.delayed_rewards import DelayedReward, ItemValue, progressive_traces
from musicu.rewards.reward_table import reward_table
from musicu.rewards.reward_terms import RewardTerm, reward_terms

__all__ = [
    "DelayedReward",
    "ItemValue",
    "RewardTerm",
    "progressive_traces",
    "reward_table",
    "reward_terms",
]
