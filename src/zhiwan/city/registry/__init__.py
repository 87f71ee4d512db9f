"""areas, entities, devices, places."""
