"""Metrics as a monitoring system reads them, by the parser of prometheus-client."""

from dataclasses import dataclass
from urllib.request import Request, urlopen

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@dataclass(frozen=True)
class Scrape:
    """One answer of ``/metrics``."""

    text: str

    def value(self, sample: str, **labels: str) -> float:
        """The sum of the samples of that name that have these labels."""
        return sum(self.values(sample, **labels))

    def values(self, sample: str, **labels: str) -> list[float]:
        """All of them."""
        return [
            found.value
            for family in text_string_to_metric_families(self.text)
            for found in family.samples
            if found.name == sample and labels.items() <= found.labels.items()
        ]

    def labels(self, name: str) -> set[str]:
        """Every value that this label has anywhere."""
        return {
            found.labels[name]
            for family in text_string_to_metric_families(self.text)
            for found in family.samples
            if name in found.labels
        }

    def names(self) -> set[str]:
        """Of metrics, as dashboards write them: those of counters end in ``_total``."""
        return {
            f"{family.name}_total" if family.type == "counter" else family.name
            for family in text_string_to_metric_families(self.text)
        }


def scrape(url: str) -> Scrape:
    """Ask a server for its metrics; blocks."""
    with urlopen(f"{url}/metrics", timeout=30) as answer:
        return Scrape(answer.read().decode())


def scrape_openmetrics(url: str) -> list[str]:
    """The names of all metrics, in the stricter format; fails if it is not that."""
    with urlopen(Request(f"{url}/metrics", headers={"Accept": OPENMETRICS}), timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        text = answer.read().decode()
    families = openmetrics.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return [family.name for family in families]
