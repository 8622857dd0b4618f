"""The server's own routes: archives, health, headers; asked without a browser, as ASGI messages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send

from engine.events import Exported
from engine.spec import ExportSpec
from engine.workspace import Workspace
from studio.routes import HEADERS, ROUTES, SecurityHeaders, export_url

CONTENT = b"PK a small archive"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def get(path: str) -> Answer:
    """What the routes answer to GET `path`."""
    app = Starlette(routes=ROUTES, middleware=[Middleware(SecurityHeaders)])
    sent: list[Message] = []
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8501),
    }

    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:  # a client that stays connected says nothing more
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start, *rest = sent
    headers = {key.decode(): value.decode() for key, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(m.get("body", b"") for m in rest))


@pytest.fixture
def exported(workspace: Workspace) -> int:
    """A run that has written toy.zip and two paths that are none of its archives."""
    run_id = workspace.store.create_run(ExportSpec(1, "k3e3"))
    workspace.exports_folder.mkdir()
    archive = workspace.exports_folder / "toy.zip"
    archive.write_bytes(CONTENT)
    for path in ("exports/toy.zip", "studio.db", "exports/gone.zip", "../secret.zip"):
        workspace.store.append(run_id, Exported("k3e3", path, {}))
    (workspace.folder.parent / "secret.zip").write_bytes(b"secret")
    (workspace.exports_folder / "unlisted.zip").write_bytes(b"half written")
    return run_id


def test_a_finished_archive_is_sent_as_a_download(workspace: Workspace, exported: int) -> None:
    answer = get(export_url(workspace, exported, "exports/toy.zip"))
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["content-disposition"] == 'attachment; filename="toy.zip"'
    assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/export/toy/{run}/unlisted.zip",
        "/export/toy/{run}/gone.zip",
        "/export/toy/{run}/studio.db",
        "/export/toy/{run}/secret.zip",
        "/export/toy/{run}/../../secret.zip",
        "/export/toy/99/toy.zip",
        "/export/toy/x/toy.zip",
        "/export/other/{run}/toy.zip",
        "/export/../{run}/toy.zip",
    ],
)
def test_anything_else_is_not_there(workspace: Workspace, exported: int, path: str) -> None:
    del workspace
    answer = get(path.format(run=exported))
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_an_archive_stored_by_its_absolute_path_is_found(
    workspace: Workspace, exported: int
) -> None:
    other = workspace.exports_folder / "näme 2.zip"
    other.write_bytes(CONTENT)
    workspace.store.append(exported, Exported("k3e3", str(other.resolve()), {}))
    assert export_url(workspace, exported, str(other)).endswith("/n%C3%A4me%202.zip")
    assert get(f"/export/toy/{exported}/näme 2.zip").status == 200


def test_the_server_says_that_it_is_well() -> None:
    answer = get("/health")
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')


@pytest.mark.parametrize("path", ["/health", "/export/a/1/b.zip", "/nothing"])
def test_every_answer_carries_the_security_headers(root: object, path: str) -> None:
    del root
    headers = get(path).headers
    assert {key: headers[key.lower()] for key in HEADERS} == HEADERS


def test_the_policy_allows_no_other_host_and_no_inline_script() -> None:
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert "unsafe" not in policy["script-src"]
    assert all("http" not in sources and "*" not in sources for sources in policy.values())
    assert policy["frame-ancestors"] == "'none'"


def test_websockets_pass_untouched() -> None:
    seen: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["type"], receive, send))

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        del message

    asyncio.run(SecurityHeaders(inner)({"type": "websocket"}, receive, send))
    assert seen == [("websocket", receive, send)]


def test_the_entry_holds_the_routes_and_the_headers() -> None:
    import app

    paths = [route.path for route in app.app._user_routes]
    assert paths == ["/health", "/export/{ws}/{run}/{file}"]
