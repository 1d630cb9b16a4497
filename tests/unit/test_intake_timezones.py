"""A time zone that nobody knows is told when the declaration is read. Mend: frontdoor/contract/senders.py."""

import shutil
from pathlib import Path

import pytest

from frontdoor.contract import ContractError, expectations_folder, load_house


@pytest.mark.parametrize("declaration", ["agencies/wearside_police.yaml", "layouts/cin_census.yaml"])
@pytest.mark.parametrize("name", ["Europe/Lundon", "../etc/passwd", "+01:00"])
def test_unknown_time_zone_is_refused_with_its_place(tmp_path: Path, declaration: str, name: str) -> None:
    folder = tmp_path / "expectations"
    shutil.copytree(expectations_folder(), folder)
    text = (folder / declaration).read_text()
    (folder / declaration).write_text(text.replace("timezone: Europe/London", f"timezone: {name}"))
    with pytest.raises(ContractError, match=rf"{declaration}: timezone: expected the name of a time zone"):
        load_house(folder)
