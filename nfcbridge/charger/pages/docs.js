// The page to read and try the interface, made from the OpenAPI document. Everything that comes from the server gets
// into the page as text: Trusted Types (see the policy that the page is served with) leave no other way.

import { sha256 } from "./sha256.js";

const byId = (id) => document.getElementById(id);

/** An element with attributes, and with children that are elements or texts. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Paragraphs of a text with empty lines between them, and `code`. */
function paragraphs(text) {
  return text.trim().split("\n\n").map((paragraph) => {
    const parts = paragraph.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
    return make("p", {}, ...parts);
  });
}

// Calls

let base = "";
let session = "";

/** Sends a request; gives the status, the time it took in ms, and the content: JSON, or the text that is none. */
async function call(method, path, body = "") {
  const headers = {};
  if (session) headers.Authorization = session;
  if (body) headers["Content-Type"] = "application/json";
  const began = performance.now();
  const response = await fetch(base + path, { method, headers, body: body || undefined, cache: "no-store" });
  const text = await response.text();
  const took = performance.now() - began;
  try {
    return { status: response.status, took, text, json: JSON.parse(text) };
  } catch {
    return { status: response.status, took, text };
  }
}

/** Browsers send no body with GET and HEAD. */
const bodyCanBeSent = (method) => method !== "get" && method !== "head";

// Login

function showSession(text, failed = false) {
  byId("session").textContent = text;
  byId("session").className = failed ? "failed" : "";
  byId("logout").hidden = !session;
}

async function logIn(event) {
  event.preventDefault();
  const [username, password] = [byId("username").value, byId("password").value];
  try {
    session = "";
    const { token } = (await call("GET", "/login")).json;
    const answer = await call("POST", "/login", JSON.stringify({ username, password: sha256(password + token) }));
    if (answer.json?.logged_in) {
      session = answer.json.session.session_id;
      byId("password").value = "";
      showSession(`Logged in as ${answer.json.session.username}; ends ${answer.json.session.timeout} s after a call`);
    } else {
      showSession(`${answer.status}: ${answer.json?.message ?? answer.json?.cause ?? answer.text}`, true);
    }
  } catch (error) {
    showSession(String(error), true);
  }
}

async function logOut() {
  try {
    await call("POST", "/logout");
    session = "";
    showSession("Logged out");
  } catch (error) {
    showSession(String(error), true);
  }
}

// Types, in a notation that is shorter than JSON Schema

let components = {};

const nameOf = (reference) => reference.split("/").pop();

function typeText(schema, indent = "", above = []) {
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    return above.includes(name) ? name : typeText(components.schemas[name], indent, [...above, name]);
  }
  const bounds = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format"]
    .filter((key) => key in schema)
    .map((key) => `${key} ${schema[key]}`);
  const more = bounds.length ? ` (${bounds.join(", ")})` : "";
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map((part) => typeText(part, indent, above)).join(" | ");
  if (schema.type === "array") return `[${typeText(schema.items ?? {}, indent, above)}, ...]${more}`;
  if (schema.type !== "object") return `${schema.type ?? "any"}${more}`;
  const deeper = `${indent}  `;
  const lines = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const optional = (schema.required ?? []).includes(name) ? "" : "?";
    const about = property.description ? `  // ${property.description}` : "";
    return `${deeper}${JSON.stringify(name)}${optional}: ${typeText(property, deeper, above)},${about}\n`;
  });
  const rest = schema.additionalProperties;
  if (rest) lines.push(`${deeper}...: ${typeText(rest, deeper, above)},\n`);
  return lines.length ? `{\n${lines.join("")}${indent}}${more}` : `{}${more}`;
}

/** The evidence of the types that a schema names itself. */
function evidenceOf(schema) {
  const parts = schema.anyOf ?? [schema.items ?? schema];
  return parts
    .filter((part) => part.$ref)
    .map((part) => `${nameOf(part.$ref)}: ${components.schemas[nameOf(part.$ref)]["x-evidence"]}`)
    .join(", ");
}

// One operation

const pretty = (value) => JSON.stringify(value, null, 2);

function resolve(response) {
  return response.$ref ? components.responses[nameOf(response.$ref)] : response;
}

function contentOf(holder) {
  return holder?.content?.["application/json"];
}

function parameterRows(parameters) {
  return parameters.map((parameter) => {
    const input = make("input", { "data-name": parameter.name, "data-in": parameter.in, size: "30" });
    // What must be given is filled in; what may be left out is shown as a hint.
    if (parameter.required) input.value = parameter.example ?? "";
    else input.placeholder = parameter.example ?? "";
    const label = make("label", {}, make("code", {}, parameter.name), ` (${parameter.in}) `, input);
    const about = [typeText(parameter.schema), parameter.description].filter(Boolean).join("; ");
    return make("tr", {}, make("td", {}, label), make("td", { class: "text" }, about));
  });
}

