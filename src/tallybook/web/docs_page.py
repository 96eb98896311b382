"""The API's description as one page for people, made of the OpenAPI document: own CSS, no script, no other host."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from http import HTTPStatus
from typing import Any

CSS = """
:root { color-scheme: light dark; --ink: #1d2329; --dim: #5b6670; --line: #d9dee3; --page: #fff; --soft: #f4f6f8;
  --accent: #0b5c9e }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --dim: #9aa5b0; --line: #38414a; --page: #14181c;
  --soft: #1d2329; --accent: #7cc0f5 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 56rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; text-transform: capitalize }
h3 { font-size: 1rem; margin: 2rem 0 .25rem; padding-top: 1rem; border-top: 1px solid var(--line) }
h4 { font-size: .85rem; color: var(--dim); margin: 1rem 0 .25rem; font-weight: 600 }
h2 + h3 { margin-top: .5rem } h3:target .at { background: var(--soft); outline: .25rem solid var(--soft) }
a { color: var(--accent) } p { margin: .25rem 0 }
nav h2 { font-size: .85rem; color: var(--dim); margin: 1rem 0 .25rem; font-weight: 600 }
nav ul { list-style: none; padding: 0; margin: .25rem 0 } nav li { padding: .15rem 0 }
nav a, .at { display: grid; grid-template-columns: 3.4rem 1fr; align-items: baseline }
nav a { text-decoration: none } nav a:hover .path, nav a:focus .path { text-decoration: underline }
.does { grid-column: 2; color: var(--dim); font-size: .9rem }
code, pre { font: .9em/1.4 ui-monospace, monospace } code { background: var(--soft); padding: 0 .2em }
pre { background: var(--soft); padding: .75rem; white-space: pre-wrap; margin: .25rem 0 }
summary { cursor: pointer; color: var(--accent); padding: .15rem 0 }
.method { font: 600 .85rem ui-monospace, monospace }
dl { margin: .25rem 0 } dt { font-weight: 600; margin-top: .4rem } dd { margin: 0 0 0 1rem }
.dim { color: var(--dim); font-weight: 400 }
@media (min-width: 48rem) { nav a { grid-template-columns: 3.4rem 1fr 1fr; column-gap: .5rem }
  .does { grid-column: 3 } }
"""
POLICY = f"default-src 'none'; style-src 'sha256-{b64encode(hashlib.sha256(CSS.encode()).digest()).decode()}'"
METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 6
LONGEST_OPEN = 20
"""Examples of more lines are folded up, or a page that names every field of every answer would have no end."""

Facts = Mapping[str, Any]


def docs_page(document: Facts) -> str:
    """The whole page. Everything that comes from the document is escaped."""
    info = document["info"]
    operations = sorted(_operations(document), key=lambda each: (each[1], METHODS.index(each[0].lower())))
    tags = list(dict.fromkeys(tag for _, _, tag, _ in _operations(document)))
    parts = [f"<h1>{escape(info['title'])} <span class=dim>{escape(info['version'])}</span></h1>"]
    parts.append(_prose(info.get("description", "")))
    parts.append(_prose("The same for programs: `/openapi.json`. Errors are problem+json (RFC 9457)."))
    parts.append(_contents(operations, tags))
    for tag in tags:
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts += [_operation(document, *each[:2], each[3]) for each in operations if each[2] == tag]
    parts.append('<h2 id="objects">Objects</h2>')
    parts += [_object(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(info['title'])} API</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _operations(document: Facts) -> Iterator[tuple[str, str, str, Facts]]:
    """(method, path, tag, operation), in the document's order."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, next(iter(item[method].get("tags", ["other"]))), item[method]


def _contents(operations: Sequence[tuple[str, str, str, Facts]], tags: Sequence[str]) -> str:
    parts = []
    for tag in tags:
        lines = [
            f'<li><a href="#{escape(each["operationId"])}">{_line(method, path)}'
            f"<span class=does>{escape(each.get('summary', ''))}</span></a></li>"
            for method, path, of, each in operations
            if of == tag
        ]
        parts.append(f"<h2>{escape(tag)}</h2><ul>{''.join(lines)}</ul>")
    objects = (
        '<ul><li><a href="#objects"><span></span><span class=path>All objects, field by field</span></a></li></ul>'
    )
    return f"<nav>{''.join(parts)}<h2>objects</h2>{objects}</nav>"


def _line(method: str, path: str) -> str:
    """A path that is too long goes on below at one of its slashes."""
    return f"<span class=method>{method}</span> <span class=path>{escape(path).replace('/', '<wbr>/')}</span> "


def _operation(document: Facts, method: str, path: str, operation: Facts) -> str:
    parts = [f'<h3 id="{escape(operation["operationId"])}"><span class=at>{_line(method, path)}</span></h3>']
    parts.append(f"<p><strong>{escape(operation.get('summary', ''))}.</strong></p>")
    parts.append(_prose(operation.get("description", "")))
    parts.append(_parameters(operation.get("parameters", ())))
    parts.append(_body(document, operation.get("requestBody", {})))
    parts.append(_responses(document, operation["responses"]))
    return "\n".join(filter(None, parts))


def _prose(text: str) -> str:
    """Paragraphs, with `code`; nothing else of Markdown."""
    paragraphs = [" ".join(each.split()) for each in re.split(r"\n\s*\n", text) if each.strip()]
    return "\n".join(f"<p>{_inline(each)}</p>" for each in paragraphs)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _parameters(parameters: Sequence[Facts]) -> str:
    lines = [
        f"<dt>{escape(each['name'])} <span class=dim>{escape(_how(each))}</span></dt>"
        f"{_said(each.get('description', each.get('schema', {}).get('description', '')))}"
        for each in parameters
    ]
    return f"<h4>Parameters</h4><dl>{''.join(lines)}</dl>" if lines else ""


def _said(description: str) -> str:
    return f"<dd>{_inline(description)}</dd>" if description else ""


def _how(parameter: Facts) -> str:
    required = ", required" if parameter.get("required") else ""
    return f"{parameter['in']}, {_type(parameter.get('schema', {}))}{required}"


def _body(document: Facts, body: Facts) -> str:
    parts = []
    for media_type, content in body.get("content", {}).items():
        example = content.get("example") or example_of(document, content.get("schema", {}))
        named = _type_linked(content.get("schema", {}))
        fields = _fields(content.get("schema", {})) if "$ref" not in content.get("schema", {}) else ""
        parts.append(f"<h4>Body <span class=dim>{escape(media_type)}, {named}</span></h4>{fields}")
        parts.append(_json(example))
    return "".join(parts)


def _responses(document: Facts, responses: Facts) -> str:
    good = [_response(document, status, each) for status, each in responses.items() if status < "300"]
    others = [f"{status} {escape(each['description'])}" for status, each in responses.items() if status >= "300"]
    return f"{''.join(good)}<h4>Else</h4><p>{' · '.join(others)}</p>" if others else "".join(good)


def _response(document: Facts, status: str, response: Facts) -> str:
    said = response["description"]
    phrase = HTTPStatus(int(status)).phrase if said == "Successful Response" else said
    parts = [f"<h4>{status} {_inline(phrase)}</h4>"]
    for media_type, content in response.get("content", {}).items():
        schema = content.get("schema", {})
        if media_type == "application/json" and schema:
            parts.append(f"<p>{_type_linked(schema)}</p>{_json(example_of(document, schema))}")
        elif "example" in content:
            parts.append(f"<pre>{escape(str(content['example']))}</pre>")
        else:
            parts.append(f"<p>{escape(media_type)}</p>")
    return "".join(parts)


def _json(example: object) -> str:
    shown = json.dumps(example, indent=2, ensure_ascii=False)
    text, lines = f"<pre>{escape(shown)}</pre>", shown.count("\n") + 1
    return text if lines <= LONGEST_OPEN else f"<details><summary>Example ({lines} lines)</summary>{text}</details>"


# -- objects -----------------------------------------------------------------------------------------------------------


def _object(name: str, schema: Facts) -> str:
    words = f"<p>{escape(', '.join(map(str, schema['enum'])))}</p>" if "enum" in schema else ""
    heading = f'<h3 id="schema-{escape(name)}">{escape(name)}</h3>'
    return heading + _prose(schema.get("description", "")) + words + _fields(schema)


def _fields(schema: Facts) -> str:
    lines = [
        f"<dt>{escape(name)} <span class=dim>{_type_linked(each)}</span></dt>{_said(each.get('description', ''))}"
        for name, each in schema.get("properties", {}).items()
    ]
    return f"<dl>{''.join(lines)}</dl>" if lines else ""


def _type(schema: Facts) -> str:
    if "$ref" in schema:
        return _name_of(schema)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("format") or schema.get("type") or "anything")


