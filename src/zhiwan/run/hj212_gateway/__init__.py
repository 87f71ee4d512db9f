"""The HJ 212 door (`zhiwan hj212`): instruments connect by TCP, their frames become readings in the stream INTAKE.

running.py listens and ends · connection.py talks with one instrument · registered.py knows the devices ·
ledger.py counts and keeps what was refused. What the bytes mean: zhiwan.kernel.sense.decoders.hj212.
"""

from zhiwan.run.hj212_gateway.running import main

__all__ = ["main"]
