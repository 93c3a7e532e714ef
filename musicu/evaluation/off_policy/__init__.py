"""Off-policy evaluation: what a policy would have earned, from the log of another."""

from musicu.evaluation.off_policy.estimation import OffPolicyEstimate, estimate

__all__ = ["OffPolicyEstimate", "estimate"]
