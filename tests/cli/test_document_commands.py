"""`parse`, `extract`, `chart` and `library` on the command line: what they print, write and refuse."""

import json
from pathlib import Path

import pytest
from PIL import Image

from bench.document_files import lines_of, write_pdf


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("paper") / "paper.pdf"
    write_pdf(path, [lines_of([f"Sheet {n}"]) for n in range(3)])
    return path


def test_parse_prints_one_document_and_names_what_differs(run_here, checkpoint: Path, paper: Path) -> None:
    few = ("--model", checkpoint, "--max-new-tokens", 20)
    done = run_here("parse", paper, "--pages", "1,3", "--json", *few)
    assert done.code == 0, done.err
    pages = json.loads(done.out)["pages"]
    assert [page["page"] for page in pages] == [1, 3]
    assert "differ from the text layer" in done.err  # a random model does not read "Sheet 0"
    assert "page 1: the answer was cut (length), so something may be missing" in done.err


def test_parse_writes_formats_and_goes_on(run_here, checkpoint: Path, paper: Path, tmp_path: Path) -> None:
    few = ("--model", checkpoint, "--max-new-tokens", 5, "--resume", tmp_path / "pages.jsonl")
    done = run_here("parse", paper, "--out", tmp_path, "-f", "md", "-f", "viewer", "-f", "json", *few)
    assert done.code == 0, done.err
    assert done.out.split() == [str(tmp_path / f"paper.{end}") for end in ("md", "viewer.html", "json")]
    assert len((tmp_path / "pages.jsonl").read_text().splitlines()) == 3
    run_here("parse", paper, "--out", tmp_path, *few)
    assert len((tmp_path / "pages.jsonl").read_text().splitlines()) == 3  # none is read again


