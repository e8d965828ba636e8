"""Debian's nginx and our server over the same tree, for the tests that compare the two.

nginx is started with the settings that match ours: encoded copies (``gzip_static``, and ``brotli_static`` where that
module is installed), ``Vary``, charsets.
"""

from __future__ import annotations

import gzip
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import brotli
import pytest

from tests.server import free_port, running

from .files import make_tree, write

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
MIME_TYPES = Path("/etc/nginx/mime.types")
BROTLI = Path("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so")
needs_nginx = pytest.mark.skipif(
    not (Path(NGINX).exists() and MIME_TYPES.exists()),
    reason="Debian's nginx is not installed: nothing to compare with",
)

CONFIG = """
{load_module}
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    include {mime_types};
    default_type application/octet-stream;
    charset utf-8;
    charset_types text/plain text/css application/javascript;
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    absolute_redirect off;
    gzip_static on;
    gzip_vary on;
    {brotli}
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 404; }}
        location /s/ {{ alias {root}/; add_header Cache-Control no-cache; }}
    }}
}}
"""
APP = """
def app(environ, start_response):
    start_response("404 Not Found", [("Content-Length", "0")])
    return [b""]
"""


def plant(folder: Path) -> Path:
    """The tree, with links inside and outside of it; ``app.css`` has a gzip copy only."""
    root = make_tree(folder / "root")
    (root / "app.css.br").unlink()
    (folder / "outside").mkdir()
    write(folder / "outside" / "x.txt", b"outside")
    (root / "door").symlink_to(folder / "outside")
    (root / "inner.txt").symlink_to("a.txt")
    write(root / "both.css", b"p { margin: 0 }\n" * 50)
    write(root / "both.css.gz", (root / "app.css.gz").read_bytes())
    write(root / "both.css.br", b"\x1bA brotli copy, for all that a server knows")
    theme = "".join(f".c{i} {{ margin: {i * i % 997}px }}\n" for i in range(400)).encode()
    write(root / "theme.css", theme)
    write(root / "theme.css.gz", gzip.compress(theme, mtime=0))
    write(root / "theme.css.br", brotli.compress(theme))
    return root


@contextmanager
def nginx_and_ours(folder: Path) -> Iterator[tuple[int, int]]:
    """Their ports; the files are at ``/s/``."""
    root = plant(folder)
    (folder / "nothing.py").write_text(APP)
    nginx_port, our_port = free_port(), free_port()
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            mime_types=MIME_TYPES,
            port=nginx_port,
            root=root,
            load_module=f"load_module {BROTLI};" if BROTLI.exists() else "",
            brotli="brotli_static on;" if BROTLI.exists() else "",
        )
    )
    ours = [sys.executable, "-m", "prodserve", "nothing:app", f"127.0.0.1:{our_port}", "--workers", "1"]
    ours += ["--static", f"/s={root}", "--no-compress", "--access-logfile", "none"]
    nginx = [NGINX, "-p", str(folder), "-c", str(config), "-e", "stderr"]
    with running(nginx, nginx_port, cwd=folder), running(ours, our_port, cwd=folder):
        yield nginx_port, our_port