/** The path with what was typed in; an empty query parameter is left out. */
function filledPath(path, inputs) {
  const query = new URLSearchParams();
  for (const input of inputs) {
    const { name, in: place } = input.dataset;
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value) query.append(name, input.value);
  }
  return query.size ? `${path}?${query}` : path;
}

function answerTable(responses) {
  const rows = Object.entries(responses).map(([status, response]) =>
    make("tr", {}, make("td", {}, status), make("td", { class: "text" }, resolve(response).description)));
  return make("table", {}, ...rows);
}

function requestFields(method, operation) {
  const fields = [];
  if (operation.parameters) {
    fields.push(make("h3", {}, "Parameters"), make("table", {}, ...parameterRows(operation.parameters)));
  }
  const content = contentOf(operation.requestBody);
  if (!content) return fields;
  fields.push(make("h3", {}, operation.requestBody.required ? "Body" : "Body (deprecated)"));
  fields.push(make("pre", {}, typeText(content.schema)));
  if (!bodyCanBeSent(method)) return fields;
  const examples = Object.entries(content.examples ?? {});
  const area = make("textarea", { rows: "12", spellcheck: "false", "aria-label": "Body" });
  const fill = (value) => { area.value = value === undefined ? "" : pretty(value); };
  if (operation.requestBody.required) fill(examples[0]?.[1].value);
  if (examples.length > 1) {
    const choice = make("select", { "aria-label": "Example" },
      ...examples.map(([name], index) => make("option", { value: String(index) }, name)));
    choice.addEventListener("change", () => fill(examples[Number(choice.value)][1].value));
    fields.push(choice);
  }
  fields.push(area);
  return fields;
}

function showAnswer(place, answer) {
  const failed = answer.status >= 400 || answer.json?.success === false;
  const line = `${answer.status} in ${answer.took.toFixed(0)} ms`;
  const shown = make("pre", {}, answer.json === undefined ? answer.text : pretty(answer.json));
  place.replaceChildren(make("p", { class: failed ? "failed" : "" }, line), shown);
  if (answer.status === 401) showSession("No session: log in", true);
}

function operationBody(method, path, operation) {
  const body = make("div", { class: "body" });
  if (operation["x-roles"]) body.append(make("p", {}, `For ${operation["x-roles"].join(", ")}.`));
  body.append(...requestFields(method, operation));
  const send = make("button", { type: "button" }, "Send");
  const place = make("div", { "aria-live": "polite" });
  send.addEventListener("click", async () => {
    send.disabled = true;
    try {
      const area = body.querySelector("textarea");
      const target = filledPath(path, body.querySelectorAll("input[data-name]"));
      showAnswer(place, await call(method.toUpperCase(), target, area ? area.value : ""));
    } catch (error) {
      place.replaceChildren(make("p", { class: "failed" }, String(error)));
    } finally {
      send.disabled = false;
    }
  });
  body.append(make("p", {}, send), place);
  const done = contentOf(operation.responses["200"]);
  if (done) {
    body.append(make("h3", {}, "Answer"), make("pre", {}, typeText(done.schema)));
    body.append(make("p", { class: "summary" }, evidenceOf(done.schema)));
    for (const [name, example] of Object.entries(done.examples ?? {})) {
      body.append(make("h3", {}, `Example: ${name}`), make("pre", {}, pretty(example.value)));
    }
  }
  body.append(make("h3", {}, "Statuses"), answerTable(operation.responses));
  return body;
}

function operationDetails(method, path, operation) {
  const evidence = operation["x-evidence"];
  const details = make("details", { id: `operation-${operation.operationId}` },
    make("summary", {},
      make("span", { class: "method" }, method.toUpperCase()),
      make("span", { class: "path" }, path),
      make("span", { class: "summary" }, operation.summary),
      make("span", { class: `evidence ${evidence}` }, evidence)));
  // Made when it is opened for the first time: most are never.
  details.addEventListener("toggle", () => details.append(operationBody(method, path, operation)), { once: true });
  return details;
}

// The page

function show(description) {
  ({ components } = description);
  base = new URL(description.servers[0].url, document.baseURI).href;
  byId("title").textContent = `${description.info.title} ${description.info.version}`;
  const main = byId("operations");
  main.replaceChildren(...paragraphs(description.info.description));
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [method, path, operation]));
  description.tags.forEach(({ name }, index) => {
    const id = `section-${index}`;
    byId("sections").append(make("a", { href: `#${id}` }, name));
    main.append(make("h2", { id }, name));
    const rows = operations.filter(([, , operation]) => operation.tags.includes(name));
    main.append(...rows.map((row) => operationDetails(...row)));
  });
}

byId("login").addEventListener("submit", logIn);
byId("logout").addEventListener("click", logOut);
try {
  show(await (await fetch("openapi.json")).json());
} catch (error) {
  byId("operations").replaceChildren(make("p", { class: "failed" }, String(error)));
}
