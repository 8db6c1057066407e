"""The practice world: real HTTP servers on loopback that speak the APIs of the real services.

The demo, the drill and the tests share it. `server.PracticeServer` starts it; `world.World` is the
simulation behind it, pure and driven by the clock it is handed. Nothing here touches a real service.
"""
