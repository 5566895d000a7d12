#!/bin/sh
# Sends what schemathesis makes of our OpenAPI document to running nodes of every role, some 10,000 requests and more, and
# fails on any answer that is a server's error or not what the document says. Needs Python 3 and its package index.
#
#   crates/server/tests/schemathesis.sh [EXAMPLES]
set -eu
cd "$(dirname "$0")/../../.."
tools=.tools/schemathesis
if ! [ -x "$tools/bin/schemathesis" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5
fi
MICROSTAMP_SCHEMATHESIS="$PWD/$tools/bin/schemathesis" MICROSTAMP_EXAMPLES="${1:-60}" \
    cargo test --package server --test it --locked -- --nocapture schemathesis
