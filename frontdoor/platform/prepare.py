"""What a database needs before anything can land: tables, landing tables from the contracts, reference rows, checks.

Safe to repeat and to run twice at once; each step finds what is there.
"""

from frontdoor import contract, database, warehouse
from frontdoor.settings import Settings


def prepare(settings: Settings) -> None:
    """Bring the database up to this version of the code and of the contracts; commits."""
    house = contract.load_house()
    opened = database.connect(settings, application_name="frontdoor prepare")
    try:
        warehouse.migrate(opened)
        warehouse.ensure_raw_tables(opened, house)
        warehouse.load_reference(opened, house)
        warehouse.publish_checks(opened, house)
        opened.commit()
    finally:
        opened.close()
