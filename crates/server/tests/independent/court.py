"""A second verifier of court bundles, written from docs/federation.md, RFC 9421, RFC 9530, RFC 6962 and C2SP alone, with
nothing but Python's standard library. It shares no code with the program.

usage: court.py BUNDLE DIRECTORY_KEY     (exit 0: it holds; 1: it does not)
"""

import base64
import hashlib
import json
import pathlib
import re
import sys
import unicodedata
from datetime import datetime

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "transparency/tests/independent"))
import ml_dsa  # noqa: E402
from verify import ed25519, inclusion, key, number, subtree, unbase64  # noqa: E402

NAMES = ["directory", "question", "request", "answer", "response", "statement", "issuer-log", "agency-log", "directory-log"]


def parts(data):
    header, rest = data.split(b"\n", 1)
    assert header == b"microstamp.court/2", "header"
    found = {}
    for name in NAMES:
        head, rest = rest.split(b"\n", 1)
        word, said, length = head.decode().split(" ")
        length = number(length)
        assert (word, said) == ("part", name) and length < len(rest) and rest[length : length + 1] == b"\n", name
        found[name], rest = rest[:length].decode(), rest[length + 1 :]
    assert rest == b"", "something follows"
    return found


def signed_note(text, vkey):
    """The text of a note with exactly one signature, by this key."""
    name, identity, kind, public = key(vkey)
    body, signature = text.rsplit("\n\n", 1)
    dash, signer, data = signature.removesuffix("\n").split(" ")
    data = unbase64(data)
    assert signature.endswith("\n") and (dash, signer, data[:4], kind) == ("\u2014", name, identity, 1), "note"
    ed25519(public, (body + "\n").encode(), data[4:])
    return body + "\n"


