"""What a search teaches about choices: effects, changes, conflicts, a smaller space."""
