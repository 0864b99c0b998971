"""What is promised about speed, measured against the raw limit in the same run."""
