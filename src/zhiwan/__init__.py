"""Zhiwan (智湾): a city operating platform. Read docs/explain/loop.md first; GLOSSARY.md has the words."""
