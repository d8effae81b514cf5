"""Messages to `ModelInputs`: media loaded, text rendered, ids, positions, patches and labels put together.

One conversation becomes one packed sequence without padding. Runs without a model, in data workers and
in a server alike; what it does is told by its `stamp`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.errors import CheckpointError
from viewfinder.inputs import IGNORE_INDEX, ModelInputs
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.media.transform import Transform
from viewfinder.message_parsing import parse_messages
from viewfinder.messages import ImagePart, MediaInfo, Message, VideoPart
from viewfinder.processor import chat_template
from viewfinder.processor.loading import Loaded, expand_documents, fit_image, load_part
from viewfinder.processor.mrope import rope_index
from viewfinder.processor.official_template import official_template
from viewfinder.processor.own_template import read_default_system
from viewfinder.processor.patchify import patchify, patchify_video
from viewfinder.processor.settings import ProcessorSettings, Stamp
from viewfinder.processor.tokenizer import Tokenizer


@dataclass(frozen=True)
class Prepared:
    """Inputs, and what is needed to read the answer: one `media` and one `transforms` entry a medium,
    in order of appearance."""

    inputs: ModelInputs
    media: tuple[MediaInfo, ...]
    transforms: tuple[Transform, ...]


class Processor:
    """Everything between messages and the model."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        settings: ProcessorSettings | None = None,
        default_system: str | None = chat_template.DEFAULT_SYSTEM,
    ) -> None:
        self.tokenizer = tokenizer
        self.default_system = default_system
        self.settings = settings or ProcessorSettings()
        self.image_token_id = tokenizer.token_id(chat_template.IMAGE_PAD)
        self.video_token_id = tokenizer.token_id(chat_template.VIDEO_PAD)

    @classmethod
    def from_pretrained(cls, directory: str | Path, **changes: Any) -> "Processor":
        """Read a checkpoint directory; `changes` override settings such as `max_pixels`.

        Raises:
            CheckpointError: files are missing or not usable.
        """
        settings = ProcessorSettings.from_pretrained(directory).with_(**changes)
        return cls(Tokenizer.from_pretrained(directory), settings, read_default_system(Path(directory)))

    @classmethod
    def official(cls, size: str = "3B", **changes: Any) -> "Processor":
        """The processor of the released checkpoints (all sizes share it), from inside this package.

        Raises:
            CheckpointError: no such size.
        """
        if size not in OFFICIAL_SIZES:
            raise CheckpointError(f"there is no official size {size!r}; the sizes are {', '.join(OFFICIAL_SIZES)}")
        return cls(Tokenizer.official(), ProcessorSettings().with_(**changes))

    def save_pretrained(self, directory: str | Path) -> None:
        """Write the files that `from_pretrained`, here and in transformers, reads."""
        directory = Path(directory)
        template = official_template(self.default_system)
        self.tokenizer.save(directory, chat_template=template)
        for name, content in (
            ("preprocessor_config.json", self.settings.to_dict()),
            ("chat_template.json", {"chat_template": template}),
        ):
            (directory / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    @cached_property
    def stamp(self) -> Stamp:
        """Hash of everything here that decides about tokens and positions."""
        is_official = self.default_system == chat_template.DEFAULT_SYSTEM
        return Stamp(
            {
                **self.settings.stamped(),
                "template": chat_template.VERSION,
                **({} if is_official else {"default_system": self.default_system}),
                "tokenizer": self.tokenizer.fingerprint,
                "resample": "bicubic",
                "positions": "official-25",
            }
        )

    def __call__(self, messages: Sequence[Any], **options: Any) -> ModelInputs:
        """The inputs alone; options as in `prepare`."""
        return self.prepare(messages, **options).inputs

    def plan(self, messages: Sequence[Any], **options: Any) -> Prepared:
        """Sizes, tokens and positions without `pixel_values`; options as in `prepare`.

        Pictures are not decoded when their header says their size, clips never. Pages of documents are
        drawn. Everything but the pixels equals what `prepare` gives.
        """
        return self.prepare(messages, pixels=False, **options)

    def prepare(
        self,
        messages: Sequence[Any],
        *,
        add_generation_prompt: bool = True,
        tools: Sequence[dict[str, Any]] = (),
        add_vision_id: bool = False,
        train: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        pixels: bool = True,
        loaded: Sequence[Loaded] | None = None,
    ) -> Prepared:
        """Make the inputs of one conversation.

        Args:
            messages: `Message`s, or objects in OpenAI's or the official Qwen shape.
            add_generation_prompt: end with the header of an assistant turn.
            tools: signatures (JSON schema) of functions that the model may call.
            add_vision_id: number the media in the text.
            train: no generation prompt, and `labels` on the assistant turns.
            limits: caps on what media may cost, and whether paths and URLs may be read.
            pixels: False leaves `pixel_values` out (see `plan`).
            loaded: its media, from `load_media`, where they were needed before.

        Raises:
            MessageError: a conversation of no known shape.
            MediaError: a medium that cannot be read, or is over a cap (`LimitError`).
        """
        conversation = expand_documents(parse_messages(messages), limits)
        rendered = chat_template.render(
            conversation,
            add_generation_prompt=add_generation_prompt,
            add_vision_id=add_vision_id,
            tools=tools,
            train=train,
            default_system=self.default_system,
        )
        if loaded is None:
            loaded = [load_part(part, self.settings, limits, pixels=pixels) for part in rendered.media]
        return self._assemble(rendered, loaded, train)

    def prepare_rendered(self, rendered: chat_template.Rendered, limits: Limits = DEFAULT_LIMITS) -> Prepared:
        """The inputs of a prompt that is no conversation: segments and media as they are. Errors as in `prepare`."""
        return self._assemble(rendered, [load_part(part, self.settings, limits) for part in rendered.media], False)

    def load_media(
        self, messages: Sequence[Message], *, limits: Limits = DEFAULT_LIMITS, pixels: bool = True
    ) -> list[Loaded]:
        """The media of a conversation without documents, in order, at the model's size: for callers that write text
        by their sizes and transforms before they `prepare(..., loaded=)`. Errors as in `prepare`."""
        media = [part for message in messages for part in message.parts if isinstance(part, ImagePart | VideoPart)]
        return [load_part(part, self.settings, limits, pixels=pixels) for part in media]

    def fit(self, image: Any, max_pixels: int | None = None) -> ImagePart:
        """A picture at the size that the model sees, as a part that keeps it; see `loading.fit_image`."""
        return fit_image(ImagePart(image=image, max_pixels=max_pixels), self.settings)

    def _assemble(self, rendered: chat_template.Rendered, loaded: Sequence[Loaded], train: bool) -> Prepared:
        infos = tuple(item.info for item in loaded)
        ids, mask = rendered.encode(self.tokenizer, [info.tokens for info in infos])
        input_ids = torch.tensor(ids, dtype=torch.int64)
        grid_thw = torch.tensor([info.grid_thw for info in infos], dtype=torch.int64) if infos else None
        seconds = tuple(info.second_per_grid_ts or 0.0 for info in infos)
        position_ids, rope_delta = rope_index(
            input_ids,
            grid_thw,
            seconds,
            grid_times=[item.grid_times for item in loaded],
            image_token_id=self.image_token_id,
            video_token_id=self.video_token_id,
            spatial_merge_size=self.settings.merge_size,
            tokens_per_second=self.settings.tokens_per_second,
        )
        inputs = ModelInputs(
            input_ids=input_ids,
            position_ids=position_ids,
            cu_seqlens=torch.tensor([0, len(ids)], dtype=torch.int32),
            rope_deltas=(rope_delta,),
            pixel_values=self._pixel_values(loaded),
            grid_thw=grid_thw,
            media_kinds=tuple(info.kind for info in infos),
            media_per_sequence=(len(infos),),
            second_per_grid_ts=seconds,
            labels=input_ids.masked_fill(~torch.tensor(mask), IGNORE_INDEX) if train else None,
            stamp=self.stamp.hash,
        )
        return Prepared(inputs, infos, tuple(item.transform for item in loaded))

    def pixel_values(self, messages: Sequence[Any], limits: Limits = DEFAULT_LIMITS) -> Tensor | None:
        """The `pixel_values` that `prepare` gives for these messages, which `plan` left out; raises as `prepare`."""
        conversation = expand_documents(parse_messages(messages), limits)
        return self._pixel_values(self.load_media(conversation, limits=limits))

    def _pixel_values(self, loaded: Sequence[Loaded]) -> Tensor | None:
        settings = self.settings
        options: dict[str, Any] = {
            "patch_size": settings.patch_size,
            "merge_size": settings.merge_size,
            "mean": settings.image_mean,
            "std": settings.image_std,
            "normalize": settings.normalize,
        }
        patches = [
            patchify(item.pixels, **options)
            if isinstance(item.pixels, Image.Image)
            else patchify_video(item.pixels, **options)
            for item in loaded
            if item.pixels is not None
        ]
        if len(patches) == 1:
            return patches[0]  # one picture is the common case, and a copy of 50 MB is not free
        return torch.cat(patches) if patches else None
