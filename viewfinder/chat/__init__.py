"""`load` a model, and the jobs it does: ask, locate, point, count, read."""

from viewfinder.chat.front_door import load as load
from viewfinder.chat.viewfinder import Viewfinder as Viewfinder
from viewfinder.outputs.results import Answer as Answer
from viewfinder.outputs.results import Found as Found
