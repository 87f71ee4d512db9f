"""The bus: streams that keep messages until they are acknowledged. Start with port.py; messages.py names the streams.

MemoryBus (memory.py) and NatsBus (nats_bus.py) pass one contract, tests/contract/bus_contract.py.
"""
