# SPDX-License-Identifier: Apache-2.0
"""The API's description, and real answers held against it."""
import re

import jsonschema
import referencing


def path_is_api(target):
    return target.startswith("/api/v1/")


class Description:
    """What GET /api/v1/openapi.json says."""

    def __init__(self, document):
        self.document = document
        resource = referencing.Resource(document, referencing.jsonschema.DRAFT202012)
        self.registry = referencing.Registry().with_resource("urn:api", resource)
        self.paths = sorted(document["paths"], key=lambda path: path.count("{"))  # a literal wins over {…}
        self.patterns = {path: re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)) for path in self.paths}

    def operation(self, method, target):
        path = target.split("?")[0]
        for template in self.paths:
            operation = self.document["paths"][template].get(method.lower())
            if operation and self.patterns[template].fullmatch(path):
                return operation
        raise AssertionError("%s %s is not described" % (method, target))

    def validator(self, schema):
        """Of a schema whose references begin at the document."""
        absolute = re.sub(r'^#', 'urn:api#', schema["$ref"]) if "$ref" in schema else None
        return jsonschema.Draft202012Validator({"$ref": absolute} if absolute else schema, registry=self.registry,
                                               format_checker=jsonschema.FormatChecker())

    def check(self, method, target, answer):
        """Fails unless status, headers and body of the answer are what the description says of this call."""
        operation = self.operation(method, target)
        response = operation["responses"].get(str(answer.status))
        assert response, "%s %s: status %d is not described: %r" % (method, target, answer.status, answer)
        content = response.get("content")
        if not content:
            assert answer.raw == b"", answer
            return
        media_type = answer.headers["Content-Type"].split(";")[0]
        assert media_type in content, "%s %s: %s is not described" % (method, target, media_type)
        if media_type == "application/json":
            self.validator(content[media_type]["schema"]).validate(answer.json)
        if answer.status >= 400 and path_is_api(target):
            assert answer.error["code"] in response["description"].split(", "), "%s %s: %r, described as %r" % (
                method, target, answer, response["description"])
        for name in operation["responses"][str(answer.status)].get("headers", {}):
            if name.startswith("X-RateLimit") or name == "Retry-After":
                continue  # absent where there is no limit
            assert name in answer.headers, "%s %s: no header %s" % (method, target, name)


class Checked:
    """An Api whose every answer must be as described."""

    def __init__(self, api):
        self.api = api
        self.description = Description(api.ok("GET", "/api/v1/openapi.json"))

    def call(self, method, path, body=None, headers=None):
        answer = self.api.call(method, path, body, headers)
        self.description.check(method, path, answer)
        return answer
