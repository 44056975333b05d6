"""Names that lead out of a folder, and what lies outside for them to find."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SECRET = b"this lies outside of the store"
WRITTEN = b"this was written by somebody who may not"


@dataclass(frozen=True)
class Planted:
    """A secret beside the store, and links to it from within, as a restored backup may have."""

    outside: Path
    files: Path

    @classmethod
    def around(cls, files: Path) -> "Planted":
        """``files`` is the folder of the store's files; ``outside`` is beside the data."""
        outside = files.parents[1] / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(SECRET)
        (files / "link-to-folder").symlink_to(outside)
        (files / "link-to-file").symlink_to(outside / "secret")
        (files / "link-above").symlink_to("../..")
        (files / "link-to-itself").symlink_to("link-to-itself")
        (files / "docs").mkdir()
        (files / "docs" / "link-below").symlink_to(outside)
        return cls(outside, files)

    def untouched(self) -> bool:
        """Whether outside everything is as it was."""
        found = {path.name: path.read_bytes() for path in self.outside.iterdir()}
        return found == {"secret": SECRET}

    def written(self) -> list[Path]:
        """Files with the attacker's bytes that lie anywhere but among the store's files."""
        top = self.files.parents[1]
        candidates = (path for path in top.rglob("*") if path.is_file() and not path.is_symlink())
        return [
            path
            for path in candidates
            if not path.is_relative_to(self.files) and WRITTEN in path.read_bytes()
        ]

    def names(self, leaf: str) -> list[str]:
        """What a name of a file ``leaf`` outside may look like, after all decoding."""
        absolute = f"{self.outside}/{leaf}"
        up = f"../../outside/{leaf}"
        return [
            up,
            f"../{up}",
            f"docs/../{up}",
            f"docs/../../{up}",
            f"./{up}",
            f".//{up}",
            f"{'../' * 60}{absolute[1:]}",
            absolute,
            f"/{absolute}",
            f"file://{absolute}",
            f"link-to-folder/{leaf}",
            f"docs/link-below/{leaf}",
            f"link-above/outside/{leaf}",
            "link-to-file",
            "link-to-itself",
            f"link-to-itself/{leaf}",
            up.replace("/", "\\"),
            f"docs\\..\\..\\{up}",
            f"..\\/..\\/outside/{leaf}",
            f"C:{absolute}",
            f"C:\\outside\\{leaf}",
            f"\\\\?\\C:\\outside\\{leaf}",
            f"\\\\host\\share\\{leaf}",
            f"....//....//outside/{leaf}",
            f"..;/..;/outside/{leaf}",
            f".. /.. /outside/{leaf}",
            f"..%2f..%2foutside%2f{leaf}",
            f"%2e%2e/%2e%2e/outside/{leaf}",
            f"..%252f..%252foutside%252f{leaf}",
            f"..%c0%af..%c0%afoutside%c0%af{leaf}",
            f"．．/．．/outside/{leaf}",  # fullwidth dots: NFKC makes them dots
            f"․․/․․/outside/{leaf}",  # one dot leaders
            f"‥/‥/outside/{leaf}",  # a two dot leader
            f"..／..／outside／{leaf}",  # fullwidth solidus
            f"..∕..∕outside∕{leaf}",  # division slash
            f"\u202e../../outside/{leaf}",
            f"..\0/..\0/outside/{leaf}",
            f"{up}\0.txt",
            f"docs/x\0/../../{up}",
            f"..\r/..\n/outside/{leaf}",
            f"..\ud800/../outside/{leaf}",
            f".penstock/../../../outside/{leaf}",
            f".penstock/tmp/{leaf}",
            f"~/{leaf}",
            "..",
            ".",
            "/",
            "\0",
            f"{'a/' * 600}{leaf}",
            f"{'x' * 5000}/{leaf}",
            f"{'../' * 3000}{leaf}",
        ]

    def paths(self, leaf: str) -> list[bytes]:
        """The same as they may stand in a request's target, and what decodes only there."""
        plain = [name.encode("utf-8", "surrogatepass") for name in self.names(leaf)]
        visible = [name for name in plain if not set(name) & set(b"\0\r\n ?#")]
        octets = leaf.encode()
        up = b"../../outside/" + octets
        spelt = [
            up.replace(b"..", b"%2e%2e"),
            up.replace(b"..", b"%2E."),
            up.replace(b"/", b"%2f"),
            up.replace(b"..", b"%2e%2e").replace(b"/", b"%2F"),
            up.replace(b"..", b"%252e%252e").replace(b"/", b"%252f"),
            up.replace(b"..", b"%25252e%25252e"),
            up.replace(b"..", b"%c0%ae%c0%ae").replace(b"/", b"%c0%af"),
            up.replace(b"..", b"%e0%80%ae%e0%80%ae").replace(b"/", b"%e0%80%af"),
            up.replace(b"..", b"%f0%80%80%ae%f0%80%80%ae"),
            up.replace(b"..", b"%u002e%u002e"),
            up.replace(b"..", b"\xc0\xae\xc0\xae"),
            up.replace(b"/", b"%5c"),
            up.replace(b"/", b"%255c"),
            up + b"%00",
            up + b"%00.txt",
            b"docs%2f..%2f" + up,
            b"%2f" + str(self.outside).encode()[1:] + b"/" + octets,
            b"%",
            b"%2",
            b"%zz",
            b"%ff%fe",
        ]
        return [*visible, *(quote(name, safe="").encode() for name in plain), *spelt]
