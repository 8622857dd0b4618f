"""Strategies side by side at the same cost."""