def test_parse_of_a_folder_lists_failures(run_here, checkpoint: Path, paper: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.pdf").write_bytes(paper.read_bytes())
    (folder / "bad.pdf").write_text("no")
    done = run_here("parse", folder, "--out", tmp_path / "out", "--model", checkpoint, "--max-new-tokens", 3)
    assert done.code == 1
    assert "1 done, 0 were there already, 1 failed" in done.out
    assert (tmp_path / "out" / "good.md").exists()


def test_extract_gives_valid_json_and_draws_the_page_asked_for(
    run_here, checkpoint: Path, paper: Path, tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    kind = {"enum": ["invoice", "letter"]}
    schema.write_text(json.dumps({"type": "object", "properties": {"kind": kind}, "required": ["kind"]}))
    plot = tmp_path / "plot.png"
    options = ("--pages", "2", "--model", checkpoint, "--json", "--plot", plot, "--max-new-tokens", 200)
    done = run_here("extract", paper, "--schema", schema, *options)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["data"]["kind"] in ("invoice", "letter")
    with Image.open(plot) as drawn:
        row = [drawn.convert("L").getpixel((x, 33)) < 128 for x in (52, 70)]
    assert row == [True, True]  # the squares of page 2: its number is 1


def test_chart_writes_values(run_here, checkpoint: Path, picture: Path, tmp_path: Path) -> None:
    table = tmp_path / "values.csv"
    done = run_here("chart", picture, "--model", checkpoint, "--json", "--csv", table, "--max-new-tokens", 10)
    assert done.code == 0, done.err
    assert isinstance(json.loads(done.out)["rows"], list)
    assert table.exists()


def test_a_library_from_start_to_end(run_here, checkpoint: Path, paper: Path, tmp_path: Path) -> None:
    shelf = ("--library", tmp_path / "l.db")
    added = run_here(
        "library", "add", paper, *shelf, "--model", checkpoint, "--correct", "--json", "--max-new-tokens", 9
    )
    assert added.code == 0, added.err
    assert json.loads(added.out)["pages"] == 3
    (listed,) = json.loads(run_here("library", "list", *shelf, "--json").out)["files"]
    assert (listed["file"], listed["pages"]) == (str(paper), 3)
    assert (listed["settings"]["correct"], len(listed["settings"]["weights"])) == (True, 16)
    assert "corrected" in run_here("library", "list", *shelf).out
    assert "no page has these words" in run_here("library", "search", "elephants", *shelf).out
    answer = run_here("library", "ask", "elephants?", *shelf, "--model", checkpoint, "--json")
    assert json.loads(answer.out) == {
        "found": False,
        "answer": "not in these documents",
        "supported": None,
        "citations": [],
    }
    assert "1 removed" in run_here("library", "remove", paper, *shelf).out
    assert run_here("library", "list", *shelf).out.strip() == "0 documents, 0 pages"


def test_a_library_with_a_retriever(run_here, checkpoint: Path, colqwen: Path, paper: Path, tmp_path: Path) -> None:
    shelf = ("--library", tmp_path / "l.db")
    model, looks, short = ("--model", checkpoint), ("--retriever", colqwen), ("--max-new-tokens", 9)
    assert run_here("library", "add", paper, *shelf, *model, *short).code == 0
    early = run_here("library", "search", "elephants", *shelf, *looks)
    assert (early.code, early.out) == (2, "")
    assert "no page of this library is embedded" in early.err
    added = run_here("library", "add", *shelf, *model, *looks, *short)
    assert "3 pages embedded" in added.out, added.err
    assert "3 pages, 3 embedded by retriever" in run_here("library", "list", *shelf).out
    listed = json.loads(run_here("library", "list", *shelf, "--json").out)
    assert (listed["files"][0]["embedded"], len(listed["retriever"])) == (3, 16)
    found = run_here("library", "search", "elephants", *shelf, *looks, "--plot", tmp_path / "drawn", "--json")
    assert found.code == 0, found.err
    pages = json.loads(found.out)["pages"]
    assert sorted(page["page"] for page in pages) == [1, 2, 3]
    assert pages[0]["look"]["score"] >= pages[1]["look"]["score"]
    assert len(list((tmp_path / "drawn").glob("0?-*-page-?.png"))) == 3
    assert "page 1" in run_here("library", "search", "elephants", *shelf, *looks).out
    answer = run_here("library", "ask", "elephants?", *shelf, *model, *looks, "--json", "--plot", tmp_path / "cited")
    assert isinstance(json.loads(answer.out)["found"], bool), answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("parse", "{text}"), "is no PDF"),
        (("parse", "absent.pdf"), "there is no file absent.pdf"),
        (("parse", "{paper}", "-f", "docx"), "unknown format 'docx'"),
        (("parse", "{paper}", "--pages", "0"), "write them as 1-3,7"),
        (("parse", "{paper}", "-f", "md", "-f", "json"), "need --out FOLDER"),
        (("extract", "{paper}"), "--fields a,b,c or --schema FILE"),
        (("extract", "{paper}", "--schema", "{text}"), "holds no JSON schema"),
        (("extract", "{text}", "--fields", "a"), "is no PDF"),
        (("chart", "{text}"), "text.pdf"),
        (("library", "add", "absent", "--library", "{folder}/a.db"), "there is no file or folder"),
        (("library", "list", "--library", "{folder}/none.db"), "there is no library"),
        (("library", "list", "--library", "{text}"), "cannot be opened as a library"),
        (("library", "search", "x", "--plot", "{folder}"), "only with --retriever"),
        (("library", "add", "{paper}", "--library", "{folder}/a.db", "--retriever", "tiny"), "no custom_text_proj"),
    ],
)
def test_a_mistake_is_explained_with_code_2(
    run_here, checkpoint: Path, paper: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "text.pdf").write_text("this is text")
    names = {"text": tmp_path / "text.pdf", "paper": paper, "folder": tmp_path}
    model = () if arguments[1] in ("list", "search") else ("--model", str(checkpoint))
    done = run_here(*(argument.format(**names) for argument in arguments), *model)
    assert (done.code, done.out) == (2, "")
    assert message in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err
