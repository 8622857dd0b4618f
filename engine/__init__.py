"""Everything that works without a browser: spaces, costs, devices, runs; not the pages."""

__version__ = "0.1.0"
