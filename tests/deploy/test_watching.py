"""The dashboard, the alerts and the reference speak of metrics that there are, and of them all."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.server.scraping import scrape

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy/grafana/dashboard.json"
PROMETHEUS = ROOT / "deploy/prometheus"
REFERENCE = ROOT / "docs/reference/metrics.md"

NAME = re.compile(r"\b(?:penstock|process|python)_[a-z_]+\b")
OF_HISTOGRAMS = re.compile(r"_(bucket|count|sum)$")


@pytest.fixture
def names(start_server: StartServer) -> set[str]:
    """Of all metrics: those of a server that has storage nodes and tells a webhook."""
    secret = "whsec_c2l4dGVlbiBieXRlcyBhcmUgbm90IGVub3VnaCBmb3IgaXQ="
    server = start_server(store="cluster://", hooks_url="http://127.0.0.1:9/", hooks_secret=secret)
    return scrape(server.url).names()


def named_in(text: str, names: set[str]) -> set[str]:
    """The metrics that queries name."""
    found = set(NAME.findall(text))
    return {name if name in names else OF_HISTOGRAMS.sub("", name) for name in found}


def queries(panels: list[dict[str, Any]]) -> list[str]:
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def test_everything_that_is_watched_is_there_and_documented(names: set[str]) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    drawn = named_in("\n".join(queries(dashboard["panels"])), names)
    alerted = named_in((PROMETHEUS / "alerts.yml").read_text(), names)
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", REFERENCE.read_text(), re.MULTILINE))

    assert drawn - names == set()
    assert alerted - names == set()
    assert documented == names


def test_the_dashboard_can_be_imported_anywhere() -> None:
    dashboard = json.loads(DASHBOARD.read_text())

    sources = {
        target["datasource"]["uid"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }
    assert sources == {"${datasource}"}
    assert "datasource" in {variable["name"] for variable in dashboard["templating"]["list"]}
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places) == len({panel["id"] for panel in dashboard["panels"]})


def test_every_query_of_the_dashboard_is_understood(tmp_path: Path) -> None:
    """As rules, with Grafana's variables filled in, since promtool reads those."""
    dashboard = json.loads(DASHBOARD.read_text())
    rules = [
        {"record": f"query:{number}", "expr": re.sub(r"\$__rate_interval", "5m", query)}
        for number, query in enumerate(queries(dashboard["panels"]))
    ]
    written = tmp_path / "rules.yml"
    written.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    promtool("check", "rules", str(written))


def test_prometheus_understands_its_configuration() -> None:
    promtool("check", "config", str(PROMETHEUS / "scrape.yml"))


def promtool(*words: str) -> None:
    if (program := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed")
    checked = subprocess.run([program, *words], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
