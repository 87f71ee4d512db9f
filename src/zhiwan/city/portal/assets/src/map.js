// The command map. Facts come from three addresses (areas, things, card); everything on it also exists as a table.

import { addProtocol, AttributionControl, Map as MapView, Marker, NavigationControl, Popup, ScaleControl, setWorkerUrl } from "maplibre-gl";
import { PMTiles, Protocol, TileType } from "pmtiles";
import { areaLayers, baseMap, css, thingLayers } from "./map-style.js";
import { LABELS_FROM, Things } from "./map-things.js";
import { ofThisSpace } from "./space.js";
import { inLanguage, text } from "./texts.js";

const settings = JSON.parse(document.querySelector("#map-data").textContent);
const MOST_PINS = 150; // more pulsing markers than this only flicker; the rest stay coloured points
const collection = (features = []) => ({ type: "FeatureCollection", features });

async function fetchJson(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!ofThisSpace(answer.headers)) return new Promise(() => {}); // the page is on its way out
  if (!answer.ok) throw new Error(text("failed", { status: answer.status }));
  return answer.json();
}

function note(sentence) {
  const place = document.querySelector("#map-problem");
  place.textContent = sentence;
  place.hidden = !sentence;
}

const isWide = () => document.querySelector("#map").clientWidth > 700;

// The layer control and the notes lie on the map: the district is fitted beside them where there is room.
function roomForPanels() {
  const wide = isWide();
  return { left: wide ? 185 : 16, right: wide ? 48 : 16, top: 20, bottom: 56 };
}

// A PMTiles archive says itself whether its tiles are pictures or shapes.
async function openArchive(base) {
  const protocol = new Protocol();
  const archive = new PMTiles(new URL(base.url, location.href).href);
  protocol.add(archive);
  addProtocol("pmtiles", protocol.tile);
  const header = await archive.getHeader();
  return { ...base, vector: header.tileType === TileType.Mvt };
}

async function findBase() {
  if (settings.base?.kind !== "pmtiles") return settings.base;
  try {
    return await openArchive(settings.base);
  } catch {
    note(text("basemap"));
    return null;
  }
}

async function makeMap() {
  setWorkerUrl(settings.worker);
  const declared = await findBase();
  const base = baseMap(declared);
  const geojson = (extra = {}) => ({ type: "geojson", data: collection(), ...extra });
  const map = new MapView({
    container: "map",
    bounds: settings.bounds,
    fitBoundsOptions: { padding: roomForPanels() },
    minZoom: 7,
    maxZoom: 18,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    locale: settings.locale,
    localIdeographFontFamily: "'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif",
    style: {
      version: 8,
      sources: {
        ...base.sources,
        district: geojson(),
        towns: geojson({ promoteId: "code" }),
        villages: geojson(),
        "town-seats": geojson(),
        "village-seats": geojson(),
        things: geojson({ cluster: true, clusterRadius: 38, clusterMaxZoom: 12, clusterProperties: { worst: ["max", ["get", "rank"]] } }),
      },
      layers: [
        { id: "ground", type: "background", paint: { "background-color": css("ground") } },
        ...base.layers,
        ...areaLayers(Boolean(declared)),
        ...thingLayers(),
      ],
    },
  });
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl(), "bottom-right");
  // Never collapsed: a base map's source and approval number have to be readable all the time.
  map.addControl(new AttributionControl({ compact: false }), "bottom-right");
  map.touchZoomRotate.disableRotation();
  map.on("error", (event) => {
    if (event.sourceId === "base") note(text("basemap"));
    else console.info("map:", event.error?.message);
  });
  return map;
}

function showAreas(map, { outline, towns, villages }) {
  const seat = (area) => ({ type: "Feature", geometry: { type: "Point", coordinates: area.seat }, properties: area });
  const cell = ({ geometry, ...area }) => ({ type: "Feature", geometry, properties: area });
  map.getSource("district").setData(collection(outline ? [{ type: "Feature", geometry: outline, properties: {} }] : []));
  map.getSource("towns").setData(collection(towns.filter((town) => town.geometry).map(cell)));
  map.getSource("villages").setData(collection(villages.filter((village) => village.geometry).map(cell)));
  map.getSource("town-seats").setData(collection(towns.filter((town) => town.seat).map(seat)));
  map.getSource("village-seats").setData(collection(villages.filter((village) => village.seat).map(seat)));
}

class Alarms {
  constructor(map, open) {
    this.map = map;
    this.open = open;
    this.pins = [];
  }

  load(alarms) {
    for (const pin of this.pins) pin.remove();
    this.pins = alarms.slice(0, MOST_PINS).map((alarm) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = `alarm-pin tone-${alarm.tone}`;
      button.title = inLanguage(alarm.message);
      button.setAttribute("aria-label", `${text("alarm")}: ${button.title}`);
      button.addEventListener("click", (event) => {
        event.stopPropagation();
        this.open(alarm.entity, [alarm.lon, alarm.lat]);
        button.blur();
      });
      return new Marker({ element: button }).setLngLat([alarm.lon, alarm.lat]).addTo(this.map);
    });
  }
}

