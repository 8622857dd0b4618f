"""Holds the script; Streamlit takes a folder `pages` beside it for pages, so it is alone here."""
