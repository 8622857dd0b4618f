"""What the server answers beside the pages: finished archives, its health; and its headers.

No call to Streamlit here; a route sees files and the store, never a session.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import StudioError
from engine.workspace import Workspace, open_workspace
from studio.state import workspaces_root

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # the hash is of the one inline script in Streamlit's own index.html
        "script-src 'self' 'sha256-THxz9J9+wf7rhwR2YkXJoSZ13UCmYyC+3lNDv2+8ugA='",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-src 'self'",
        "frame-ancestors 'none'",
    )
)
NO_ARCHIVE = "There is no such archive."
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class SecurityHeaders:
    """Middleware that adds HEADERS to every HTTP answer and never touches a websocket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def health(request: Request) -> Response:
    """`{"status": "ok"}` while the server answers at all."""
    del request
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def export(request: Request) -> Response:
    """A finished archive as a download; 404 for all that no run of the workspace has exported."""
    values = request.path_params
    try:
        workspace = open_workspace(workspaces_root(), values["ws"])
        run_id = int(values["run"])
    except (StudioError, ValueError):
        return PlainTextResponse(NO_ARCHIVE, 404)
    with closing(workspace.store):  # one of this request alone: the pages' own stays open
        archive = finished_archive(workspace, run_id, values["file"])
    if archive is None:
        return PlainTextResponse(NO_ARCHIVE, 404)
    return FileResponse(
        archive,
        media_type="application/zip",
        filename=archive.name,
        content_disposition_type="attachment",
        headers={"Cache-Control": "private, no-store"},
    )


def finished_archive(workspace: Workspace, run_id: int, name: str) -> Path | None:
    """The archive called `name` that run `run_id` says it wrote, if it is among the exports."""
    folder = workspace.exports_folder.resolve()
    try:
        exported = workspace.store.view(run_id).exported
    except StudioError:  # there is no such run
        return None
    for event in exported:
        path = (workspace.folder / event.archive).resolve()
        if path.name == name and path.is_relative_to(folder) and path.is_file():
            return path
    return None


def export_url(workspace: Workspace, run_id: int, archive: str) -> str:
    """Where the server offers the archive that run `run_id` wrote (`archive`: path or name)."""
    return f"/export/{workspace.name}/{run_id}/{quote(Path(archive).name)}"


ROUTES = [
    Route("/health", health, methods=["GET"]),
    Route("/export/{ws}/{run}/{file}", export, methods=["GET"]),
]
