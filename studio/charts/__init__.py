"""Charts as pure functions: data in, Vega-Lite or SVG text out; no calls to Streamlit."""
