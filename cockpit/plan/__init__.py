"""The user's plan: TOML in, an immutable `cockpit.core.spec.Plan` or all of its problems out.

Imports the core only. Adapters are known by their settings classes, handed in as `Kinds`.
"""
