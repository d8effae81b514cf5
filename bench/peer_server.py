"""`transformers serve` for pictures where torchvision, which it wants for clips alone, cannot be installed.

python bench/peer_server.py serve CHECKPOINT --port 8001
"""

import sys
from typing import Any

from transformers import AutoImageProcessor, AutoTokenizer, Qwen2_5_VLProcessor
from transformers.cli.serving.model_manager import ModelManager
from transformers.cli.transformers import main


class PicturesOnly(Qwen2_5_VLProcessor):
    """The official processor without its part for clips."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> type:
        return type(argument)


def load_processor(self: ModelManager, model_id_and_revision: str, gguf_file: str | None = None) -> Any:
    """In the place of `ModelManager._load_processor`."""
    directory = model_id_and_revision.split("@", 1)[0]
    tokenizer = AutoTokenizer.from_pretrained(directory)
    images = AutoImageProcessor.from_pretrained(directory)
    return PicturesOnly(images, tokenizer, object(), chat_template=tokenizer.chat_template)


if __name__ == "__main__":
    ModelManager._load_processor = load_processor
    sys.exit(main())
