"""A real Subsonic server, Supysonic, over a folder of music on loopback, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

USER, PASSWORD = "ann", "pässword"


@contextmanager
def supysonic(music: Path, home: Path) -> Iterator[str]:
    """The address of the server, as long as it runs. home: where its database lies."""
    from supysonic import db
    from supysonic.config import DefaultConfig
    from supysonic.managers.folder import FolderManager
    from supysonic.managers.user import UserManager
    from supysonic.scanner import Scanner
    from supysonic.web import create_application
    from werkzeug.serving import make_server

    config = DefaultConfig()
    config.BASE = {**config.BASE, "database_uri": f"sqlite:///{home / 'supysonic.db'}"}
    config.WEBAPP = {**config.WEBAPP, "cache_dir": str(home), "mount_webui": False}
    app = create_application(config)
    db.open_connection()
    UserManager.add(USER, PASSWORD, admin=True)
    FolderManager.add("music", str(music))
    scanner = Scanner()
    scanner.queue_folder("music")
    scanner.run()
    db.close_connection()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        db.release_database()
