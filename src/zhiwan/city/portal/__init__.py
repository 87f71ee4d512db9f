"""The pages a person opens: shells, menu, map, lists, forms. It reads through queries and writes through actions.

views/      one module for each page or group of pages        templates/portal/  their templates
charts.py   chart options as data                              words.py           words for states and kinds
assets/     sources of scripts and styles, built by bin/assets into static/build
tickets.py  tickets of the live stream (zhiwan.run.live)       locale/            English; sources are Chinese
"""
