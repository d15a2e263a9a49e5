"""Who is worth copying: histories of traders, what they earned and how, and what a follower would have kept of it."""
