// Holds dashboards/*.json against Grafana's own library: units, calculations, colours, matchers and mappings that
// it does not know are passed over by Grafana in silence.
//
// Usage: node check.cjs ROOT   (ops.sh copies this file to where the library is installed)
// Exit: 0 when all is well; 1 with one line per problem otherwise, or when a broken panel is not told.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

// What the library expects of a browser as it is loaded.
globalThis.window = globalThis;
globalThis.document = { documentElement: { style: {} }, body: {}, addEventListener() {}, querySelector: () => null,
  createElement: () => ({ style: {}, setAttribute() {}, getContext: () => null }) };
Object.defineProperty(globalThis, "navigator", { value: { userAgent: "", language: "en", languages: ["en"] } });

const grafana = require("@grafana/data");

const UNITS = new Set(grafana.getValueFormats().flatMap((group) => group.submenu.map((unit) => unit.value)));
const REDUCERS = new Map(grafana.fieldReducers.list().map((reducer) => [reducer.id, reducer.name]));
const COLOURS = new Set(grafana.fieldColorModeRegistry.list().map((mode) => mode.id));
const MATCHERS = new Set(grafana.fieldMatchers.list().map((matcher) => matcher.id));
const PROPERTIES = new Set(["color", "custom.lineStyle", "custom.fillOpacity"]);
const THEME = grafana.createTheme();

/** Whether the theme resolves the colour: it returns an unknown name as it is. */
const isColour = (name) => /^(#|rgb)/.test(THEME.visualization.getColorByName(name));

function* colourProblems(color) {
  if (!color) return;
  if (!COLOURS.has(color.mode)) yield `colour mode ${color.mode}`;
  if (color.fixedColor && !isColour(color.fixedColor)) yield `colour ${color.fixedColor}`;
}

function* overrideProblems(override) {
  if (override.matcher.id !== "byRegexp" || !MATCHERS.has("byRegexp")) yield `matcher ${override.matcher.id}`;
  try {
    // What the matcher itself would report to the console only.
    grafana.stringToJsRegex(override.matcher.options);
  } catch (error) {
    yield `matcher ${override.matcher.options}: ${error.message}`;
  }
  for (const property of override.properties) {
    if (!PROPERTIES.has(property.id)) yield `property ${property.id}`;
    if (property.id === "color") yield* colourProblems(property.value);
  }
}

/** Words for numbers: every number that a mapping names must be shown as its word, in its colour. */
function* mappingProblems(defaults) {
  const field = { type: "number", config: defaults, values: [], state: { displayName: "one", seriesIndex: 0 } };
  const display = grafana.getDisplayProcessor({ field, theme: THEME });
  for (const mapping of defaults.mappings ?? []) {
    for (const [value, wanted] of Object.entries(mapping.options)) {
      const shown = display(Number(value));
      if (shown.text !== wanted.text) yield `mapping of ${value}: shown as ${shown.text}`;
      if (!isColour(wanted.color) || shown.color !== THEME.visualization.getColorByName(wanted.color)) {
        yield `mapping of ${value}: colour ${wanted.color}`;
      }
    }
  }
}

function* panelProblems(panel) {
  const defaults = panel.fieldConfig.defaults;
  if (!UNITS.has(defaults.unit)) yield `unit ${defaults.unit}`;
  yield* colourProblems(defaults.color);
  for (const step of defaults.thresholds.steps) if (!isColour(step.color)) yield `threshold colour ${step.color}`;
  const legend = panel.options.legend ?? {};
  const calcs = [...(legend.calcs ?? []), ...(panel.options.reduceOptions?.calcs ?? [])];
  for (const calc of calcs) if (!REDUCERS.has(calc)) yield `calculation ${calc}`;
  if (legend.sortBy && !calcs.map((calc) => REDUCERS.get(calc)).includes(legend.sortBy)) {
    yield `legend sorted by ${legend.sortBy}, which it does not show`;
  }
  for (const override of panel.fieldConfig.overrides) yield* overrideProblems(override);
  yield* mappingProblems(defaults);
}

/** Each of these must make a panel be told. */
const BREAKS = [
  (p) => (p.fieldConfig.defaults.unit = "parsecs"),
  (p) => (p.fieldConfig.defaults.color.mode = "rainbow"),
  (p) => (p.fieldConfig.defaults.thresholds.steps[0].color = "grue"),
  (p) => (p.options.legend.calcs[0] = "latest"),
  (p) => (p.options.legend.sortBy = "Largest"),
  (p) => (p.fieldConfig.overrides[0].matcher.id = "byGuess"),
  (p) => (p.fieldConfig.overrides[0].matcher.options = "/(/"),
  (p) => (p.fieldConfig.overrides[0].properties[0].id = "colour"),
  (p) => (p.fieldConfig.overrides[0].properties[0].value.fixedColor = "grue"),
  (p) => (p.fieldConfig.defaults.mappings = [{ type: "values", options: { 0: { text: "none", color: "red" } } }]),
  (p) => (p.fieldConfig.defaults.mappings = [{ type: "value", options: { 0: { text: "none", color: "grue" } } }]),
];

function main(root) {
  const folder = path.join(root, "dashboards");
  const problems = [];
  let panels = [];
  for (const name of fs.readdirSync(folder).filter((file) => file.endsWith(".json"))) {
    const found = JSON.parse(fs.readFileSync(path.join(folder, name), "utf8")).panels.filter((p) => p.type !== "row");
    for (const panel of found) {
      for (const problem of panelProblems(panel)) problems.push(`${name}, ${panel.title}: ${problem}`);
    }
    panels = panels.concat(found);
  }
  const sample = panels.find((p) => p.options.legend?.sortBy && p.fieldConfig.overrides.length);
  BREAKS.forEach((damage, number) => {
    const broken = structuredClone(sample);
    damage(broken);
    if (panelProblems(broken).next().done) problems.push(`break ${number + 1} was not told`);
  });
  console.log(problems.join("\n") || `${panels.length} panels, as Grafana's library reads them: ok`);
  process.exit(problems.length ? 1 : 0);
}

main(process.argv[2]);
