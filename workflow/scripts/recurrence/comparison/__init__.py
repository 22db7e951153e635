"""Runs laid over each other: what differs between their configurations, and in what they measured."""
