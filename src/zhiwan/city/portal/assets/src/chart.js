// Draws every [data-chart]: its option comes from Python (portal/charts.py) as JSON in a script tag beside it.
//
// The option may use colours by name ("tone:orange", "css:--zw-grid"); they are read from the theme here. Times in the
// option are shifted to the place's clock (and ECharts told to show UTC), because a reader elsewhere must see the
// district's time, not his own. data-chart-live="entity:property" appends live values to the first series.

import { init, use } from "echarts/core";
import { BarChart, LineChart, ScatterChart } from "echarts/charts";
import {
  AriaComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent,
  MarkPointComponent, TooltipComponent,
} from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";

use([
  BarChart, LineChart, ScatterChart, AriaComponent, DataZoomComponent, GridComponent, LegendComponent,
  MarkAreaComponent, MarkLineComponent, MarkPointComponent, TooltipComponent, CanvasRenderer,
]);

const charts = new Map();
const LIVE_POINTS = 5000;

function paint(node, styles) {
  if (Array.isArray(node)) return node.map((item) => paint(item, styles));
  if (node && typeof node === "object") {
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, paint(value, styles)]));
  }
  if (typeof node === "string") {
    if (node.startsWith("tone:")) return styles.getPropertyValue(`--zw-${node.slice(5)}`).trim();
    if (node.startsWith("css:")) return styles.getPropertyValue(node.slice(4)).trim();
  }
  return node;
}

function draw(element) {
  const source = element.querySelector("script[type='application/json']");
  if (!source) return;
  const holder = element.querySelector(".chart-canvas");
  const { unit = "", decimals = 2, shift = 0, choices = [], option } = JSON.parse(source.textContent);
  const styles = getComputedStyle(document.documentElement);
  const chart = charts.get(element)?.chart ?? init(holder, null, { renderer: "canvas" });
  const painted = paint(option, styles);
  painted.tooltip = {
    trigger: "axis",
    confine: true,
    backgroundColor: styles.getPropertyValue("--zw-surface").trim(),
    borderColor: styles.getPropertyValue("--zw-line").trim(),
    textStyle: { color: styles.getPropertyValue("--zw-ink").trim(), fontSize: 12 },
    valueFormatter: (value) => {
      if (value === null || value === undefined || Number.isNaN(value)) return "–";
      return choices[value] ?? `${Number(value).toFixed(decimals)} ${unit}`;
    },
    ...painted.tooltip,
  };
  painted.animation = false;
  // A function cannot travel as JSON: labels of choices are put in here.
  if (choices.length) painted.yAxis.axisLabel.formatter = (value) => choices[value] ?? "";
  chart.setOption(painted, true);
  charts.set(element, { chart, shift });
}

function drawAll() {
  for (const [element, { chart }] of charts) {
    if (!element.isConnected) {
      chart.dispose();
      charts.delete(element);
    }
  }
  for (const element of document.querySelectorAll("[data-chart]")) draw(element);
}

function append(changes) {
  for (const [element, { chart, shift }] of charts) {
    const wanted = element.dataset.chartLive;
    if (!wanted) continue;
    const news = changes.filter((hint) => hint.kind === "value" && `${hint.entity}:${hint.property}` === wanted);
    if (!news.length) continue;
    const series = chart.getOption().series;
    const data = series[0].data ?? [];
    const last = data.length ? data[data.length - 1][0] : 0;
    for (const hint of news) {
      const at = hint.at + shift;
      if (at > last) data.push([at, hint.value]); // older ones appear with the next full load
    }
    chart.setOption({ series: [{ data: data.slice(-LIVE_POINTS) }] });
  }
}

drawAll();
let resizing;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => charts.forEach(({ chart }) => chart.resize()), 100);
});
document.addEventListener("htmx:after:swap", drawAll);
document.addEventListener("live:changes", (event) => append(event.detail));
