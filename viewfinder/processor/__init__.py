"""Messages to `ModelInputs`: vocabulary, ChatML, patches, positions, stamp. No weights."""

from viewfinder.processor.processor import Prepared as Prepared
from viewfinder.processor.processor import Processor as Processor
