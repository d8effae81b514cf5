"""Pages found by late interaction: vectors of tokens, scores, and the patch that matched."""

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.conftest import random_model, small_config
from tests.doubles import small_processor
from viewfinder.chat.library.page_vectors import PageVectors, Retriever
from viewfinder.errors import CheckpointError, MediaError
from viewfinder.model import load_model, save_pretrained
from viewfinder.model.late_interaction import LateInteraction, max_similarity, rough_similarity, to_bytes
from viewfinder.model.lora import add_adapters, save_adapter


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As colpali-engine saves it with transformers 5: names under `language_model.`, no output projection."""
    path = tmp_path_factory.mktemp("retriever")
    processor = small_processor()
    ids = {
        f"{name}_token_id": processor.tokenizer.token_id(f"<|{token}|>")
        for name, token in (
            *(("image", "image_pad"), ("video", "video_pad"), ("vision_start", "vision_start")),
            *(("vision_end", "vision_end"), ("bos", "endoftext"), ("eos", "im_end")),
        )
    }
    save_pretrained(random_model(small_config(tied=True).model_copy(update=ids)), path)
    processor.save_pretrained(path)
    state = load_file(path / "model.safetensors")
    state = {
        name.replace("model.", "language_model.", 1) if name.startswith("model.") else name: t
        for name, t in state.items()
    }
    torch.manual_seed(1)
    state |= {"custom_text_proj.weight": torch.randn(128, 64) * 0.2, "custom_text_proj.bias": torch.randn(128) * 0.1}
    save_file(state, path / "model.safetensors")
    return path


def page(folder: Path, name: str, corner: tuple[int, int]) -> Path:
    image = Image.new("RGB", (112, 84), "white")
    ImageDraw.Draw(image).rectangle((*corner, corner[0] + 27, corner[1] + 27), fill="red")
    image.save(folder / name)
    return folder / name


def by_definition(query: Tensor, pages: list[Tensor]) -> list[float]:
    return [sum(max(float(q @ p) for p in page) for q in query) for page in pages]


def test_scores_are_the_sum_of_the_best_products() -> None:
    torch.manual_seed(0)
    query, pages = torch.randn(4, 128), [torch.randn(n, 128) for n in (3, 1, 7)]
    found = max_similarity(query, torch.cat(pages), [0, 3, 4, 11])
    assert torch.allclose(found, torch.tensor(by_definition(query, pages)), rtol=1e-5)
    assert max_similarity(query, torch.zeros(0, 128), [0]).shape == (0,)


def test_a_shortlist_holds_the_best_pages(tmp_path: Path) -> None:
    """Of 300 pages, those whose score is highest are the same as by the exact formula over all."""
    torch.manual_seed(0)
    lengths = torch.randint(5, 30, (300,)).tolist()
    pages = [torch.nn.functional.normalize(torch.randn(n, 128), dim=-1).bfloat16() for n in lengths]
    library = PageVectors(tmp_path / "none")
    library.vectors, library.starts = torch.cat(pages), [0, *torch.tensor(lengths).cumsum(0).tolist()]
    library.pages = [{"file": "f", "page": i, "first": 0, "grid": [5, 1], "size": [28, 140]} for i in range(300)]
    query = torch.nn.functional.normalize(torch.randn(6, 128), dim=-1)
    exact = max_similarity(query, library.vectors, library.starts)
    assert [look.page for look in library.looks(query, limit=5)] == exact.topk(5).indices.tolist()
    assert (rough_similarity(query, to_bytes(library.vectors), library.starts) - exact).abs().max() < 0.05


def test_vectors_have_length_one_and_a_page_the_published_prompt(directory: Path, tmp_path: Path) -> None:
    retriever = Retriever.load(str(directory))
    vectors, prepared = retriever.page(page(tmp_path, "a.png", (0, 0)))
    tokenizer = retriever.processor.tokenizer
    text = tokenizer.decode(prepared.inputs.input_ids.tolist(), skip_special=False)
    pads = "<|image_pad|>" * 12
    assert text == f"<|im_start|>user\n<|vision_start|>{pads}<|vision_end|>Describe the image.<|im_end|><|endoftext|>"
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(len(vectors)), atol=1e-5)
    assert len(retriever.query("two")) == len(tokenizer.encode("two")) + 10


def test_pages_are_found_kept_and_forgotten(directory: Path, tmp_path: Path) -> None:
    retriever = Retriever.load(str(directory))
    files = [page(tmp_path, f"{i}.png", (28 * i, 28 * i)) for i in range(3)]
    library = PageVectors(tmp_path / "pages.vectors")
    assert library.add(retriever, files) == 3
    again = PageVectors(tmp_path / "pages.vectors")
    looks = again.search(retriever, "two", limit=2)
    query = retriever.query("two").to(torch.bfloat16)
    pages = [retriever.page(file)[0].to(torch.bfloat16) for file in files]
    expected = sorted(by_definition(query.float(), [p.float() for p in pages]), reverse=True)
    assert [look.score for look in looks] == pytest.approx(expected[:2], rel=1e-2)
    assert looks[0].draw().size == (112, 84)
    assert again.add(retriever, files[:1]) == 1
    assert len(again) == 3


def test_the_patch_that_matched(directory: Path, tmp_path: Path) -> None:
    """A query that is the vector of one patch finds that patch: token 6 of 4 columns is row 1, column 2."""
    retriever = Retriever.load(str(directory))
    library = PageVectors(tmp_path / "pages.vectors")
    library.add(retriever, [page(tmp_path, "a.png", (56, 28))])
    first = library.pages[0]["first"]
    query = library.vectors[first + 6][None].float()
    (look,) = library.looks(query, limit=1)
    assert look.box == (56, 28, 84, 56)
    assert look.score == pytest.approx(1, abs=0.02)
    (word,) = library.looks(library.vectors[0][None].float(), limit=1)
    assert word.box is None


def test_an_adapter_over_the_projection_too(directory: Path, tmp_path: Path) -> None:
    model = load_model(directory)
    assert isinstance(model, LateInteraction)
    add_adapters(model, 2, 4.0, ["q_proj", "custom_text_proj"], within="")
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0, 0.1)
    save_adapter(model, tmp_path)
    state = load_file(tmp_path / "adapter_model.safetensors")  # as PEFT names what colpali-engine trains
    state = {name.replace("model.model.language_model.", "model.language_model."): t for name, t in state.items()}
    save_file(state, tmp_path / "adapter_model.safetensors")
    plain, adapted = Retriever.load(str(directory)), Retriever.load(str(directory), tmp_path)
    expected = Retriever(model.eval(), plain.processor).query("two")
    assert torch.allclose(adapted.query("two"), expected, atol=1e-5)
    assert not torch.allclose(plain.query("two"), expected, atol=1e-3)


def test_what_is_no_retriever_and_no_vectors(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no custom_text_proj"):
        Retriever.load("tiny")
    (tmp_path / "broken").write_bytes(b"x")
    with pytest.raises(MediaError, match="holds no vectors"):
        PageVectors(tmp_path / "broken")
