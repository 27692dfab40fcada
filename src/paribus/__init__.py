"""Compare objectives, models and methods on equal terms: a verdict with its interval."""
