"""The former place of `generate`, kept for one version."""

from viewfinder.engine.engine import generate as generate
from viewfinder.engine.sampler import Constraint as Constraint
from viewfinder.engine.sampler import Token as Token
