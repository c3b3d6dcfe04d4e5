# Reads documents, one a line, and says what is wrong with them or with the schema. A document from
# which a key was taken, or in which a value is another one, must be refused.

import copy
import json
import sys

from jsonschema import Draft202012Validator, FormatChecker

with open("/tmp/schema.json") as file:
    schema = json.load(file)
Draft202012Validator.check_schema(schema)


def close(part):
    """Forbids what the schema does not name: it lets later versions add keys."""
    if isinstance(part, dict):
        if "required" in part:
            part["additionalProperties"] = False
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            close(inner)


def places(value):
    """The objects and lists in a value, each with the keys of what it holds."""
    if isinstance(value, dict):
        yield value, list(value)
        value = list(value.values())
    elif isinstance(value, list):
        yield value, range(len(value))
    if isinstance(value, list):
        for inner in value:
            yield from places(inner)


close(schema)
validator = Draft202012Validator(schema, format_checker=FormatChecker())
spoiled = 0
for line in sys.stdin:
    document = json.loads(line)
    for error in validator.iter_errors(document):
        print(line, error)
    for place, keys in places(document):
        for key in keys:
            value = place[key]
            place[key] = {"wrong": 1}
            if validator.is_valid(document):
                print("another value of", key, "is taken in", line)
            place[key] = value
        if isinstance(place, dict):
            for key in keys:
                whole = copy.copy(place)
                del place[key]
                if validator.is_valid(document):
                    print("a missing", key, "is taken in", line)
                place.update(whole)
            spoiled += len(keys)
print(spoiled > 100)
