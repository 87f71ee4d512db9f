"""The door of the MQTT broker (`zhiwan door`): NATS asks it about every connection, it answers who may do what.

running.py listens and answers · decide.py says yes or no · lookup.py knows the devices · tokens.py reads and signs what
NATS exchanges · notices.py hears what changed in the registry · broker.py sees and cuts connections, cutting.py says
which · commands.py brings commands to devices and their answers home · refusals.py counts what was refused, here and in
the broker's log · best_effort.py keeps what comes with QoS 0.
"""

from zhiwan.run.broker_door.running import main

__all__ = ["main"]