def _type_linked(schema: Facts) -> str:
    """As `_type`; names of objects lead to them."""
    names = set(re.findall(r"schemas/([A-Za-z0-9_.-]+)", json.dumps(schema)))
    text = escape(_type(schema))
    for name in names:
        text = re.sub(rf"\b{re.escape(name)}\b", f'<a href="#schema-{name}">{name}</a>', text)
    return text


def _name_of(schema: Facts) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


# -- examples ----------------------------------------------------------------------------------------------------------


def example_of(document: Facts, schema: Facts, depth: int = 0) -> Any:
    """A value of *schema*, from the examples that it gives."""
    if "$ref" in schema:
        return example_of(document, document["components"]["schemas"][_name_of(schema)], depth)
    for name in ("examples", "enum"):
        if schema.get(name):
            return schema[name][0]
    if "default" in schema or "const" in schema:
        return schema.get("const", schema.get("default"))
    if "anyOf" in schema:
        return example_of(document, schema["anyOf"][0], depth)
    return _made_up(document, schema, depth)


def _made_up(document: Facts, schema: Facts, depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object":
        named = schema.get("properties", {}) if depth < DEEPEST else {}
        return {name: example_of(document, each, depth + 1) for name, each in named.items()}
    if kind == "array":
        return [example_of(document, schema.get("items", {}), depth + 1)] if depth < DEEPEST else []
    least = schema.get("minimum", 0)
    return {"integer": int(least), "number": max(0.5, least), "boolean": False, "string": "…"}.get(str(kind))
