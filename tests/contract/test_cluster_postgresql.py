"""What depends on the catalog, on a cluster whose catalog is PostgreSQL."""

from tests.catalog.conftest import postgres
from tests.cluster.on_catalogs import postgres_url as url
from tests.cluster.on_catalogs import store
from tests.contract.test_store import (
    test_a_delete_may_be_conditional,
    test_a_delimiter_rolls_folders_up,
    test_a_prefix_need_not_end_at_a_slash,
    test_create_only_refuses_to_replace,
    test_if_match_replaces_only_the_version_it_names,
    test_listed_files_carry_what_stat_says,
    test_listing_is_in_bytewise_key_order,
    test_of_many_creators_of_one_key_exactly_one_wins,
    test_pages_join_to_the_whole_listing,
)

__all__ = [
    "postgres",
    "store",
    "test_a_delete_may_be_conditional",
    "test_a_delimiter_rolls_folders_up",
    "test_a_prefix_need_not_end_at_a_slash",
    "test_create_only_refuses_to_replace",
    "test_if_match_replaces_only_the_version_it_names",
    "test_listed_files_carry_what_stat_says",
    "test_listing_is_in_bytewise_key_order",
    "test_of_many_creators_of_one_key_exactly_one_wins",
    "test_pages_join_to_the_whole_listing",
    "url",
]
