"""Runs OpenStack Swift with its S3 API, on one node, in the foreground; SIGTERM ends all of it.

usage: python run_swift.py FOLDER PORT

Needs only ``pip install swift`` in the environment it runs in, and a file system with user xattrs.
The three ports behind PORT are used too.
"""

import getpass
import signal
import subprocess
import sys
from pathlib import Path

from swift.common.ring import RingBuilder  # type: ignore[import-not-found]  # of that environment

_DEFAULT = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}/etc
user = {user}
workers = 0
log_level = WARNING
"""

_STORAGE = (
    _DEFAULT
    + """devices = {folder}/devices
mount_check = false
disable_fallocate = true
recon_cache_path = {folder}/cache
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
)

_FILTERS = {
    "catch_errors": "",
    "gatekeeper": "",
    "listing_formats": "",
    "bulk": "",
    "s3api": "location = us-east-1\nmax_upload_part_num = 10000\ns3_acl = false\n"
    "cors_preflight_allow_origin = *\n",
    "tempauth": "user_test_test = testtest .admin\n",
    "copy": "",
    "slo": "",
    "dlo": "",
    "versioned_writes": "allow_object_versioning = true\n",
    "symlink": "",
}

_PROXY = (
    _DEFAULT
    + f"""[pipeline:main]
pipeline = {" ".join(_FILTERS)} proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
cors_allow_origin = *
cors_expose_headers = etag
strict_cors_mode = false
"""
    + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n{more}" for name, more in _FILTERS.items())
)


def main(folder: Path, port: int) -> None:
    etc, user = folder / "etc", getpass.getuser()
    for made in (etc, folder / "devices" / "sd1", folder / "cache"):
        made.mkdir(parents=True)
    (etc / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = s\nswift_hash_path_prefix = p\n"
        "[storage-policy:0]\nname = one\ndefault = yes\n"
    )
    programs = ["proxy"]
    for at, name in enumerate(("account", "container", "object"), start=port + 1):
        device = {"id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "sd1", "meta": ""}
        address = {"ip": "127.0.0.1", "port": at}
        replication = {f"replication_{key}": value for key, value in address.items()}
        ring = RingBuilder(4, 1, 1)
        ring.add_dev({**device, **address, **replication})
        ring.rebalance()
        ring.get_ring().save(str(etc / f"{name}.ring.gz"))
        config = _STORAGE.format(port=at, folder=folder, user=user, name=name)
        (etc / f"{name}-server.conf").write_text(config)
        programs.append(name)
    (etc / "proxy-server.conf").write_text(_PROXY.format(port=port, folder=folder, user=user))
    bin_folder = Path(sys.executable).parent
    running = [
        subprocess.Popen([bin_folder / f"swift-{name}-server", etc / f"{name}-server.conf"])
        for name in programs
    ]

    def stop(*_: object) -> None:
        for process in running:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for process in running:
        process.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
