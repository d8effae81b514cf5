"""docling's presets for servers, through its own request path; only the address and the model's name are ours."""

import base64
import io

from asked import FEATURE, URL, no_such, picture
from docling.datamodel import vlm_model_specs
from docling.datamodel.pipeline_options_vlm_model import ApiVlmOptions
from docling.models.vlm_pipeline_models.api_vlm_model import ApiVlmModel
from docling.utils.api_image_request import api_image_request_streaming
from PIL import Image
from pydantic import AnyUrl

page = Image.open(io.BytesIO(base64.b64decode(picture(224).partition(",")[2])))
address = AnyUrl(f"{URL}/chat/completions")

if FEATURE == "picture":
    presets = {name: one for name, one in vars(vlm_model_specs).items() if isinstance(one, ApiVlmOptions)}
    assert len(presets) >= 6, presets
    for name, preset in presets.items():
        params = {key: "tiny" if key == "model" else value for key, value in preset.params.items()}
        options = preset.model_copy(update={"url": address, "params": params})
        (read,) = ApiVlmModel(True, True, options).process_images([page], "Say what you see.")
        assert read.error_message is None, (name, read.error_message)
        assert read.text, name
        assert read.num_tokens, name
elif FEATURE == "stream":
    read = api_image_request_streaming(page, "Say what you see.", address, model="tiny", max_tokens=64, temperature=0.0)
    assert read.error is None, read.error
    assert read.text
else:
    no_such()
