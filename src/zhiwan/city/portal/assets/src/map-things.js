// What stands on the map: entities of the shown layers with their newest value, and where alarms are open.

import { formatValue } from "./live.js";

const REDRAW = 1000;

export class Things {
  constructor(source, layers) {
    this.source = source;
    this.layers = layers;
    this.rows = new Map();
    this.watched = new Map(); // "entity:property" → row
    this.hidden = new Set();
    this.due = null;
  }

  // rows: [id, layer index, lon, lat, name, value, observed at (ms), alarm tone, alarm rank]
  load(rows) {
    this.rows.clear();
    this.watched.clear();
    for (const [id, layer, lon, lat, name, value, at, tone, rank] of rows) {
      const row = { id, layer, lon, lat, name, value, at, tone, rank };
      this.rows.set(`${id}:${layer}`, row);
      this.watched.set(`${id}:${this.layers[layer].property}`, row);
    }
    this.draw();
  }

  show(layer, shown) {
    if (shown) this.hidden.delete(layer);
    else this.hidden.add(layer);
    this.draw();
  }

  take(changes) {
    let seen = false;
    for (const hint of changes) {
      if (hint.kind !== "value") continue;
      const row = this.watched.get(`${hint.entity}:${hint.property}`);
      if (!row) continue;
      row.value = hint.value;
      row.at = Date.parse(hint.at);
      seen = true;
    }
    if (seen) this.drawSoon();
  }

  // At most once a second: two thousand points cost a few milliseconds, a redraw for each reading would not.
  drawSoon() {
    this.due ??= setTimeout(() => this.draw(), REDRAW);
  }

  draw() {
    clearTimeout(this.due);
    this.due = null;
    const now = Date.now();
    const features = [];
    for (const row of this.rows.values()) {
      if (this.hidden.has(row.layer)) continue;
      const layer = this.layers[row.layer];
      const stale = row.at === null || (layer.stale_after > 0 && now - row.at > layer.stale_after * 1000);
      features.push({
        type: "Feature",
        geometry: { type: "Point", coordinates: [row.lon, row.lat] },
        properties: {
          id: row.id, name: row.name, stale, rank: row.rank,
          tone: row.tone || bandTone(layer, row.value) || "",
          shown: row.value === null ? "–" : `${formatValue(row.value, layer.decimals)} ${layer.unit}`,
        },
      });
    }
    this.source.setData({ type: "FeatureCollection", features });
  }
}

function bandTone(layer, value) {
  if (value === null || !layer.bands) return null;
  return layer.bands.find((band) => band.upto === null || value <= band.upto)?.tone;
}
