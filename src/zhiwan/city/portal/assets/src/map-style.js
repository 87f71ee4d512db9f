// The style of the map: base map (XYZ, MVT or PMTiles, from the place), areas, and the colours of the theme.

import { LABELS_FROM } from "./map-things.js";

const theme = getComputedStyle(document.documentElement);
export const dark = document.documentElement.dataset.bsTheme === "dark";
export const css = (name) => theme.getPropertyValue(`--zw-${name}`).trim();
export const FONT = ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"];
const TONES = ["green", "blue", "yellow", "orange", "red", "purple", "maroon", "grey"];

// ["match", tone, "green", "#…", …]: levels keep their colours on the map, in the shade of the theme.
export const toneColour = (property, otherwise) =>
  ["match", ["get", property], ...TONES.flatMap((tone) => [tone, css(tone)]), otherwise];

const absolute = (url) => (url.includes("://") ? url : `${location.origin}${url}`);

// Names of layers in the two vector schemas in common use (OpenMapTiles, Protomaps).
function vectorLayers(source) {
  const line = (id, layer, colour, width) => ({
    id, type: "line", source, "source-layer": layer, paint: { "line-color": colour, "line-width": width },
  });
  const fill = (id, layer, colour) => ({ id, type: "fill", source, "source-layer": layer, paint: { "fill-color": colour } });
  const road = dark ? "#2a3c50" : "#ffffff";
  return [
    fill("base-landuse", "landuse", dark ? "#0f1e2c" : "#eef1ec"),
    fill("base-water", "water", css("water")),
    line("base-waterway", "waterway", css("water"), 1.2),
    fill("base-building", "building", dark ? "#16293b" : "#e6e4df"),
    line("base-roads", "roads", road, 1.4),
    line("base-transport", "transportation", road, 1.4),
  ];
}

export function baseMap(base) {
  if (!base?.url) return { sources: {}, layers: [] };
  const attribution = [base.attribution, base.approval].filter(Boolean).join(" · ");
  const zooms = { minzoom: base.min_zoom ?? 0, maxzoom: base.max_zoom ?? (base.kind === "mvt" ? 14 : 18) };
  const vector = base.kind === "mvt" || Boolean(base.vector);
  const source = base.kind === "pmtiles"
    ? { type: vector ? "vector" : "raster", url: `pmtiles://${absolute(base.url)}`, attribution }
    : { type: vector ? "vector" : "raster", tiles: [absolute(base.url)], attribution, ...zooms };
  if (!vector) source.tileSize = base.tile_size ?? 256;
  const raster = {
    id: "base", type: "raster", source: "base",
    paint: dark ? { "raster-brightness-max": 0.45, "raster-saturation": -0.6 } : { "raster-saturation": -0.35 },
  };
  return { sources: { base: source }, layers: vector ? vectorLayers("base") : [raster] };
}

const label = (size, colour, extra = {}) => ({
  layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": size, ...extra },
  paint: { "text-color": colour, "text-halo-color": css("ground"), "text-halo-width": 1.4 },
});

export function areaLayers(hasBase) {
  const synthetic = ["case", ["get", "synthetic"], ["literal", [3, 3]], ["literal", [1, 0]]];
  return [
    { id: "district-fill", type: "fill", source: "district", paint: { "fill-color": css("surface"), "fill-opacity": hasBase ? 0.12 : 1 } },
    { id: "village-line", type: "line", source: "villages", filter: ["==", ["geometry-type"], "Polygon"], minzoom: 11,
      paint: { "line-color": css("line"), "line-width": 0.8, "line-dasharray": [2, 3] } },
    { id: "town-fill", type: "fill", source: "towns", paint: { "fill-color": css("accent"),
      "fill-opacity": ["case", ["boolean", ["feature-state", "over"], false], 0.09, 0.02] } },
    { id: "town-line", type: "line", source: "towns", paint: { "line-color": css("muted"), "line-width": 1, "line-opacity": 0.6, "line-dasharray": synthetic } },
    { id: "district-line", type: "line", source: "district", paint: { "line-color": css("accent"), "line-width": 1.8 } },
    { id: "village-point", type: "circle", source: "village-seats", minzoom: 10.5,
      paint: { "circle-radius": 2.2, "circle-color": css("muted"), "circle-opacity": 0.7 } },
    { id: "village-label", type: "symbol", source: "village-seats", minzoom: 12, ...label(11, css("muted"), { "text-offset": [0, 0.9], "text-anchor": "top" }) },
    { id: "town-label", type: "symbol", source: "town-seats", maxzoom: 14, ...label(13, css("ink"), { "text-letter-spacing": 0.08, "text-allow-overlap": true }) },
  ];
}

export function thingLayers() {
  const fill = ["case", ["get", "stale"], css("grey"), toneColour("tone", css("series"))];
  return [
    { id: "cluster", type: "circle", source: "things", filter: ["has", "point_count"], paint: {
      "circle-color": ["step", ["get", "worst"], css("series"), 1, css("blue"), 2, css("yellow"), 3, css("orange"), 4, css("red")],
      "circle-radius": ["step", ["get", "point_count"], 11, 20, 15, 100, 20, 400, 26],
      "circle-opacity": dark ? 0.55 : 0.62, "circle-stroke-width": 1.5, "circle-stroke-color": css("surface"),
    } },
    { id: "cluster-count", type: "symbol", source: "things", filter: ["has", "point_count"],
      layout: { "text-field": ["get", "point_count_abbreviated"], "text-font": FONT, "text-size": 11, "text-allow-overlap": true },
      paint: { "text-color": css("ink"), "text-halo-color": css("surface"), "text-halo-width": 1 } },
    { id: "thing", type: "circle", source: "things", filter: ["!", ["has", "point_count"]], paint: {
      "circle-color": fill, "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 3.2, 13, 6, 16, 9],
      "circle-stroke-width": 1.2, "circle-stroke-color": css("surface"), "circle-opacity": ["case", ["get", "stale"], 0.55, 0.95],
    } },
    { id: "thing-label", type: "symbol", source: "things", filter: ["!", ["has", "point_count"]], minzoom: LABELS_FROM, layout: {
      "text-field": ["concat", ["get", "name"], "\n", ["get", "shown"]], "text-font": FONT, "text-size": 11, "text-anchor": "left",
      "text-offset": [0.9, 0], "text-justify": "left", "text-optional": true,
    }, paint: { "text-color": css("ink"), "text-halo-color": css("ground"), "text-halo-width": 1.4 } },
  ];
}
