"""The ASGI entry: the studio's script, its routes and its headers in one server; nothing else.

`streamlit run app.py` or `uvicorn app:app`, both from this folder so that .streamlit/ is found.
"""

from __future__ import annotations

import streamlit as st
from starlette.middleware import Middleware

from studio import main  # imported here already, so that the first visitor does not wait for it
from studio.routes import ROUTES, SecurityHeaders
from studio.text import show_error

app = st.App(
    main.SCRIPT,
    routes=ROUTES,
    middleware=[Middleware(SecurityHeaders)],
    on_script_error=show_error,
)
