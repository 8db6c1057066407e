"""The pure core: values and decisions.

Imports the standard library only, and of that neither `time`, `os` nor `asyncio`.
Every function that needs the time takes it as a parameter.
"""
