"""Settings: plain frozen structs (`model`) and the loader that fills them from TOML and environment (`load`)."""
