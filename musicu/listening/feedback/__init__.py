"""What was shown, and what came of it: two append-only tables beside a catalog."""

from musicu.listening.feedback.feedback_log import FeedbackLog, read
from musicu.listening.feedback.feedback_schemas import EXPOSURES, OUTCOME_KINDS, OUTCOMES

__all__ = ["EXPOSURES", "OUTCOMES", "OUTCOME_KINDS", "FeedbackLog", "read"]
