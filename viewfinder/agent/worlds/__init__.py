"""Small applications with a seed, a task, a check and a solver: to test and to train without a network.

An `App` is state and widgets. It is shown as a drawn screen (`drawn`), a page in Chromium (`web`) or a window of a
real toolkit (`window`); each of them is a `World`, and the solver's steps are the same on all.
"""

from viewfinder.agent.worlds.registry import APPS as APPS
from viewfinder.agent.worlds.registry import make_app as make_app
from viewfinder.agent.worlds.renderers import make_world as make_world
