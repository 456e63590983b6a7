"""Feed definitions: the TOML file, its model, and the registry of what it defines."""
