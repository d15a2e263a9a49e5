"""What a follower would have got of a leader: the real core over recorded fills, against a modelled venue."""

from hlfast.research.whatif.model import Liquidity, Market, Markets, Model
from hlfast.research.whatif.result import Result
from hlfast.research.whatif.run import Policy, what_if

__all__ = ["Liquidity", "Market", "Markets", "Model", "Policy", "Result", "what_if"]