function makeCard(map) {
  let popup;
  return async (address, at) => {
    popup?.remove();
    popup = new Popup({ maxWidth: "320px", offset: 12 }).setLngLat(at).setText("…").addTo(map);
    const mine = popup;
    const answer = await fetch(address);
    if (!ofThisSpace(answer.headers)) return;
    if (mine !== popup || !mine.isOpen()) return;
    const holder = document.createElement("div");
    if (answer.ok) holder.innerHTML = await answer.text(); // our own template, escaped by Django
    else holder.textContent = text("failed", { status: answer.status });
    mine.setDOMContent(holder);
  };
}

function listen(map, openThing, openArea) {
  const over = { "thing": true, "cluster": true, "village-point": true };
  for (const layer of Object.keys(over)) {
    map.on("mouseenter", layer, () => { map.getCanvas().style.cursor = "pointer"; });
    map.on("mouseleave", layer, () => { map.getCanvas().style.cursor = ""; });
  }
  let town = null;
  map.on("mousemove", "town-fill", (event) => {
    if (town !== null) map.setFeatureState({ source: "towns", id: town }, { over: false });
    town = event.features[0].properties.code;
    map.setFeatureState({ source: "towns", id: town }, { over: true });
  });
  map.on("click", async (event) => {
    const near = [[event.point.x - 4, event.point.y - 4], [event.point.x + 4, event.point.y + 4]];
    const [hit] = map.queryRenderedFeatures(near, { layers: ["thing", "cluster", "village-point"] });
    if (!hit) {
      const [cell] = map.queryRenderedFeatures(event.point, { layers: ["town-fill"] });
      if (cell) openArea(cell.properties.code, event.lngLat);
    } else if (hit.layer.id === "thing") {
      openThing(hit.properties.id, hit.geometry.coordinates);
    } else if (hit.layer.id === "village-point") {
      openArea(hit.properties.code, hit.geometry.coordinates);
    } else {
      const zoom = await map.getSource("things").getClusterExpansionZoom(hit.properties.cluster_id);
      map.easeTo({ center: hit.geometry.coordinates, zoom: zoom + 0.2 });
    }
  });
}

// The layer control: one box for each type on the map, with the number of its entities.
function showLayers(things) {
  const list = document.querySelector("#map-layers");
  if (!isWide()) list.closest("details").open = false;
  list.replaceChildren(...things.layers.map((layer, index) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.className = "form-check-input m-0";
    box.checked = !things.hidden.has(index);
    box.addEventListener("change", () => things.show(index, box.checked));
    const count = document.createElement("small");
    count.textContent = things.count(index);
    label.append(box, inLanguage(layer.title), count);
    return label;
  }));
}

async function start() {
  const map = await makeMap();
  const loaded = new Promise((resolve) => map.once("load", resolve));
  const facts = Promise.all([fetchJson(settings.areas), fetchJson(settings.state)]);
  facts.catch((problem) => note(problem.message));
  await loaded;
  const things = new Things(map.getSource("things"));
  things.labelled = () => map.getZoom() >= LABELS_FROM;
  const card = makeCard(map);
  const openThing = (id, at) => card(settings.card.replace("ID", encodeURIComponent(id)), at);
  const openArea = (code, at) => card(settings.area_card.replace("CODE", code), at);
  const alarms = new Alarms(map, openThing);
  const [areas, first] = await facts;
  showAreas(map, areas);
  things.load(first);
  alarms.load(first.alarms);
  showLayers(things);
  listen(map, openThing, openArea);

  const again = async () => {
    const fresh = await fetchJson(settings.state).catch((problem) => note(problem.message));
    if (!fresh) return;
    things.load(fresh);
    alarms.load(fresh.alarms);
  };
  let due = null;
  document.addEventListener("live:changes", (event) => {
    things.take(event.detail);
    if (!due && event.detail.some((hint) => hint.kind === "alarm")) due = setTimeout(() => { due = null; again(); }, 700);
  });
  document.addEventListener("live:reload", again);
  if (settings.focus) {
    map.jumpTo({ center: settings.focus.at, zoom: settings.focus.zoom });
    if (settings.focus.entity) openThing(settings.focus.entity, settings.focus.at);
    else if (settings.focus.area) openArea(settings.focus.area, settings.focus.at);
  }
  map.on("zoomend", () => things.labelled() && things.draw());
  map.once("render", () => { document.querySelector("#map").dataset.ready = "yes"; }); // tests wait for this
}

start().catch((problem) => note(problem.message));
