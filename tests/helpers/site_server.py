"""The built site, served as GitHub Pages serves it: compressed, and kept for ten minutes.

No other header is sent, so that what the site asks of a browser stands in its pages.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPRESSED = {".css", ".html", ".js", ".json", ".svg", ".txt", ".xml"}


@functools.cache
def packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


class Pages(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Connections are kept, as everywhere.
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".woff2": "font/woff2",
    }

    def do_GET(self) -> None:
        path = Path(self.translate_path(unquote(urlsplit(self.path).path)))
        path = path / "index.html" if path.is_dir() else path
        compress = path.suffix in COMPRESSED
        try:
            body = packed(path) if compress else path.read_bytes()
        except OSError:
            self.send_error(404)
            return
        kind = self.guess_type(path)
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if compress else kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        if compress:
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Vary", "Accept-Encoding")
        self.end_headers()
        with suppress(ConnectionError):  # A browser that is closed reads no further.
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Leave the output to the caller."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port; yield its address, with a slash at the end."""
    handler = functools.partial(Pages, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True  # A browser may keep its connections longer than we need it.
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
