"""Files of other servers, read over HTTP: whole, by range, resumed, and of one version."""

from penstock.remote.file import RemoteFile
from penstock.remote.limits import RemoteLimits
from penstock.remote.remote import Remote
from penstock.remote.trouble import failure
from penstock.remote.urls import check_request, redacted

__all__ = ["Remote", "RemoteFile", "RemoteLimits", "check_request", "failure", "redacted"]