def once(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a member stands twice"
    return dict(pairs)


def canonical(text):
    value = json.loads(text, object_pairs_hook=once)
    again = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert again == text, "it is not in its one spelling"
    return value


def signature(fields, values, public, tag, extra=()):
    """RFC 9421, sections 2.5 and 3.2, for one signature under the label `trace`."""
    member = re.fullmatch(r"trace=(\((.*)\);(.*))", fields["signature_input"])
    components = re.findall(r'("[^"]+"(?:;[a-z]+(?:="[^"]*")?)*)', member[2])
    assert " ".join(components) == member[2] and len(set(components)) == len(components), "components"
    assert set(values) <= set(components), "something is not covered"
    base = "".join(f"{name}: {values[name]}\n" for name in components) + f'"@signature-params": {member[1]}'
    data = re.fullmatch("trace=:(.*):", fields["signature"])
    ed25519(public, base.encode(), unbase64(data[1]))
    parameters = dict(re.findall(r'([a-z]+)=("[^"]*"|\d+)', member[3]))
    assert ";".join(f"{name}={value}" for name, value in parameters.items()) == member[3], "parameters"
    assert parameters["tag"] == f'"{tag}"' and parameters["alg"] == '"ed25519"', "parameters"
    return parameters, data[1]


def digest(content):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() + ":"


def key_id(node):
    return '"%s#%s"' % (node["name"], hashlib.sha256(bytes.fromhex(node["signing"])).hexdigest()[:16])


def when(text):
    return datetime.fromisoformat(text).timestamp()


def checkpoint(text, log, witnesses, quorum, checked={}):
    """Size and root of a checkpoint signed by its log and by enough witnesses, each line by a known key. Each witness is the list of
    its keys, all of which must have signed. Entries of one bundle share the text, so it is checked once."""
    if text in checked:
        return checked[text]
    body, lines = text.rsplit("\n\n", 1)
    assert lines.endswith("\n")
    keys = {key(one)[:2]: (key(one)[2:], one) for one in [log, *(one for both in witnesses for one in both)]}
    seen = set()
    for line in lines[:-1].split("\n"):
        dash, name, data = line.split(" ")
        data = unbase64(data)
        (kind, public), vkey = keys[(name, data[:4])]
        assert dash == "\u2014" and vkey not in seen, "signature line"
        seen.add(vkey)
        time = int.from_bytes(data[4:12], "big")
        if kind == 1:
            ed25519(public, (body + "\n").encode(), data[4:])
        elif kind == 4:
            ed25519(public, f"cosignature/v1\ntime {time}\n{body}\n".encode(), data[12:])
        else:
            assert kind == 6, "kind of key"
            ml_dsa.verify(public, subtree(name, data[4:12], body + "\n"), data[12:])
    assert log in seen and sum(seen.issuperset(both) for both in witnesses) >= quorum, "too few signatures"
    origin, size, root = body.split("\n")
    assert origin == log.split("+")[0], "origin"
    return checked.setdefault(text, (number(size), unbase64(root)))


def records(text, log, directory):
    """The records that a log's bundle proves, and their places."""
    header, count, rest = text.encode().split(b"\n", 2)
    assert header == b"microstamp.bundle/1" and count.startswith(b"entries "), "bundle"
    found, checkpoints = [], set()
    for _ in range(number(count[8:].decode())):
        length, rest = rest.split(b"\n", 1)
        assert length.startswith(b"proof ")
        proof, rest = rest[: number(length[6:].decode())], rest[number(length[6:].decode()) :]
        head, note = proof.decode().split("\n\n", 1)
        version, extra, index, *siblings = head.split("\n")
        assert version == "c2sp.org/tlog-proof@v1" and extra.startswith("extra ") and index.startswith("index ")
        extra = unbase64(extra[6:])
        entry = hashlib.sha256(b"microstamp commitment v1\n" + extra).digest()
        both = [[one["key"], one.get("key_ml_dsa_44")] for one in directory["witnesses"]]
        witnesses = [[one for one in keys if one] for keys in both]
        size, root = checkpoint(note, log, witnesses, directory["quorum"])
        siblings = [unbase64(line) for line in siblings]
        leaf = hashlib.sha256(b"\0" + entry).digest()
        assert all(len(one) == 32 for one in siblings), "sibling"
        assert inclusion(leaf, number(index[6:]), size, siblings) == root, "root"
        checkpoints.add(note)
        found.append((number(index[6:]), canonical(extra[32:].decode())))
    assert rest == b"" and len(checkpoints) == 1, "bundle"
    return found


def person(name):
    """What of a name tells people apart; the rest is the program's own business (UTS 39)."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in unicodedata.normalize("NFKC", folded) if letter.isalnum())


def approved(question, place, asked, desk):
    """Who filed, who read and who approved the question, as docs/federation.md, section 7 demands."""
    if asked["body"]["approved"] is None:
        assert desk == [], "desk"
        return
    assert [record["kind"] for _, record in desk] == ["desk"] * len(desk), "desk"
    places, steps = [at for at, _ in desk], [record["body"] for _, record in desk]
    assert places == sorted(set(places)) and places[-1] == asked["body"]["approved"] < place, "order of the desk"
    names = [step["step"] for step in steps]
    assert names in (["filed", "approved"], ["filed", "read", "approved"]), "steps"
    assert {step["id"] for step in steps} == {question["id"]}, "question of the desk"
    for step, role in zip(names, ["requester", "examiner", "approver"] if len(names) == 3 else ["requester", "approver"]):
        assert role in steps[names.index(step)]["roles"], "roles"
    filed, last = steps[0], steps[-1]
    second = question["kind"].get("second_approver", question["approver"])
    assert filed["by"] == question["requester"] and last["by"] == second, "persons"
    assert person(last["by"]) not in [person(step["by"]) for step in steps[:-1]], "two persons"
    draft = json.loads(last["draft"], object_pairs_hook=once)
    assert hashlib.sha256(last["draft"].encode()).hexdigest() == last["draft_sha256"], "draft"
    kind = {name: value for name, value in question["kind"].items() if name != "second_approver"}
    others = {name: question[name] for name in draft if name != "kind"}
    assert {"codes", "ori", "case_number", "reason"} <= set(draft) and draft == {**others, "kind": kind}, "draft"
    if len(steps) == 3:
        read = json.loads(steps[1]["reading"], object_pairs_hook=once)
        assert read["codes"] == draft["codes"] and read["reading_sha256"] == draft["reading_sha256"], "reading"


def before(question, place, group):
    """The chain that a reference came after, and who approved it: docs/federation.md, section 9."""
    if question["kind"]["for"] == "chain":
        assert group == [], "a chain has no step before it"
        return
    (at, asked), *desk = group
    first = json.loads(asked["body"]["content"], object_pairs_hook=once)
    assert at < place and first["kind"] == {"for": "chain"}, "the step before"
    assert first["id"] == question["kind"]["after"], "the step before"
    assert all(first[name] == question[name] for name in ("case_number", "ori")), "the step before"
    assert person(first["approver"]) == person(question["approver"]), "who approved the chain"
    assert person(question["kind"]["second_approver"]) != person(first["requester"]), "who requested the chain"
    approved(first, at, asked, desk)


def symbols(code):
    """A code without its check characters, which are others on a firearm than on a round."""
    return code.replace(" ", "")[:6]


def told(question, answer):
    """An answer is of the question's case, and tells of what was asked alone: section 4.3."""
    assert answer["case_number"] == question["case_number"], "case"
    assert answer.get("typed_by") == question.get("typed_by"), "who typed the codes"
    firearm = answer.get("firearm") or {}
    codes = [code for name in ("issued", "not_issued", "elsewhere") for code in answer.get(name, [])]
    codes += [firearm["code"]] if firearm else []
    asked = {symbols(one["code"]) for one in question["codes"]}
    assert {symbols(code) for code in codes} <= asked, "a code that was not asked"
    references = [firearm.get("end", {}).get("form_4473"), (firearm.get("first_sale") or {}).get("form_4473")]
    assert question["kind"]["for"] != "chain" or references == [None, None], "a reference in the place of a chain"


def main(file, directory_key):
    part = parts(open(file, "rb").read())
    line, note = part["directory"].split("\n", 1)
    directory = canonical(line)
    expected = f"microstamp directory v1\nversion {directory['version']}\nsha256 {hashlib.sha256(line.encode()).hexdigest()}\n"
    assert signed_note(note, directory_key) == expected, "directory"

    question, request, response = json.loads(part["question"]), canonical(part["request"]), canonical(part["response"])
    agency = next(one for one in directory["agencies"] if key_id(one["node"]) in request["signature_input"])
    values = {
        '"@method"': "POST",
        '"@target-uri"': request["target"],
        '"content-digest"': request["content_digest"],
        '"content-type"': "application/json",
    }
    assert request["content_digest"] == digest(part["question"]), "digest of the question"
    public = bytes.fromhex(agency["node"]["signing"])
    parameters, request_signature = signature(request, values, public, "microstamp-request")
    assert parameters["keyid"] == key_id(agency["node"]), "key"
    asked = int(parameters["created"])
    assert 0 < int(parameters["expires"]) - asked <= 60, "window"
    assert when(directory["issued_at"]) - 60 <= asked < when(directory["expires_at"]), "directory's time"
    assert when(agency["valid_from"]) <= asked < when(agency["valid_until"]), "agency's time"

    assert directory["quorum"] >= 1, "nobody but the directory's keeper vouches for a log"

    answer = json.loads(part["statement"].split("\n")[0])
    issuer = next(one for one in directory["issuers"] if one["node"]["name"] == answer["issuer"])
    signed_note(part["statement"], issuer["node"]["statements"])
    assert answer["question"] == question["id"], "number"
    assert answer["question_sha256"] == hashlib.sha256(part["question"].encode()).hexdigest(), "question"
    values = {
        '"@status"': response["status"],
        '"content-digest"': response["content_digest"],
        '"content-type"': response["content_type"],
        '"signature";req;key="trace"': f":{request_signature}:",
    }
    assert response["content_digest"] == digest(part["answer"]), "digest of the answer"
    parameters, _ = signature(response, values, bytes.fromhex(issuer["node"]["signing"]), "microstamp-answer")
    assert parameters["keyid"] == key_id(issuer["node"]), "key"

    told(question, answer)
    if answer.get("firearm"):
        persons = [question["requester"], question["approver"]]
        assert question["ori"] in agency["oris"] and person(persons[0]) != person(persons[1]), "who may ask"
        second = question["kind"].get("second_approver")
        assert second is None or person(second) != person(persons[0]), "second approval"
        owner = next(one for one in directory["issuers"] if answer["firearm"]["code"][:2] in one["prefixes"])
        if owner.get("delegation"):
            name, to = owner["node"]["name"], issuer["node"]["name"]
            said = signed_note(owner["delegation"], owner["node"]["statements"]).split("\n")
            assert said[:3] == ["microstamp delegation v1", f"from {name}", f"to {to}"], "delegation"
            assert asked < when(said[3].removeprefix("until ")) and answer["delegated_by"] == name, "delegation"
        else:
            assert owner is issuer and when(owner["valid_from"]) <= asked < when(owner["valid_until"]), "block"

    (_, first), (_, second) = records(part["issuer-log"], issuer["node"]["log"], directory)
    assert first["kind"] == "question" and first["body"]["content"] == part["question"], "issuer's log"
    assert first["body"]["request"] == request and second["kind"] == "answer", "issuer's log"
    assert second["body"]["statement"] == part["statement"], "issuer's log"
    if second["body"].get("again") is not True:
        assert when(answer["answered_at"]) >= asked - 120, "the answer is older than the question"
    (place, first), (_, second), *desk = records(part["agency-log"], agency["node"]["log"], directory)
    cut = next((at for at, (_, record) in enumerate(desk) if record["kind"] == "question"), len(desk))
    before(question, place, desk[cut:])
    desk = desk[:cut]
    approved(question, place, first, desk)
    times = [when(record["at"]) for _, record in desk] + [asked]
    assert all(one <= next_one + 120 for one, next_one in zip(times, times[1:])), "order in time"
    assert first["kind"] == "question" and first["body"]["content"] == part["question"], "agency's log"
    assert first["body"]["request"] == request and second["kind"] == "answer", "agency's log"
    assert second["body"]["content"] == part["answer"], "agency's log"
    assert second["body"]["opened"]["statement"] == part["statement"], "agency's log"
    if directory.get("log") is None:
        assert part["directory-log"] == "", "directory's log"
    else:
        ((_, record),) = records(part["directory-log"], directory["log"], directory)
        said = {"version": directory["version"], "sha256": hashlib.sha256(part["directory"].encode()).hexdigest()}
        assert record["kind"] == "directory" and said.items() <= record["body"].items(), "directory's log"


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (AssertionError, ValueError, KeyError, TypeError, OverflowError, StopIteration) as error:
        sys.exit(f"does not hold: {error!r}")
