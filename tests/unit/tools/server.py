"""An MCP server for the tests, by the official SDK: on its standard streams, or at an address.

`python server.py` serves stdio; `python server.py http` prints its port and serves streamable HTTP to whoever
shows the token in TOKEN; `python server.py broken` says why it cannot start, and ends.
"""

import os
import socket
import sys

from mcp.server.mcpserver import MCPServer

server = MCPServer("for-tests")


@server.tool()
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool()
def environment() -> str:
    """Say which variables there are."""
    return " ".join(sorted(os.environ)) + f" FOR_ME={os.environ.get('FOR_ME')}"


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("no such thing")


@server.tool()
def die() -> str:
    """End the whole server."""
    os._exit(3)


@server.tool()
async def hang() -> str:
    """Never answer."""
    import anyio

    await anyio.sleep_forever()
    return ""


def http() -> None:
    import uvicorn
    from starlette.middleware import Middleware
    from starlette.responses import PlainTextResponse

    class NeedsToken:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            said = dict(scope.get("headers", ())).get(b"authorization", b"").decode()
            if scope["type"] == "http" and said != f"Bearer {os.environ['TOKEN']}":
                await PlainTextResponse("who are you?", 401)(scope, receive, send)
                return
            await self.app(scope, receive, send)

    app = server.streamable_http_app()
    app.user_middleware.append(Middleware(NeedsToken))
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()  # whoever reads the port may connect before the server takes its first connection
    sys.stdout.write(f"{taken.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[taken])


if sys.argv[1:] == ["http"]:
    http()
elif sys.argv[1:] == ["broken"]:
    sys.exit("no licence found\nbuy one")
else:
    server.run("stdio")
