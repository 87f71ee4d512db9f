// What stands on the map: entities of the shown layers with their newest value, coloured by band or by their alarm.

import { formatValue } from "./live.js";
import { inLanguage, language } from "./texts.js";

const REDRAW = 400; // ms after the first change
const AGEING = 15_000; // values grow stale without any change
export const LABELS_FROM = 12.2; // zoom

export class Things {
  constructor(source) {
    this.source = source;
    this.layers = [];
    this.hidden = new Set();
    this.rows = [];
    this.watched = new Map(); // "entity:property" → row
    this.due = null;
    this.labelled = () => false; // whether values can be read on the map now
    setInterval(() => this.draw(), AGEING);
  }

  // state: {layers, columns, features} of watch.queries.map_state; features are arrays in the order of columns
  load(state) {
    const first = !this.layers.length;
    this.layers = state.layers.map((layer) => ({ ...layer, words: layer.choices.map(inLanguage) }));
    if (first) this.layers.forEach((layer, index) => layer.shown || this.hidden.add(index));
    this.rows = state.features.map((cells) => Object.fromEntries(state.columns.map((column, n) => [column, cells[n]])));
    this.watched = new Map(this.rows.map((row) => [`${row.id}:${this.layers[row.layer].property}`, row]));
    this.draw();
  }

  count(layer) {
    return this.rows.filter((row) => row.layer === layer).length;
  }

  show(layer, shown) {
    if (shown) this.hidden.delete(layer);
    else this.hidden.add(layer);
    this.draw();
  }

  take(changes) {
    let seen = false;
    for (const hint of changes) {
      const row = hint.kind === "value" && this.watched.get(`${hint.entity}:${hint.property}`);
      if (!row) continue;
      const tone = bandTone(this.layers[row.layer], hint.value);
      // A redraw clusters thousands of points anew: only where something visible changed.
      seen ||= !this.hidden.has(row.layer) && (tone !== row.tone || row.observed_at === null || this.labelled());
      row.value = hint.value;
      row.observed_at = hint.at;
      row.tone = tone;
    }
    if (seen) this.due ??= setTimeout(() => this.draw(), REDRAW);
  }

  draw() {
    clearTimeout(this.due);
    this.due = null;
    const now = Date.now();
    const features = [];
    for (const row of this.rows) {
      if (this.hidden.has(row.layer)) continue;
      const layer = this.layers[row.layer];
      features.push({
        type: "Feature",
        geometry: { type: "Point", coordinates: [row.lon, row.lat] },
        properties: {
          id: row.id,
          name: (language === "en" && row.name_en) || row.name,
          stale: row.observed_at === null || now - row.observed_at > layer.stale_ms,
          rank: row.alarm_rank ?? 0,
          tone: row.alarm_tone ?? row.tone ?? "",
          shown: row.value === null ? "–" : `${formatValue(row.value, layer.decimals, layer.words)} ${layer.unit_text ?? ""}`,
        },
      });
    }
    this.source.setData({ type: "FeatureCollection", features });
  }
}

function bandTone(layer, value) {
  return layer.bands.find((band) => band.upto === null || value <= band.upto)?.tone ?? "blue";
}
