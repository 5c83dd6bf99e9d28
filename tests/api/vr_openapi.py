# SPDX-License-Identifier: MIT
"""docs/openapi.yaml as the tests read it: operations, examples, and schemas that forbid what they do not list."""
import copy
import os
import re
import urllib.parse

import jsonschema
import yaml

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
METHODS = ("get", "post", "put", "patch", "delete")


def load():
    with open(os.path.join(SOURCE, "docs/openapi.yaml"), encoding="utf-8") as file:
        return Document(yaml.load(file, Loader=yaml.CSafeLoader))


class Document:
    def __init__(self, data):
        self.data = data
        self.operations = [Operation(self, method, path, item) for path, item in data["paths"].items()
                           for method in METHODS if method in item]
        self.by_id = {o.id: o for o in self.operations}

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            more = {k: v for k, v in node.items() if k != "$ref"}
            target = self.data
            for key in node["$ref"][2:].split("/"):
                target = target[key]
            node = {**target, **more}
        return node

    def flat(self, schema):
        """A schema without references and allOf at its top."""
        schema = self.resolve(schema)
        if "allOf" not in schema:
            return schema
        whole = {"type": "object", "properties": {}}
        for part in map(self.flat, schema["allOf"]):
            whole["properties"].update(part.get("properties", {}))
            if "required" in part:
                whole["required"] = whole.get("required", []) + part["required"]
            if "additionalProperties" in part:
                whole["additionalProperties"] = part["additionalProperties"]
        return whole

    def strict(self, schema, chosen=False):
        """The schema of an answer: what is not listed is forbidden, what is listed is there (unless some were chosen)."""
        schema = copy.copy(self.flat(schema))
        if "properties" in schema:
            properties = {k: v for k, v in schema["properties"].items() if not self.resolve(v).get("writeOnly")}
            schema["properties"] = {k: self.strict(v, chosen) for k, v in properties.items()}
            if "additionalProperties" not in schema:
                schema["additionalProperties"] = False
            if "required" not in schema and not chosen:
                schema["required"] = [k for k, v in properties.items() if not self.resolve(v).get("x-optional")]
        elif isinstance(schema.get("additionalProperties"), dict):
            schema["additionalProperties"] = self.strict(schema["additionalProperties"])
        if "items" in schema:
            schema["items"] = self.strict(schema["items"], chosen)
        return schema

    def loose(self, schema):
        """The schema of a value in a request: keys that are not listed are ignored, fields are there or not."""
        schema = {k: v for k, v in self.flat(schema).items() if k not in ("required", "additionalProperties")}
        if "properties" in schema:
            schema["properties"] = {k: self.loose(v) for k, v in schema["properties"].items()}
        if "items" in schema:
            schema["items"] = self.loose(schema["items"])
        return schema

    def check(self, schema, value, chosen=False):
        """Fails with the place of the first difference."""
        validator = jsonschema.Draft202012Validator(self.strict(schema, chosen),
                                                    format_checker=jsonschema.draft202012_format_checker)
        for error in validator.iter_errors(value):
            place = "/".join(map(str, error.absolute_path))
            raise AssertionError(f"at '{place}': {error.message[:600]}")

    def resources(self):
        return self.resolve(self.data["components"]["parameters"]["resource"])["schema"]["enum"]


class Operation:
    def __init__(self, document, method, path, item):
        self.document, self.method, self.path = document, method.upper(), path
        self.node = item[method]
        self.id = self.node["operationId"]
        self.role = self.node["x-role"]
        self.scope = self.node.get("x-scope", "platform")
        self.parameters = [document.resolve(p) for p in item.get("parameters", []) + self.node.get("parameters", [])]
        self.responses = {status: document.resolve(r) for status, r in self.node["responses"].items()}
        self.statuses = {int(status) for status in self.responses if status != "default"}

    def __repr__(self):
        return self.id

    def rights_of(self, path):
        """(role, scope) that a path needs; some nouns of a path for several want another than the rest."""
        noun = path.split("/")[3] if path.startswith("/api/v1/") else None
        return self.node.get("x-role-of", {}).get(noun, self.role), self.node.get("x-scope-of", {}).get(noun, self.scope)

    @property
    def is_write(self):
        return self.method in ("POST", "PUT", "PATCH")

    @property
    def is_stream(self):
        return any("text/event-stream" in r.get("content", {}) for r in self.responses.values())

    @property
    def body(self):
        """(schema, example, is required), or None."""
        request = self.node.get("requestBody")
        if not request:
            return None
        content = request["content"].get("application/json")
        if not content:
            return None
        return content["schema"], content["example"], request.get("required", False)

    @property
    def resource(self):
        """The first part of the path behind /api/v1/, where there is one."""
        match = re.match(r"/api/v1/([a-z_]+)/", self.path)
        return match and match.group(1)

    @property
    def is_list(self):
        return any(p["name"] == "filter" for p in self.parameters)

    def filters(self):
        for p in self.parameters:
            if p["name"] == "filter":
                return self.document.resolve(p["schema"])["properties"]
        return {}

    def url(self, **values):
        """The path with its parameters: given ones, else their examples."""
        path = self.path
        for p in self.parameters:
            if p["in"] == "path":
                value = str(values.get(p["name"], p.get("example")))
                path = path.replace("{%s}" % p["name"], urllib.parse.quote(value, safe=";"))
        return path

    def routes(self):
        """As the server prints them: (method, path with `*`); a parameter of known values stands for each of them."""
        paths = [self.path]
        for p in self.parameters:
            if p["in"] == "path" and "enum" in self.document.resolve(p["schema"]):
                values = self.document.resolve(p["schema"])["enum"]
                paths = [path.replace("{%s}" % p["name"], value) for path in paths for value in values]
        return {(self.method, re.sub(r"\{[^}]*\}", "*", path)) for path in paths}

    def check_answer(self, answer, chosen=False):
        """Is this answer one of those that the document has?"""
        said = self.responses.get(str(answer.status))
        assert said or (answer.status >= 400 and "default" in self.responses), \
            f"{self.id}: status {answer.status} is not documented: {answer}"
        said = said or self.responses["default"]
        for name, header in said.get("headers", {}).items():
            header = self.document.resolve(header)
            value = answer.headers.get(name)
            if value is None:
                assert not header.get("required"), f"{self.id} {answer.status}: no header {name}"
            elif "pattern" in header["schema"]:
                assert re.search(header["schema"]["pattern"], value), f"{self.id} {answer.status}: {name}: {value}"
        self.check_body(answer, said.get("content"), chosen)

    def check_body(self, answer, content, chosen):
        if not content:
            assert answer.body == b"" or answer.status == 416, f"{self.id} {answer.status}: has a body: {answer}"
            return
        media = content.get(answer.type, content.get("*/*"))
        assert media is not None, f"{self.id} {answer.status}: is {answer.type}, not one of {list(content)}"
        if answer.type == "application/json" and "schema" in media:
            try:
                self.document.check(media["schema"], answer.json, chosen)
            except AssertionError as error:
                raise AssertionError(f"{self.id} {answer.status} {error}") from error
