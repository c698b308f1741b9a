"""docs/adaptation.md: its config reads, and its table of plans is that of the code."""

import math
import re
import tomllib
from pathlib import Path

from adapt_files import write_stripes

from carryover._core.strict import build
from carryover.adaptation.diverging import EXPLODED
from carryover.adaptation.plans import PLANS
from carryover.adaptation.specs import AdaptSpec

PAGE = (Path(__file__).parents[2] / "docs" / "adaptation.md").read_text(encoding="utf-8")


def test_the_config_on_the_page_reads():
    block = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL).group(1)
    spec = build(AdaptSpec, tomllib.loads(block))
    assert [plan.name for plan in spec.chosen] == [*PLANS, "gradual"]
    assert [phase.name for phase in spec.plans[0].phases] == ["head", "late layers"]


def test_the_table_names_every_plan_and_its_numbers():
    section = PAGE.split("## Plans")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE))
    assert set(rows) == set(PLANS)
    assert f"{PLANS['l2_sp'].phases[0].l2_sp / 2:g} times the squared distance" in rows["l2_sp"]
    assert f"ball of {PLANS['ball'].phases[0].relative_radius:.0%}".replace("%", " %") in rows["ball"]
    assert f"rank {PLANS['lora'].phases[0].lora.rank}" in rows["lora"]
    assert [math.isinf(phase.radius) for phase in PLANS["fine_tuning"].phases] == [True]


def test_the_python_on_the_page_runs(tmp_path, monkeypatch, capsys):
    write_stripes(tmp_path)
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1)
    space = {}
    exec(block.replace("new_images", "stripes.parquet"), space)
    assert capsys.readouterr().out == "lp_ft lp_ft is the only plan.\n"
    assert len(space["table"]) == 160 and "probability wide" in space["table"]


def test_what_counts_as_a_divergence_is_what_the_page_says():
    assert EXPLODED == 1000 and "a thousand times what scores of 0 lose" in " ".join(PAGE.split())
