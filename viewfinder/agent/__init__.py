"""A model at a screen, inside a policy: `loop` is the story, `environment` and `policy` its two sides.

from viewfinder.agent import Agent, Policy, Recorder
from viewfinder.agent.browser import BrowserEnvironment

screen = BrowserEnvironment("https://example.org/", policy := Policy(domains=("example.org",)))
Agent(model, screen, policy, recorder=Recorder("run")).run("open the first article")
"""

from viewfinder.agent.environment import Environment as Environment
from viewfinder.agent.environment import Observation as Observation
from viewfinder.agent.environment import StepResult as StepResult
from viewfinder.agent.environment import Target as Target
from viewfinder.agent.environment import World as World
from viewfinder.agent.loop import Agent as Agent
from viewfinder.agent.policy import Policy as Policy
from viewfinder.agent.secrets import Vault as Vault
from viewfinder.agent.settings import Episode as Episode
from viewfinder.agent.settings import Settings as Settings
from viewfinder.agent.trajectory import Recorder as Recorder
from viewfinder.agent.trajectory import load_trajectory as load_trajectory
