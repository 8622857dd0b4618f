"""Pieces that several pages are made of; each reads a workspace and draws one thing."""
