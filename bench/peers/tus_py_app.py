"""tuspyserver as its README starts it, or with its other storage.

Runs in the virtual environment of :mod:`bench.peers.tus_py`.
"""

import sys
from importlib import import_module

if __name__ == "__main__":
    root, port, *storage = sys.argv[1:]
    where = {"files_dir": root}
    if storage:
        where = {"storage": import_module("tuspyserver.storage.local").LocalFileStorage(root)}
    app = import_module("fastapi").FastAPI()
    app.include_router(import_module("tuspyserver").create_tus_router(**where))
    import_module("uvicorn").run(app, host="127.0.0.1", port=int(port))
