"""A gallery of people and the decisions made against it; the decision itself is integer arithmetic."""
