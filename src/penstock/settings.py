"""Every setting of the server, once: name, default, unit, meaning.

Precedence: command-line flag > ``PENSTOCK_*`` environment variable > ``penstock.toml`` in the
working directory > variables of StreamVault (see settings_elsewhere) > default. The flags of
``penstock serve`` are made from the fields below.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    ByteSize,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from penstock.settings_elsewhere import StreamVaultSource
from penstock.web_origins import origins_of

MIB = 1 << 20


class Settings(BaseSettings):
    """The server's settings; sizes are bytes (``64MiB`` is understood), times are seconds."""

    model_config = SettingsConfigDict(
        env_prefix="PENSTOCK_", toml_file="penstock.toml", extra="ignore"
    )

    data: Path = Field(
        default=Path("penstock-data"),
        description="folder that holds everything: files, catalog, uploads",
    )
    store: str = Field(
        default="",
        description="where the files live: file:///folder, s3://bucket[/prefix], cluster:// "
        "(storage nodes, penstock node) or memory://; empty means DATA/files",
    )
    catalog: str = Field(
        default="",
        description="database of checksums and selections as an SQLAlchemy URL; "
        "empty means SQLite in DATA",
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8080, description="TCP port to listen on; 0 picks a free one"
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1,
        description="processes that serve, on one port; the first of them does jobs. Settings of "
        "what may be at once hold for each process",
    )
    access: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="whether tokens and logins are asked for; auto: unless HOST is a loopback "
        "address. Off only where something in front checks who comes",
    )
    session_expiry: PositiveFloat = Field(
        default=43_200.0, description="seconds after which a login on the pages ends"
    )
    share_expiry: PositiveFloat = Field(
        default=604_800.0, description="seconds that a share link is good for if nothing is said"
    )
    secret: SecretStr = Field(
        default=SecretStr(""),
        description="what share links are signed with; empty means a secret in the catalog, "
        "made at the first start; others on the host can see it if it is given as a flag",
    )
    cors_origins: str = Field(
        default="",
        description="origins such as https://app.example.com, separated by commas, whose pages may "
        "use the HTTP interface with a token; * means any",
    )
    public_url: str = Field(
        default="",
        description="URL under which users reach the server, for links; empty means as each "
        "request names it",
    )
    audit_keep: NonNegativeFloat = Field(
        default=7_776_000.0,
        description="seconds that lines of the audit log are kept; 0 means there is none",
    )
    max_body: ByteSize = Field(
        default=ByteSize(1 << 40), description="largest request body in bytes"
    )
    max_transfers: PositiveInt = Field(
        default=512, description="transfers in flight at once; more are answered 503"
    )
    max_uploads: PositiveInt = Field(
        default=10_000, description="resumable uploads that may be unfinished at once"
    )
    max_upload_bytes: ByteSize = Field(
        default=ByteSize(1 << 42),
        description="bytes that all unfinished uploads may have together",
    )
    upload_expiry: PositiveFloat = Field(
        default=86_400.0,
        description="seconds after its last byte that an unfinished upload is kept",
    )
    resume_from: ByteSize = Field(
        default=ByteSize(8 * MIB),
        description="bytes from which on a plain PUT that breaks off is kept to be resumed; "
        "always if its length is unknown",
    )
    max_ranges: PositiveInt = Field(
        default=32, description="ranges in one request; with more the whole file is sent"
    )
    compress: bool = Field(
        default=True,
        description="send text and its like in a content coding (gzip; zstd and br if the extra "
        "compress is installed) to clients that accept one and ask for no range",
    )
    precompressed: bool = Field(
        default=False,
        description="send KEY.zst, KEY.br or KEY.gz, if it is not older, as the coded form of KEY; "
        "only where nobody can put files that are not what their names say",
    )
    max_form_files: PositiveInt = Field(default=100, description="files in one form")
    max_zip_entries: PositiveInt = Field(default=1_000_000, description="files in one ZIP")
    max_zip_urls: PositiveInt = Field(default=10_000, description="remote files in one ZIP")
    zip_expiry: PositiveFloat = Field(
        default=86_400.0, description="seconds that a selection made by POST /v1/zips is kept"
    )
    zip_read_first: ByteSize = Field(
        default=ByteSize(64 * MIB),
        description="most bytes of stored files without a known CRC-32 that are read before a ZIP "
        "of them is begun; if they have more, the CRC-32 is taken while they are sent",
    )
    remote_allow: str = Field(
        default="",
        description="hosts, addresses or networks, separated by commas, that remote URLs may "
        "reach although they are private",
    )
    remote_ports: str = Field(
        default="80,443",
        pattern=r"^\d{1,5}(,\d{1,5})*$",
        description="ports, separated by commas, that remote URLs may name; "
        "any port of a host in REMOTE_ALLOW",
    )
    remote_probes: PositiveInt = Field(
        default=16, description="remote files asked at once before a ZIP of them is begun"
    )
    remote_connections: PositiveInt = Field(
        default=4, description="connections to remote files, and to S3, for each ZIP"
    )
    remote_lookahead: ByteSize = Field(
        default=ByteSize(4 * MIB),
        description="bytes read ahead of remote files, and of files in S3, for each ZIP",
    )
    remote_tries: PositiveInt = Field(
        default=5, description="tries in a row without a byte after which a remote file is given up"
    )
    remote_connect_timeout: PositiveFloat = Field(
        default=10.0, description="seconds to connect to a remote server"
    )
    remote_answer_timeout: PositiveFloat = Field(
        default=30.0, description="seconds until a remote server's answer begins"
    )
    remote_stall_timeout: PositiveFloat = Field(
        default=30.0, description="seconds without a byte after which a remote server is left"
    )
    hooks_url: str = Field(
        default="",
        description="URL that is told, by signed requests, what becomes of uploads; "
        "empty means nobody is",
    )
    hooks_secret: SecretStr = Field(
        default=SecretStr(""),
        description="what the requests to HOOKS_URL are signed with: whsec_ and 24 to 64 random "
        "bytes in base64; others on the host can see it if it is given as a flag",
    )
    pulls: NonNegativeInt = Field(
        default=4,
        description="files of other servers that are pulled at once, others wait; with 0 they are "
        "left to further servers on the same catalog",
    )
    worker: bool = Field(
        default=True,
        description="do the work of jobs in this process; without it that is left to others on the "
        "same catalog, such as penstock worker",
    )
    archives: NonNegativeInt = Field(
        default=2, description="archives of smaller folders that are made at once by each worker"
    )
    archives_large: NonNegativeInt = Field(
        default=1, description="archives of larger folders that are made at once by each worker"
    )
    archive_threshold: ByteSize = Field(
        default=ByteSize(5 << 30), description="bytes above which a folder is a larger one"
    )
    archive_prefix: str = Field(
        default="exports/",
        description="folder of the archives for which no key is asked; it goes into no archive "
        "itself unless it is asked for",
    )
    archive_valid: NonNegativeFloat = Field(
        default=3600.0,
        description="seconds that a finished archive answers the same request again, if neither "
        "the folder nor the archive has changed",
    )
    archive_link: Literal["direct", "presigned", "public"] = Field(
        default="direct",
        description="links to finished archives: to this server, or into S3: presigned, or plain "
        "for who may read there without",
    )
    archive_link_expiry: PositiveFloat = Field(
        default=3600.0, le=604_800.0, description="seconds that a presigned link is good for"
    )
    dashboard_user: str = Field(
        default="admin", description="the operator, who may see /dashboard and everything else"
    )
    dashboard_password: SecretStr = Field(
        default=SecretStr(""),
        description="the password of the operator; empty means the one in DATA/dashboard-password, "
        "which is made at the first start",
    )
    s3_endpoint: str = Field(
        default="",
        description="URL of the S3 server; empty means what AWS_ENDPOINT_URL or the AWS "
        "configuration file says, else Amazon's of the region",
    )
    s3_region: str = Field(
        default="",
        description="region of the bucket; empty means what AWS_REGION or the AWS "
        "configuration file says, else us-east-1",
    )
    s3_access_key: str = Field(
        default="", description="access key of S3; empty means the standard AWS credentials"
    )
    s3_secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="secret key of S3; others on the host can see it if it is given as a flag",
    )
    s3_style: Literal["auto", "path", "virtual"] = Field(
        default="auto",
        description="where requests name the bucket: in the path or in the host; "
        "auto is virtual where no endpoint is named, in the settings or by AWS variables or files",
    )
    s3_anonymous: bool = Field(default=False, description="sign no request: for public buckets")
    s3_part_size: ByteSize = Field(
        default=ByteSize(8 * MIB),
        description="bytes of the parts in which larger files are sent to S3; "
        "more where 10,000 parts would not do",
    )
    s3_memory: ByteSize = Field(
        default=ByteSize(256 * MIB),
        description="bytes on their way to S3 that wait in memory; more wait in DATA/spool",
    )
    s3_tries: PositiveInt = Field(
        default=6, description="tries after which a request to S3 is given up"
    )
    s3_orphan_age: float = Field(
        default=86_400.0,
        ge=3600.0,
        description="seconds without a sign of life after which our multipart uploads are aborted; "
        "an hour at least",
    )
    s3_max_parts: Annotated[int, Field(ge=3, le=10_000)] = Field(
        default=10_000, description="most parts of one object that the S3 server takes"
    )
    s3_public_url: str = Field(
        default="",
        description="URL below which the bucket's objects can be read without a signature, for "
        "public links; empty means the S3 server's own",
    )
    s3_price_put: NonNegativeFloat = Field(
        default=0.005, description="dollars for 1,000 requests of S3 that are paid as PUT"
    )
    s3_price_get: NonNegativeFloat = Field(
        default=0.0004, description="dollars for 1,000 requests of S3 that are paid as GET"
    )
    s3_price_out: NonNegativeFloat = Field(
        default=0.0,
        description="dollars for a GiB that leaves S3: nothing within its region; where it costs, "
        "fewer bytes are read for more requests",
    )
    cluster_secret: SecretStr = Field(
        default=SecretStr(""),
        description="what storage nodes and servers know each other by, the same for all of them; "
        "needed behind a proxy, where everybody seems to be on this host; "
        "others on the host can see it if it is given as a flag",
    )
    cluster_min_nodes: PositiveInt = Field(
        default=1, description="storage nodes that have to be live before anything is stored"
    )
    cluster_replicas: Annotated[int, Field(ge=1, le=16)] = Field(
        default=2, description="copies of each part, on as many storage nodes"
    )
    cluster_parts: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=6,
        description="equal parts that a file is cut into; fewer if they would have less than "
        "CLUSTER_LEAST_PART, more if they would have more than a GiB",
    )
    cluster_part_size: ByteSize = Field(
        default=ByteSize(0),
        description="bytes of the parts that a file is cut into; 0 means as CLUSTER_PARTS says",
    )
    cluster_least_part: Annotated[ByteSize, Field(ge=1)] = Field(
        default=ByteSize(64 << 10), description="fewest bytes of a part where CLUSTER_PARTS counts"
    )
    cluster_grace: NonNegativeFloat = Field(
        default=300.0,
        description="seconds that the parts of a file which was replaced or removed are kept",
    )
    cluster_dead_after: Annotated[float, Field(ge=2.0)] = Field(
        default=30.0,
        description="seconds of silence after which a storage node is dead, and what it had is "
        "copied elsewhere",
    )
    cluster_upkeep_rate: Annotated[ByteSize, Field(ge=MIB)] = Field(
        default=ByteSize(64 * MIB),
        description="most bytes per second that repair, moves and scrubs read, together",
    )
    cluster_scrub_every: Annotated[float, Field(ge=1.0)] = Field(
        default=604_800.0,
        description="seconds after which each part on a storage node is read and verified again",
    )
    cluster_memory: ByteSize = Field(
        default=ByteSize(256 * MIB),
        description="bytes on their way to storage nodes that wait in memory; more wait in "
        "DATA/spool",
    )
    idle_timeout: PositiveFloat = Field(
        default=15.0,
        description="seconds a connection may take for a request head, or idle between requests",
    )
    stall_timeout: PositiveFloat = Field(
        default=60.0, description="seconds without a byte in either direction that end a transfer"
    )
    follow_timeout: PositiveFloat = Field(
        default=300.0,
        description="seconds without a new byte after which nobody follows an upload any longer",
    )
    shutdown_timeout: NonNegativeFloat = Field(
        default=30.0, description="seconds that transfers in flight may take to finish on SIGTERM"
    )
    io_threads: PositiveInt = Field(
        default=16, description="threads for disk, hashing and database work"
    )
    sha256: bool = Field(
        default=True,
        description="record the SHA-256 of what comes in; without it nobody can verify downloads",
    )
    traces: str = Field(
        default="",
        description="URL of an OpenTelemetry collector (OTLP over HTTP, .../v1/traces) that is "
        "sent traces; needs the extra traces; empty means none",
    )
    traces_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0, description="share of the requests without a traceparent that are traced"
    )
    log_format: Literal["auto", "json", "pretty"] = Field(
        default="auto", description="log lines as JSON, or pretty; auto is pretty on a terminal"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe level that is logged"
    )

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        origins_of(value)
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags first, then the environment, then the file, then names of another program."""
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls),
            StreamVaultSource(settings_cls),
        )
