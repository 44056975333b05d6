"""The tables of the catalog. A change here needs a migration in ``migrations/versions``."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_name)s"}
)

checksums = Table(
    "checksums",
    metadata,
    Column("key", Text, primary_key=True),
    # The version of the file that the rest of the row is true of.
    Column("etag", Text, primary_key=True),
    # 32 bytes, or null when it was not taken.
    Column("sha256", LargeBinary),
    Column("crc32", BigInteger, nullable=False),
    # As the uploader said, or null.
    Column("content_type", Text),
)

selections = Table(
    "selections",
    metadata,
    # Unguessable: whoever knows it may fetch the ZIP.
    Column("id", Text, primary_key=True),
    # The selection as JSON.
    Column("spec", Text, nullable=False),
    # Seconds since 1970.
    Column("expires", Float, nullable=False, index=True),
)

uploads = Table(
    "uploads",
    metadata,
    # Unguessable: whoever knows it may go on with the upload.
    Column("id", Text, primary_key=True),
    # open, finishing, done or failed.
    Column("state", Text, nullable=False, index=True),
    # whole, partial or final.
    Column("kind", Text, nullable=False),
    # Where the file goes; empty for a part.
    Column("key", Text, nullable=False, index=True),
    # Bytes that are durable. It never falls.
    Column("offset", BigInteger, nullable=False),
    # Bytes of the whole, or null while nobody knows.
    Column("length", BigInteger),
    Column("content_type", Text),
    # What the protocol gave, to be given back as it is.
    Column("metadata", Text, nullable=False),
    # As the protocol asked for it to be a part or to be joined, to be given back as it is.
    Column("concat", Text, nullable=False),
    # Of a final: the ids of its parts, as JSON.
    Column("parts", Text, nullable=False),
    # The announced SHA-256 of the whole, or null.
    Column("sha256", LargeBinary),
    # The condition on the file that is replaced, as JSON.
    Column("condition", Text, nullable=False),
    # Who may go on with it; empty: whoever knows the id.
    Column("owner", Text, nullable=False),
    # Parts with the same group lie in one file, this one from start on.
    Column("part_group", Text, nullable=False, index=True),
    Column("start", BigInteger, nullable=False),
    # Begun by a plain PUT.
    Column("plain", Boolean, nullable=False),
    # How often the bytes had to be moved away from a process that held them and was frozen.
    Column("generation", Integer, nullable=False),
    # Seconds since 1970.
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False, index=True),
    # The process that changes it now, or null; the token fences off those before.
    Column("holder", Text, index=True),
    Column("token", Integer, nullable=False),
    # Somebody else asks for it: 1 asked, 2 the holder is about to let go.
    Column("wanted", Integer, nullable=False),
    # The final answer, as JSON.
    Column("outcome", Text),
    # What the store keeps of the parts that went into it ahead of the end, as JSON, or null.
    Column("ahead", Text),
)

outbox = Table(
    "outbox",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    # The receiver knows it by this, however often it comes.
    Column("id", Text, nullable=False),
    # What it is about: events of one subject are told in the order of their sequence.
    Column("subject", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # What is sent and signed, JSON.
    Column("body", Text, nullable=False),
    # Seconds since 1970.
    Column("created", Float, nullable=False),
    # When it may be claimed, or claimed again; null: given up, a dead letter.
    Column("due", Float),
    Column("attempts", Integer, nullable=False),
    # The claim on it, a random word, or null.
    Column("fence", Text),
    # Why it was not delivered the last time.
    Column("reason", Text),
    Index("ix_outbox_due", "due", "sequence"),
    Index("ix_outbox_subject", "subject", "sequence"),
)

jobs = Table(
    "jobs",
    metadata,
    # Unguessable: whoever knows it may look at the job. Ids sort by when they were made.
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    # waiting, running, done, failed or cancelled.
    Column("state", Text, nullable=False),
    # Jobs of one lane have their own places in each worker.
    Column("lane", Text, nullable=False),
    Column("owner", Text, nullable=False),
    # As the caller named it, or empty.
    Column("key", Text, nullable=False),
    # A digest of owner, kind and key as long as the job answers for them, or null.
    Column("once", Text, unique=True),
    # Seconds after its end that it answers for them if it is done.
    Column("valid", Float, nullable=False),
    # What is to be done, where the work stands, what came of it: JSON.
    Column("spec", Text, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("result", Text),
    Column("error", Text),
    # Seconds since 1970 by the database's clock, as all times here.
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    # When it may be claimed: a waiting one from now on, a running one when its lease is over;
    # null: it has ended.
    Column("due", Float),
    # The process that runs it, or null; the token fences off those before.
    Column("holder", Text),
    Column("token", Integer, nullable=False),
    # Somebody asked for it to end.
    Column("cancelling", Boolean, nullable=False),
    # How often it was begun, and how often since it last got further than ever.
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    # Bytes and files, and the most bytes it ever had done; bytes per second.
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger),
    Column("files_done", BigInteger, nullable=False),
    Column("files_total", BigInteger),
    Column("furthest", BigInteger, nullable=False),
    Column("rate", Float),
    # A random word of the last save, so that one whose commit was in doubt is not made twice.
    Column("saved", Text, nullable=False),
    # Rises with every change that can be seen.
    Column("revision", Integer, nullable=False),
    # The number of the last line of its log.
    Column("lines", Integer, nullable=False),
    Index("ix_jobs_lane", "lane", "state", "due"),
    Index("ix_jobs_due", "due"),
    Index("ix_jobs_ended", "ended"),
    Index("ix_jobs_owner", "owner", "kind", "id"),
    Index("ix_jobs_state", "state", "id"),
    Index("ix_jobs_kind", "kind", "id"),
)

job_log = Table(
    "job_log",
    metadata,
    Column("job", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("text", Text, nullable=False),
)

# Of the key: bytewise, whatever language the database is set to.
_Name = Text().with_variant(Text(collation="C"), "postgresql")

nodes = Table(
    "nodes",
    metadata,
    # Made once by the node, and kept on its disk.
    Column("id", Text, primary_key=True),
    # host:port, or a URL.
    Column("address", Text, nullable=False),
    # Bytes: of its disk, free there, and of the parts that it has.
    Column("capacity", BigInteger, nullable=False),
    Column("free", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    # Seconds since 1970 by the database's clock, as all times here: heard of first, or again after
    # it was dead; heard of last; last compared with the catalog: null if it is to be, whatever was
    # begun; 0 while that is done for the first time, negative while it is done again.
    Column("joined", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("scrubbed", Float),
    # It takes no more parts, and is to have none.
    Column("draining", Boolean, nullable=False),
)

cluster_files = Table(
    "cluster_files",
    metadata,
    # A UUID: one version of one file, and its ETag.
    Column("id", Text, primary_key=True),
    Column("key", _Name, nullable=False),
    # Bytes, or null while nobody knows.
    Column("size", BigInteger),
    Column("content_type", Text),
    Column("sha256", LargeBinary),
    Column("crc32", BigInteger),
    Column("created", Float, nullable=False),
    # When it became whole, in ns since 1970; null before.
    Column("processed", BigInteger),
    # Whether it took the place of another version then; null before.
    Column("replaced", Boolean),
    # Somebody reads it until then, although another version took its place.
    Column("read_until", Float, nullable=False),
)

cluster_keys = Table(
    "cluster_keys",
    metadata,
    Column("key", _Name, primary_key=True),
    # The version that is seen.
    Column("file", Text, nullable=False, index=True),
)

cluster_parts = Table(
    "cluster_parts",
    metadata,
    Column("file", Text, primary_key=True),
    # From 1.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    # Null until the part is on a node.
    Column("crc32", BigInteger),
    # The CRC-32 of each MiB of it, four bytes each, little-endian.
    Column("blocks", LargeBinary),
)

cluster_copies = Table(
    "cluster_copies",
    metadata,
    # What the node knows it by: FILE-NUMBER.
    Column("name", _Name, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("file", Text, nullable=False),
    Column("number", Integer, nullable=False),
    # writing: it may be there or not; stored; bad: it was seen to be wrong, or to be missing.
    Column("state", Text, nullable=False),
    # When the row got its state.
    Column("changed", Float, nullable=False),
    Index("ix_cluster_copies_node", "node", "name"),
    Index("ix_cluster_copies_file", "file", "number"),
    Index("ix_cluster_copies_state", "state", "changed"),
)

# What is to be removed from the nodes, and then from here.
cluster_outbox = Table(
    "cluster_outbox",
    metadata,
    Column("file", Text, primary_key=True),
    # When it may be claimed, or claimed again.
    Column("due", Float, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    # The claim on it, a random word, or null.
    Column("fence", Text),
    # Why it was not removed the last time.
    Column("reason", Text),
)

# Work on the cluster that one process does at a time.
cluster_duties = Table(
    "cluster_duties",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Float, nullable=False),
    # Where it stands, for whoever goes on with it.
    Column("state", Text, nullable=False),
)

lanes = Table(
    "lanes",
    metadata,
    Column("name", Text, primary_key=True),
    # None of its jobs that wait is begun.
    Column("paused", Boolean, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    # Public; the secret that goes with it is kept as its SHA-256 only.
    Column("id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    # For people.
    Column("name", Text, nullable=False),
    # read, write, archive, admin; separated by spaces.
    Column("scopes", Text, nullable=False),
    # A folder with its last slash that it is bound to, or empty.
    Column("prefix", Text, nullable=False),
    # Seconds since 1970; expires is null if it never does, used if it never was.
    Column("created", Float, nullable=False),
    Column("expires", Float),
    Column("used", Float),
    # Requests and bytes per second, or null.
    Column("request_rate", Float),
    Column("byte_rate", BigInteger),
    # The actor that made it.
    Column("maker", Text, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    # SHA-256 of what the cookie says.
    Column("digest", LargeBinary, primary_key=True),
    # The token that was logged in with; empty: the operator's password.
    Column("token", Text, nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False, index=True),
)

shares = Table(
    "shares",
    metadata,
    # Public; a link has a signature beside it, which is kept nowhere.
    Column("id", Text, primary_key=True),
    # download or upload.
    Column("kind", Text, nullable=False),
    # For people: the name of the file, of the ZIP, or what is asked for.
    Column("title", Text, nullable=False),
    # The selection, or the folder that files are put into, as JSON.
    Column("spec", Text, nullable=False),
    # The token, as an actor, that made it: with it the share ends.
    Column("maker", Text, nullable=False, index=True),
    # A folder with its last slash that the maker was bound to, or empty.
    Column("prefix", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, index=True),
    # Downloads, or files that may be put; null: as many as wanted.
    Column("most", Integer),
    Column("count", Integer, nullable=False),
    # Bytes asked for by range requests that do not begin at the first byte, or bytes put.
    Column("bytes", BigInteger, nullable=False),
    # Largest file that may be put, in bytes, or null.
    Column("most_bytes", BigInteger),
    # Salt and scrypt of the password, or null.
    Column("password", LargeBinary),
)

# What this installation signs with, made once by whoever needs it first.
access_keys = Table(
    "access_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    # Seconds since 1970.
    Column("time", Float, nullable=False, index=True),
    # As Grant.actor has it, and the name it had then.
    Column("actor", Text, nullable=False),
    Column("name", Text, nullable=False),
    # Such as file.put, login.failed, token.add.
    Column("action", Text, nullable=False),
    # The key, the id: what it was done to.
    Column("subject", Text, nullable=False),
    # HTTP status of the answer.
    Column("status", Integer, nullable=False),
    Column("remote", Text, nullable=False),
    Column("request_id", Text, nullable=False),
)
