"""The documentation as a site: it builds, its links lead somewhere, it needs no other host."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import DOCS, ROOT

_ASSETS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class _Page(HTMLParser):
    """What a page loads, links to, and can be linked to at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.assets: list[str] = []
        self.inline: list[str] = []
        self.headings: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if (name := _ASSETS.get(tag)) and (address := attributes.get(name)):
            self.assets.append(address)
        elif tag in ("script", "style"):
            self.inline.append(tag)
        if tag == "h1":
            self.headings.append(tag)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as ``make docs`` does."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def _pages(site: Path) -> Iterator[tuple[str, _Page]]:
    for path in site.rglob("*.html"):
        yield str(path.relative_to(site)), _Page(path.read_text())


def test_every_page_is_built_and_has_one_heading(site: Path) -> None:
    written = {str(path.relative_to(DOCS).with_suffix(".html")) for path in DOCS.rglob("*.md")}

    built = dict(_pages(site))

    assert written <= set(built)
    assert [name for name in written if len(built[name].headings) != 1] == []


def test_what_a_page_loads_lies_beside_it(site: Path) -> None:
    for name, page in _pages(site):
        for address in page.assets:
            parts = urlsplit(address)
            assert not parts.scheme, f"{name} loads {address}"
            assert not parts.netloc, f"{name} loads {address}"
            assert (site / name).parent.joinpath(unquote(parts.path)).resolve().exists() or (
                name == "404.html"
            ), f"{name} loads {address}, which is not there"


def test_no_style_or_script_names_another_host(site: Path) -> None:
    ours = [*site.glob("*.css"), *site.glob("*.js"), *site.rglob("*.svg")]

    found = {
        path.name: re.findall(r"(?:url\(|@import|fetch\()\s*[\"']?(?:https?:)?//", path.read_text())
        for path in ours
    }

    assert found
    assert {name: hosts for name, hosts in found.items() if hosts} == {}


def test_no_page_has_scripts_or_styles_in_it(site: Path) -> None:
    assert {name: page.inline for name, page in _pages(site) if page.inline} == {}


def test_a_search_needs_no_other_host(site: Path) -> None:
    assert (site / "search" / "search_index.json").stat().st_size > 100_000
    assert (site / "search" / "lunr.js").exists()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_files_beside_the_site_lead_somewhere(name: str) -> None:
    links = [link for link in _LINK.findall((ROOT / name).read_text()) if "://" not in link]

    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_every_page_says_first_what_it_is_good_for() -> None:
    for path in DOCS.rglob("*.md"):
        title, _, rest = path.read_text().partition("\n")
        first = rest.lstrip().partition("\n\n")[0]

        assert title.startswith("# "), path
        assert first, path
        assert not first.startswith(("#", "```", "|", "<!--", "!")), f"{path}: {first[:60]}"
