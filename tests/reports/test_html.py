"""The page: self-contained, everything escaped, nothing empty, every reason in place."""

import re
from html.parser import HTMLParser

import pytest

from carryover._core.errors import InputError
from carryover.reports.html import render_report

NAMES = ("troubled", "one", "twelve", "regression", "pretrained", "adapted", "nothing", "compared")
ALONE = ("bounds",)


class _Page(HTMLParser):
    """Collects tags, attributes, ids, the text of cells and all visible text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.cells, self.text = set(), [], [], []
        self._cell = None
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        self._hidden += tag == "style"
        if tag in ("td", "th"):
            self._cell = []

    def handle_endtag(self, tag):
        self._hidden -= tag == "style"
        if tag in ("td", "th"):
            self.cells.append("".join(self._cell).strip())
            self._cell = None

    def handle_data(self, data):
        if not self._hidden:
            self.text.append(data)
        if self._cell is not None:
            self._cell.append(data)


@pytest.fixture(scope="module")
def parsed(pages):
    return {name: _Page(html) for name, html in pages.items()}


@pytest.mark.parametrize("name", NAMES + ALONE)
def test_no_request_leaves_the_page(pages, parsed, name):
    html = pages[name]
    assert not re.search(
        r"(?:src|href|srcset|action|data|poster)\s*=\s*[\"']?\s*(?:https?:)?//", html, re.IGNORECASE
    )
    assert not re.search(r"url\(\s*[\"']?(?!#)", html)
    assert "@import" not in html
    forbidden = {
        "script",
        "iframe",
        "object",
        "embed",
        "img",
        "audio",
        "video",
        "base",
        "form",
        "foreignobject",
    }
    assert not forbidden & parsed[name].tags
    policy = next(
        value for _, key, value in parsed[name].attributes if key == "content" and "default-src" in value
    )
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


@pytest.mark.parametrize("name", NAMES + ALONE)
def test_nothing_is_empty_or_not_a_number(parsed, name):
    page = parsed[name]
    assert all(page.cells)
    assert not re.search(
        r"\b(nan|NaN|inf|None|Undefined)\b", " ".join(page.text).replace("are NaN: download", "")
    )


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_links_inside_resolve(parsed, name):
    ids = [value for _, key, value in parsed[name].attributes if key == "id"]
    links = [value[1:] for tag, key, value in parsed[name].attributes if tag == "a" and key == "href"]
    assert len(ids) == len(set(ids))
    assert links
    assert set(links) <= set(ids)


def test_hostile_names_are_text_everywhere(examples):
    record = examples.example_record(1, n_classes=3)
    target = record["data"]["target"]
    target["name"] = target["split"] = target["label_column"] = examples.HOSTILE
    target["classes"][0]["name"] = examples.HOSTILE
    record["data"]["unlabelled"]["name"] = record["data"]["pretraining_sample"]["name"] = examples.HOSTILE
    examples.rename(record, 0, examples.HOSTILE)
    model = record["models"][0]
    model["feature"] = model["preprocessing"] = model["kind"] = model["weights_hash"] = examples.HOSTILE
    model["bounds"]["holdout"]["terms"][examples.HOSTILE] = 0.0
    model["bounds"]["holdout"]["assumptions"][0]["text"] = examples.HOSTILE
    model["scores"]["leep"]["reason"] = examples.HOSTILE
    record["verdicts"][0]["sentence"] = record["verdicts"][0]["checks"][0] = examples.HOSTILE
    record["spec"] = record["run"]["versions"] = {examples.HOSTILE: examples.HOSTILE}
    record["warnings"] = [examples.HOSTILE]
    page = _Page(render_report(record))
    assert "script" not in page.tags
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]
    assert "".join(page.text).count("<script>alert(1)</script>") >= 25


def test_every_reason_stands_in_the_page(examples, parsed):
    text = " ".join("".join(parsed["troubled"].text).split())
    for reason in (
        "3 values of layer1.0.conv1.weight are NaN: download the weights again",
        "fewer than 3 label counts hold every class",
        "the evidence did not converge in 100 iterations",
        "the divergence overflowed",
        "no pretraining sample was given",
        "the model has no source head",
    ):
        assert reason in text


def test_the_answer_comes_first(parsed):
    text = " ".join("".join(parsed["troubled"].text).split())
    assert text.index("resnet56-cifar10 is the likely choice") < text.index("Ranking")
    assert "twice the labels would bring it to about" in text
    assert "Limited byLabels" in text


def test_one_model_has_nothing_to_be_compared_with(parsed):
    assert "is the only model that was measured" in "".join(parsed["one"].text)


def test_nothing_measured_says_why(parsed):
    text = "".join(parsed["nothing"].text)
    assert "No model could be measured" in text
    assert "the file is truncated" in text


def test_regression_speaks_of_r2(parsed):
    text = "".join(parsed["regression"].text)
    assert "Test R²" in text
    assert "Balanced accuracy" not in text


def test_many_classes_are_folded(pages):
    assert "<summary>The 100 classes</summary>" in pages["twelve"]
    assert "<details open" not in pages["twelve"]


def test_a_record_against_the_schema_is_refused(examples):
    record = examples.example_record(1)
    record["models"][0]["n_features"] = -1
    with pytest.raises(InputError, match=r"models\[0\]\.n_features"):
        render_report(record)


def test_pretraining_is_shown_only_where_a_model_has_it(pages, parsed, examples):
    assert "Excess over the best of its family" not in pages["troubled"]
    cells = parsed["pretrained"].cells
    names = [model["name"] for model in examples.pretrained_record()["models"]]
    start = cells.index("Excess over the best of its family") + 1
    rows = [[" ".join(cell.split()) for cell in cells[at : at + 5]] for at in range(start, start + 15, 5)]
    assert [row[0] for row in rows] == [f"{name}objective: context encoder" for name in names[:3]]
    assert rows[0][4].endswith("the best of 2") and rows[1][4].endswith(f"the best of 2 is {names[0]}")
    assert (
        rows[1][1].startswith("0.831") and rows[1][2].startswith("0.857") and rows[1][3].startswith("0.025")
    )
    assert "no other candidate was pretrained by the same loss" in rows[2][4]


def test_notes_on_models_are_shown_and_escaped(pages):
    assert "Notes on the models" not in pages["one"]
    assert "3 of the 500 training examples (rows 1, 2, 9) were in the pool &lt;b&gt;." in pages["pretrained"]
