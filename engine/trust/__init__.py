"""How far a search can be trusted: which networks, training them, figures, words, checks."""
