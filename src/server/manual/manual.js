/* SPDX-License-Identifier: MIT */
/* Makes the page of the API from its description. Nothing of it becomes HTML: all text goes into text nodes. */
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH = 6; /* how deep nested objects are written out */

/* tag("td", {class: "x"}, "text", node…) */
function tag(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function resolver(doc) {
  return function resolve(node) {
    if (!node || !node.$ref) return node || {};
    const target = node.$ref.slice(2).split("/").reduce((at, key) => at[key], doc);
    return { ...resolve(target), ...node, $ref: undefined };
  };
}

function typeOf(schema) {
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ");
  return [].concat(schema.type || "any").join(" | ") + (schema.format ? ` (${schema.format})` : "");
}

/* "at least 1, at most 50 characters, …" */
function limitsOf(schema) {
  const said = [];
  if (schema.minimum !== undefined) said.push(`≥ ${schema.minimum}`);
  if (schema.maximum !== undefined) said.push(`≤ ${schema.maximum}`);
  if (schema.maxLength !== undefined) said.push(`≤ ${schema.maxLength} characters`);
  if (schema.maxItems !== undefined) said.push(`≤ ${schema.maxItems} items`);
  if (schema.pattern) said.push(schema.pattern);
  if (schema.default !== undefined) said.push(`default ${JSON.stringify(schema.default)}`);
  return said.join(", ");
}

function merged(schema, resolve) {
  const whole = resolve(schema);
  if (!whole.allOf) return whole;
  return whole.allOf.map((part) => merged(part, resolve)).reduce((a, b) => ({ ...a, ...b,
    properties: { ...a.properties, ...b.properties }, required: [...(a.required || []), ...(b.required || [])] }), {});
}

/* Rows of a table: name, type, what it means; those of nested objects follow, their names prefixed. */
function fieldRows(schema, resolve, forRequest, prefix = "", depth = 0) {
  const whole = merged(schema, resolve);
  const rows = [];
  for (const [name, raw] of Object.entries(whole.properties || {})) {
    const field = merged(raw, resolve);
    const items = field.items ? merged(field.items, resolve) : null;
    if (forRequest ? field.readOnly : field.writeOnly) continue;
    const needed = forRequest && (whole.required || []).includes(name) ? " *" : "";
    rows.push([prefix + name + needed, items && field.type === "array" ? `[${typeOf(items)}]` : typeOf(field),
      [field.description, limitsOf(field)].filter(Boolean).join(" — ")]);
    const inner = field.properties ? field : items && items.properties ? items : null;
    if (inner && depth < DEPTH && !(forRequest && items))
      rows.push(...fieldRows(inner, resolve, forRequest, `${prefix}${name}${items ? "[]" : ""}.`, depth + 1));
  }
  return rows;
}

function table(rows) {
  return tag("table", {}, ...rows.map(([name, type, text]) =>
    tag("tr", {}, tag("td", {}, tag("code", {}, name)), tag("td", {}, tag("code", {}, type)), tag("td", {}, text || ""))));
}

function curlOf(method, path, parameters, body, isOpen) {
  const filled = parameters.filter((p) => p.in === "path")
    .reduce((text, p) => text.replace(`{${p.name}}`, encodeURIComponent(p.example ?? p.name)), path);
  const words = ["curl -sS", isOpen ? "" : "-u \"$VR_USER:$VR_PASSWORD\"", method === "get" ? "" : `-X ${method.toUpperCase()}`,
    method === "get" || method === "delete" ? "" : "-H 'Content-Type: application/json'",
    body === undefined ? "" : `-d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`, `'${location.origin}${filled}'`];
  return words.filter(Boolean).join(" ");
}

function bodyOf(content) {
  return Object.entries(content || {})[0] || ["", {}];
}

function operationNode(doc, resolve, method, path, item) {
  const op = item[method];
  const parameters = [...(item.parameters || []), ...(op.parameters || [])].map(resolve);
  const isOpen = op.security && op.security.length === 0;
  const content = tag("div");
  if (op.description) content.append(tag("p", {}, op.description));
  if (parameters.length) {
    const rows = parameters.flatMap((p) => {
      const schema = merged(p.schema, resolve);
      if (schema.properties) return fieldRows(schema, resolve, true).map(([n, t, d]) => [n, t, d || "filter, also with lookups"]);
      return [[p.name + (p.required ? " *" : ""), `${p.in}: ${typeOf(schema)}`, [p.description, limitsOf(schema)].filter(Boolean).join(" — ")]];
    });
    content.append(tag("h4", {}, "Parameters"), table(rows));
  }
  const [, request] = bodyOf(resolve(op.requestBody).content);
  if (request.schema) content.append(tag("h4", {}, "Body"), table(fieldRows(request.schema, resolve, true)));
  content.append(tag("h4", {}, "Try it"), tag("pre", {}, curlOf(method, path, parameters, request.example, isOpen)));
  content.append(tag("h4", {}, "Answers"));
  for (const [status, raw] of Object.entries(op.responses)) {
    const response = resolve(raw);
    const [type, body] = bodyOf(response.content);
    const rows = body.schema && status < "300" ? fieldRows(body.schema, resolve, false) : [];
    const line = tag("p", {}, tag("code", {}, status), ` ${response.description}${type ? ` (${type})` : ""}`);
    const headers = Object.keys(response.headers || {});
    if (headers.length) line.append(` with ${headers.join(", ")}`);
    content.append(line);
    if (rows.length) content.append(tag("details", {}, tag("summary", {}, "Fields"), tag("div", {}, table(rows))));
  }
  const node = tag("details", { id: op.operationId }, tag("summary", {}, tag("span", { class: `method ${method}` }, method.toUpperCase()),
    tag("span", { class: "path" }, path), tag("span", { class: "what" }, op.summary),
    tag("span", { class: "role" }, isOpen ? "no login" : op["x-role"])), content);
  node.dataset.text = `${method} ${path} ${op.summary} ${op.operationId} ${parameters.map((p) => p.name)}`.toLowerCase();
  return node;
}

function show(doc) {
  const resolve = resolver(doc);
  const main = document.getElementById("operations");
  const index = document.getElementById("index");
  main.replaceChildren(tag("p", { id: "about" }, doc.info.description));
  for (const group of doc.tags) {
    const section = tag("section", { id: `of-${group.name}` }, tag("h2", {}, group.name), tag("p", {}, group.description));
    for (const [path, item] of Object.entries(doc.paths))
      for (const method of METHODS)
        if (item[method] && item[method].tags.includes(group.name)) section.append(operationNode(doc, resolve, method, path, item));
    main.append(section);
    index.append(tag("a", { href: `#of-${group.name}` }, group.name));
  }
  document.getElementById("search").addEventListener("input", (event) => filter(event.target.value.toLowerCase()));
  if (location.hash.length > 1) {
    const named = document.getElementById(location.hash.slice(1));
    if (named) { named.open = true; named.scrollIntoView(); }
  }
}

function filter(text) {
  const words = text.split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("main section")) {
    let left = 0;
    for (const node of section.querySelectorAll(":scope > details")) {
      node.hidden = !words.every((word) => node.dataset.text.includes(word));
      left += !node.hidden;
    }
    section.hidden = !left;
  }
}

fetch("/api/openapi.json").then((answer) => answer.json()).then(show).catch((error) => {
  document.getElementById("operations").replaceChildren(tag("p", {}, `The description of the API did not come: ${error}`));
});
