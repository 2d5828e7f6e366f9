"use strict";

const SHOWN = 200_000;
const byId = (id) => document.getElementById(id);

/** An element; what it says is text, never markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/** Paragraphs, with `code` in them. */
function prose(text = "") {
  return text.split("\n\n").filter(Boolean).map((part) => {
    const pieces = part.split("`").map((piece, index) => (index % 2 ? element("code", {}, piece) : piece));
    return element("p", {}, ...pieces);
  });
}

function start(api) {
  const resolve = (schema = {}) => {
    const name = schema.$ref?.split("/").pop();
    return name ? { ...api.components.schemas[name], title: name } : schema;
  };

  const typeName = (schema) => {
    const known = resolve(schema);
    if (known.enum) return known.enum.length > 6 ? "enum" : known.enum.join(" | ");
    if (known.type === "array") return `${typeName(known.items)}[]`;
    if (known.oneOf) return known.oneOf.map(typeName).join(" | ");
    return known.title ?? known.format ?? [known.type ?? "any"].flat().join(" | ");
  };

  /** The fields of a message; those of messages in it when they are asked for. */
  const schemaTree = (schema) => {
    const known = resolve(schema.type === "array" ? schema.items : schema);
    const inside = Object.entries(known.properties ?? {});
    if (!inside.length) return null;
    return element("ul", { class: "schema" }, ...inside.map(([name, field]) => {
      const whole = resolve(field);
      const deeper = resolve(whole.type === "array" ? whole.items : whole);
      const head = [element("code", {}, name), " ", element("span", { class: "soft" }, typeName(field))];
      if (known.required?.includes(name)) head.push(" ", element("strong", {}, "required"));
      if (field.readOnly) head.push(" ", element("span", { class: "soft" }, "read only"));
      const says = prose(field.description ?? (field.$ref && whole.enum ? whole.description : ""));
      if (!deeper.properties) return element("li", {}, ...head, ...says);
      const more = element("details", {}, element("summary", {}, ...head));
      more.addEventListener("toggle", () => more.children.length < 2 && more.append(schemaTree(field)), { once: true });
      return element("li", {}, more, ...says);
    }));
  };

  /** A body to begin with: what must be there, and what is simple. */
  const example = (schema, depth = 0) => {
    const known = resolve(schema);
    if (known.examples) return known.examples[0];
    if (known.enum) return known.enum[Math.min(1, known.enum.length - 1)];
    if (known.oneOf) return example(known.oneOf[0], depth);
    switch ([known.type].flat()[0]) {
      case "array": return depth > 1 ? [] : [example(known.items, depth + 1)];
      case "boolean": return false;
      case "integer": case "number": return 0;
      case "string": return known.format === "date-time" ? new Date().toISOString() : /int64/.test(known.format) ? "0" : "";
      case "object": {
        const fields = Object.entries(known.properties ?? {}).filter(([name, field]) =>
          !field.readOnly && (known.required?.includes(name) || (depth === 0 && !resolve(field).properties)));
        return Object.fromEntries(fields.map(([name, field]) => [name, example(field, depth + 1)]));
      }
      default: return null;
    }
  };

  const address = (path, parameters, values) => {
    const query = new URLSearchParams();
    for (const parameter of parameters) {
      const value = values.get(parameter.name)?.trim() ?? "";
      if (parameter.in === "path") {
        const encoded = /May contain/.test(parameter.description)
          ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
        path = path.replace(`{${parameter.name}}`, encoded);
      } else if (parameter.in === "query" && value) {
        const each = resolve(parameter.schema).type === "array" ? value.split(",") : [value];
        for (const one of each) query.append(parameter.name, one.trim());
      }
    }
    return query.size ? `${path}?${query}` : path;
  };

  const show = (text, type) => {
    if (!/json$/.test(type)) return text;
    try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
  };

  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

  function form(path, verb, operation) {
    const parameters = operation.parameters ?? [];
    const inputs = new Map();
    const field = (parameter) => {
      const input = element("input", { autocomplete: "off", placeholder: typeName(parameter.schema), title: parameter.description });
      inputs.set(parameter.name, input);
      return element("label", {}, parameter.required ? `${parameter.name} *` : parameter.name, input);
    };
    const content = operation.requestBody?.content ?? {};
    const bodyType = Object.keys(content)[0];
    const schema = content[bodyType]?.schema;
    const body = bodyType && element("textarea", { spellcheck: "false", "aria-label": "Body" });
    if (body && schema) body.value = bodyType === "application/json" ? JSON.stringify(example(schema), null, 2) : "";
    const answers = Object.keys(operation.responses["200"]?.content ?? {});
    const accept = answers.length > 1 &&
      element("select", { "aria-label": "Answer as" }, ...answers.map((type) => element("option", {}, type)));

    const request = () => {
      const values = new Map([...inputs].map(([name, input]) => [name, input.value]));
      const headers = {};
      const credential = byId("credential").value.trim();
      if (credential) headers.authorization = `Bearer ${credential}`;
      if (accept) headers.accept = accept.value;
      if (body) headers["content-type"] = bodyType === "*/*" ? "application/octet-stream" : bodyType;
      for (const parameter of parameters) {
        if (parameter.in === "header" && values.get(parameter.name)) headers[parameter.name] = values.get(parameter.name);
      }
      return { url: address(path, parameters, values), method: verb.toUpperCase(), headers, body: body ? body.value : undefined };
    };

    const status = element("p", { role: "status" });
    const output = element("pre", { hidden: true, tabindex: "0" });
    let running = null;
    const stop = element("button", { type: "button", disabled: true, click: () => running?.abort() }, "Stop");
    const send = element("button", { class: "main" }, "Send");
    const call = async () => {
      const { url, ...options } = request();
      running = new AbortController();
      send.disabled = true;
      stop.disabled = false;
      output.hidden = false;
      output.textContent = "";
      status.className = "";
      status.textContent = "…";
      const begun = performance.now();
      const took = () => `${Math.round(performance.now() - begun)} ms`;
      try {
        const answer = await fetch(url, { ...options, signal: running.signal, credentials: "omit" });
        const type = (answer.headers.get("content-type") ?? "").split(";")[0];
        status.className = answer.ok ? "" : "bad";
        status.textContent = `${answer.status} ${answer.statusText} · ${took()}`;
        const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
        let text = "";
        for (let part; reader && !(part = await reader.read()).done && text.length < SHOWN;) {
          text += part.value;
          output.textContent = text;
        }
        if (text.length >= SHOWN) running.abort();
        output.textContent = text.length < SHOWN ? show(text, type) : `${text.slice(0, SHOWN)}\n…`;
        status.textContent = `${answer.status} ${answer.statusText} · ${type || "no body"} · ${took()}`;
      } catch (error) {
        status.className = "bad";
        status.textContent = error.name === "AbortError" ? `stopped after ${took()}` : String(error);
      } finally {
        send.disabled = false;
        stop.disabled = true;
      }
    };
    const curl = element("button", { type: "button", click: () => {
      const { url, method, headers, body } = request();
      if (headers.authorization) headers.authorization = "Bearer $WEFT_API_KEY";
      const lines = [`curl -X ${method} ${quote(location.origin + url)}`];
      for (const [name, value] of Object.entries(headers)) lines.push(`-H ${name === "authorization" ? `"${name}: ${value}"` : quote(`${name}: ${value}`)}`);
      if (body) lines.push(`--data-raw ${quote(body)}`);
      output.hidden = false;
      output.textContent = lines.join(" \\\n  ");
    } }, "Show as curl");

    return element("form", { submit: (event) => { event.preventDefault(); call(); } },
      parameters.length ? element("div", { class: "fields" }, ...parameters.map(field)) : null,
      body && element("h3", {}, "Body"), body,
      element("div", { class: "row" }, send, stop, curl, accept || null),
      status, output);
  }

  function method(path, verb, operation) {
    const shown = element("details", { class: "method", id: operation.operationId },
      element("summary", {},
        element("span", { class: `verb ${verb}` }, verb.toUpperCase()),
        element("code", { class: "path" }, path),
        element("span", { class: "soft" }, operation.summary ?? "")));
    shown.addEventListener("toggle", () => {
      if (!shown.open || shown.children.length > 1) return;
      const bodySchema = operation.requestBody?.content?.["application/json"]?.schema;
      const answer = Object.values(operation.responses["200"]?.content ?? {})[0]?.schema;
      const part = (title, tree) => tree && [element("h3", {}, title), tree];
      shown.append(element("div", {},
        ...prose(operation.description),
        form(path, verb, operation),
        ...(part("Fields of the body", bodySchema && schemaTree(bodySchema)) ?? []),
        ...(part("Fields of the answer", answer && schemaTree(answer)) ?? [])));
    });
    const words = `${verb} ${path} ${operation.operationId} ${operation.summary ?? ""}`.toLowerCase();
    return { shown, words, tag: operation.tags?.[0] ?? "" };
  }

  const methods = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([verb, operation]) => method(path, verb, operation)));
  const sections = (api.tags ?? []).map((tag) => {
    const own = methods.filter((each) => each.tag === tag.name);
    const section = element("section", {}, element("h2", {}, tag.name), ...prose(tag.description), ...own.map((each) => each.shown));
    return { section, own };
  });

  document.title = byId("title").textContent = `${api.info.title} API`;
  byId("about").replaceChildren(`Version ${api.info.version}. ${api.info.description} `, element("a", { href: "/openapi.json" }, "OpenAPI document"));
  byId("main").replaceChildren(...sections.map(({ section }) => section));
  byId("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { section, own } of sections) {
      for (const each of own) each.shown.hidden = !wanted.every((word) => each.words.includes(word));
      section.hidden = own.every((each) => each.shown.hidden);
    }
  });
  const asked = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (asked) { asked.open = true; asked.scrollIntoView(); }
}

fetch("/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`${answer.status}`))))
  .then(start)
  .catch((error) => { byId("state").textContent = `/openapi.json cannot be read: ${error.message}`; });
