"""The pages and data of `vvi browse`, for this machine only."""

import logging
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from opengait.errors import ConfigError, UserError
from opengait.utils.files import plain
from opengait_ext.browse.session import Session

flask: Any = import_module("flask") if find_spec("flask") else None

INSTALL = 'pip install "opengait-dinogrl[browse]"'
LOOPBACK = "127.0.0.1"
# Names by which a browser on this machine may call the page; others would be another site's that resolves to it.
HOSTS = (LOOPBACK, "localhost")
MOST_BYTES = 4 << 30
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}


def build_app(session: Session) -> Any:
    """Return the Flask application.

    Raises:
        ConfigError: Flask is missing.
    """
    if flask is None:
        raise ConfigError(f"vvi browse needs Flask: {INSTALL}.")
    app = flask.Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    request = flask.request

    @app.before_request
    def only_this_machine() -> Any:
        origin = request.headers.get("Origin")
        foreign = origin not in (None, f"http://{request.host}")
        if foreign or urlsplit(f"//{request.host}").hostname not in HOSTS:
            flask.abort(403)

    @app.after_request
    def nothing_foreign(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = "default-src 'self'; frame-ancestors 'none'"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/", defaults={"ending": "html"})
    @app.get("/page.<ending>")
    def page(ending: str) -> Any:
        if ending not in _TYPES:
            flask.abort(404)
        text = files(__package__).joinpath(f"page.{ending}").read_text(encoding="utf-8")
        return flask.Response(text, mimetype=_TYPES[ending])

    @app.get("/tracklets")
    def tracklets() -> Any:
        return {"tracklets": session.tracklets(), "level": session.level}

    @app.get("/answers/<key>")
    def answers(key: str) -> Any:
        return _said(lambda: plain(session.answers(key, request.args.get("modality", ""))))

    @app.get("/strips/<key>")
    def strip(key: str) -> Any:
        try:
            data = session.strip(key)
        except KeyError:
            data = b""
        kind = "image/gif" if data.startswith(b"GIF") else "image/jpeg"
        return flask.Response(data, mimetype=kind) if data else flask.abort(404)

    @app.post("/added")
    def add() -> Any:
        uploads = request.files.getlist("files")
        pairs = [(upload.filename or "", upload.save) for upload in uploads]
        return _said(lambda: {"keys": session.add(pairs, request.form.get("modality", ""))})

    return app


def _said(answer: Callable[[], Any]) -> Any:
    """Return an answer, or the sentence of an error with status 400 or 404."""
    try:
        return answer()
    except UserError as error:
        return {"error": str(error)}, 400
    except KeyError:
        return {"error": "No tracklet has this number."}, 404


def serve(session: Session, port: int, ready: Callable[[str], Any]) -> None:
    """Serve the page on this machine until interrupted.

    Args:
        session: what is shown.
        port: its port; 0 for any that is free.
        ready: is called with the address.

    Raises:
        ConfigError: Flask is missing, or the port is taken.
    """
    app = build_app(session)
    serving = import_module("werkzeug.serving")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        server = serving.make_server(LOOPBACK, port, app, threaded=True)
    except (OSError, SystemExit) as error:
        raise ConfigError(f"The port {port} cannot be used; choose another with --port.") from error
    with server:
        ready(f"http://{LOOPBACK}:{server.server_port}/")
        server.serve_forever()
