// Builds what the browser loads into ../static/build: bundles, style sheet, icon sprite, and their brotli twins.
//
// Names carry a hash of their content (twelve hex digits, which WhiteNoise serves as immutable); manifest.json maps
// the plain name to the hashed one and is read by the template tag `asset`. Usage: node build.mjs <folders to search
// for icon names …>  (templates and packs: a type of a pack may name any Tabler icon).

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(here, "../static/build");
const fresh = `${target}.new`;
const brotli = promisify(brotliCompress);

const entries = {
  "portal.js": "src/portal.js",
  "map.js": "src/map.js",
  "map-worker.js": "node_modules/maplibre-gl/dist/maplibre-gl-worker.mjs",
  "chart.js": "src/chart.js",
  "portal.css": "src/portal.css",
  "map.css": "src/map.css",
};

async function bundle(name, entry) {
  const result = await build({
    entryPoints: [path.join(here, entry)],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: ["chrome111", "firefox115", "safari16.4"],
    legalComments: "none",
    logLevel: "warning",
  });
  return [name, Buffer.from(result.outputFiles[0].contents)];
}

async function* files(folder, endings) {
  if (!existsSync(folder)) return;
  for (const item of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (item.isFile() && endings.some((ending) => item.name.endsWith(ending))) yield path.join(item.parentPath, item.name);
  }
}

// Icon names: {% icon "bell" %} in templates, icon="bell" in Python, `icon: bell` in packs.
const USES = {
  ".html": [/\{%\s*icon\s+["']([a-z0-9-]+)["']/g],
  ".py": [/\bicon=["']([a-z0-9-]+)["']/g],
  ".yml": [/\bicon:\s*["']?([a-z0-9-]+)/g],
};

async function sprite(folders) {
  const names = new Set(["map-pin"]);
  for (const folder of folders) {
    for await (const file of files(folder, Object.keys(USES))) {
      const text = await readFile(file, "utf8");
      for (const use of USES[path.extname(file)]) for (const match of text.matchAll(use)) names.add(match[1]);
    }
  }
  const symbols = [];
  for (const name of [...names].sort()) {
    const file = path.join(here, "node_modules/@tabler/icons/icons/outline", `${name}.svg`);
    if (!existsSync(file)) {
      console.warn(`assets: there is no Tabler icon "${name}"; map-pin is shown in its place`);
      continue;
    }
    const svg = (await readFile(file, "utf8")).replace(/<!--[\s\S]*?-->/g, "");
    const inner = svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace("</svg>", "").replace(/\s+/g, " ").trim();
    symbols.push(`<symbol id="${name}" viewBox="0 0 24 24">${inner}</symbol>`);
  }
  const icons = symbols.map((symbol) => symbol.match(/id="([^"]+)"/)[1]);
  return [icons, Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`)];
}

async function write(name, content, manifest) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const dot = name.lastIndexOf(".");
  const hashed = `${name.slice(0, dot)}.${hash}${name.slice(dot)}`;
  await writeFile(path.join(fresh, hashed), content);
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
  await writeFile(path.join(fresh, `${hashed}.br`), await brotli(content, quality));
  manifest.files[name] = hashed;
}

const manifest = { files: {}, icons: [] };
await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
const built = await Promise.all(Object.entries(entries).map(([name, entry]) => bundle(name, entry)));
const [icons, svg] = await sprite(process.argv.slice(2));
manifest.icons = icons;
for (const [name, content] of [...built, ["icons.svg", svg]]) await write(name, content, manifest);
await writeFile(path.join(fresh, "manifest.json"), JSON.stringify(manifest, null, 1));
// Swapped as a whole, so a page is never served half of one build and half of another.
await rm(target, { recursive: true, force: true });
await rename(fresh, target);
