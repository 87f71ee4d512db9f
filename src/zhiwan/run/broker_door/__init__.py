"""The door of the MQTT broker (`zhiwan door`): NATS asks it about every connection, it answers who may do what.

running.py listens and answers · decide.py says yes or no · tokens.py reads and signs what NATS exchanges ·
refusals.py counts what was refused, here and in the broker's log.
"""

from zhiwan.run.broker_door.running import main

__all__ = ["main"]
