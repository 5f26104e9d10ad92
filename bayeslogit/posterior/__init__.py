"""The ladder of posteriors, on arrays and labels only."""
