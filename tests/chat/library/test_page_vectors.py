"""Late interaction: vectors of tokens, scores, and checkpoints that give them."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from torch import Tensor

from viewfinder.chat.library.page_vectors import PageMatrix
from viewfinder.chat.library.retriever import Retriever
from viewfinder.errors import CheckpointError
from viewfinder.model import late_interaction, load_model
from viewfinder.model.late_interaction import LateInteraction, RoughPages, max_similarity, to_bytes
from viewfinder.model.lora import add_adapters, save_adapter
from viewfinder.processor.chat_template import Rendered, Segment


def page(folder: Path, name: str, corner: tuple[int, int]) -> Path:
    image = Image.new("RGB", (112, 84), "white")
    ImageDraw.Draw(image).rectangle((*corner, corner[0] + 27, corner[1] + 27), fill="red")
    image.save(folder / name)
    return folder / name


def by_definition(query: Tensor, pages: list[Tensor]) -> list[float]:
    return [sum(max(float(q @ p) for p in page) for q in query) for page in pages]


def unit(*shape: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape), dim=-1).bfloat16()


def test_scores_are_the_sum_of_the_best_products() -> None:
    torch.manual_seed(0)
    query, pages = torch.randn(4, 128), [torch.randn(n, 128) for n in (3, 1, 7)]
    assert torch.allclose(max_similarity(query, pages), torch.tensor(by_definition(query, pages)), rtol=1e-5)
    assert max_similarity(query, []).shape == (0,)


@pytest.mark.parametrize("native", [True, False])
def test_a_shortlist_holds_the_best_pages(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 300 pages, those whose score is highest are the same as by the exact formula over all."""
    if not native:
        monkeypatch.setattr(late_interaction, "kernel", lambda *_: None)
    torch.manual_seed(0)
    pages = [unit(n, 128) for n in torch.randint(5, 50, (300,)).tolist()]
    query = unit(13, 128).float()
    exact = max_similarity(query, pages)
    assert [i for i, _ in PageMatrix(pages).best(query, 5)] == exact.topk(5).indices.tolist()
    assert (RoughPages(pages).scores(query) - exact).abs().max() < 0.05


def test_bytes_give_the_sum_of_integer_products_to_the_digit() -> None:
    torch.manual_seed(0)
    query, pages = unit(11, 128).float(), [unit(n, 128) for n in (1, 16, 17, 40)]
    products = [to_bytes(query).int() @ to_bytes(page).int().T for page in pages]
    expected = torch.stack([p.amax(1).sum() for p in products]).float()
    assert torch.equal((RoughPages(pages).scores(query) * 127**2).round(), expected)


def test_vectors_have_length_one_and_a_page_the_published_prompt(colqwen: Path, tmp_path: Path) -> None:
    retriever = Retriever.load(str(colqwen))
    vectors, prepared = retriever.page(page(tmp_path, "a.png", (0, 0)))
    tokenizer = retriever.processor.tokenizer
    text = tokenizer.decode(prepared.inputs.input_ids.tolist(), skip_special=False)
    pads = "<|image_pad|>" * 12
    assert text == f"<|im_start|>user\n<|vision_start|>{pads}<|vision_end|>Describe the image.<|im_end|><|endoftext|>"
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(len(vectors)), atol=1e-5)
    assert len(retriever.query("two")) == len(tokenizer.encode("two")) + 10


def test_an_adapter_over_the_projection_too(colqwen: Path, tmp_path: Path) -> None:
    model = load_model(colqwen)
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
    plain, adapted = Retriever.load(str(colqwen)), Retriever.load(str(colqwen), tmp_path)
    expected = Retriever(model.eval(), plain.processor).query("two")
    assert torch.allclose(adapted.query("two"), expected, atol=1e-5)
    assert not torch.allclose(plain.query("two"), expected, atol=1e-3)


def test_the_layout_of_jina_embeddings_v4(colqwen: Path, tmp_path: Path) -> None:
    """Its projection has another name, and one file holds adapters of several tasks, of which `retrieval` is taken."""
    jina = tmp_path / "jina"
    shutil.copytree(colqwen, jina)
    config = json.loads((jina / "config.json").read_text())
    (jina / "config.json").write_text(json.dumps({**config, "multi_vector_projector_dim": 128}))
    state = load_file(jina / "model.safetensors")
    names = {name: name.replace("custom_text_proj", "multi_vector_projector") for name in state}
    save_file({names[name]: tensor for name, tensor in state.items()}, jina / "model.safetensors")
    model = load_model(colqwen)
    add_adapters(model, 2, 4.0, ["q_proj", "custom_text_proj"], within="")
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0, 0.1)
    save_adapter(model, jina / "adapters")
    own = load_file(jina / "adapters" / "adapter_model.safetensors")
    tasks = {}
    for name, tensor in own.items():
        name = name.replace("custom_text_proj", "multi_vector_projector")
        tasks[re.sub(r"(lora_[AB])", r"\1.retrieval", name)] = tensor
        tasks[re.sub(r"(lora_[AB])", r"\1.text-matching", name)] = tensor + 1
    save_file(tasks, jina / "adapters" / "adapter_model.safetensors")
    retriever = Retriever.load(jina)
    tokenizer = retriever.processor.tokenizer
    plain = Retriever(model.eval(), retriever.processor)
    ids = plain.processor.prepare_rendered(Rendered((Segment("Query: two"),), ())).inputs
    assert torch.allclose(retriever.query("two"), plain.model.vectors(ids), atol=1e-5)
    _, prepared = retriever.page(page(tmp_path, "a.png", (0, 0)))
    text = tokenizer.decode(prepared.inputs.input_ids.tolist(), skip_special=False)
    assert text.endswith("<|vision_end|>Describe the image.<|im_end|>\n")


def test_a_folder_of_an_adapter_names_its_checkpoint(colqwen: Path, tmp_path: Path) -> None:
    model = load_model(colqwen)
    add_adapters(model, 2, 4.0, ["q_proj"], within="")
    save_adapter(model, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(colqwen)}))
    assert len(Retriever.load(tmp_path).query("two")) > 10
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": None}))
    with pytest.raises(CheckpointError, match="names no base_model_name_or_path"):
        Retriever.load(tmp_path)


def test_what_is_no_retriever() -> None:
    with pytest.raises(CheckpointError, match="no custom_text_proj"):
        Retriever.load("tiny")
