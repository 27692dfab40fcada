"""A server that W&B's client and `wandb sync` take for W&B's: it keeps what they send. Not W&B's own: it shows nothing."""

import gzip
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any


class WandbServer:
    """Listens on a port of this machine while it is entered.

    Attributes:
        runs: by id: `history` (rows), `config`, `tags`, `group`, `job_type`, `name`, `exit_code`, `project`.
        views: workspaces by name, each with its specification.
        received: everything that was sent, as it came.
    """

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.views: dict[str, dict[str, Any]] = {}
        self.received: list[bytes] = []
        self._lock = Lock()
        kept = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                with kept._lock:
                    kept.received.append(self.path.encode() + b"\n" + body)
                    reply = json.dumps(kept.reply(self.path, body)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            do_GET = do_POST = do_PUT = answer

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """A client that has gone is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "WandbServer":
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, path: str, body: bytes) -> dict[str, Any]:
        """What W&B's server would say, as far as its client asks."""
        if path == "/graphql":
            asked = json.loads(body)
            return {"data": self.graphql(asked["query"], asked.get("variables") or {})}
        if found := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", path):
            self.stream(self.runs[found[1]], json.loads(body))
        return {}

    def stream(self, run: dict[str, Any], sent: dict[str, Any]) -> None:
        """Take in rows of the history, which replace those from their offset on."""
        rows = (sent.get("files") or {}).get("wandb-history.jsonl")
        if rows:
            run["history"][rows["offset"] :] = [json.loads(row) for row in rows["content"]]
        if sent.get("complete"):
            run["exit_code"] = sent["exitcode"]

    def graphql(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        """The data that a query is answered with."""
        place = {"id": "P", "name": given.get("project") or "", "entity": {"id": "E", "name": "me"}}
        if "upsertBucket" in query:
            run = self.runs.setdefault(given["name"], {"history": []})
            told = {"groupName": "group", "jobType": "job_type", "displayName": "name", "tags": "tags", "project": "project"}
            run |= {name: given[key] for key, name in told.items() if given.get(key)}
            run["config"] = {**run.get("config", {}), **json.loads(given.get("config") or "{}")}
            return {"upsertBucket": {"bucket": {**bucket(given["name"], run), "project": place}, "inserted": True}}
        if "RunResumeStatus" in query:
            run = self.runs.get(given["name"])
            return {"model": {**place, "bucket": bucket(given["name"], run) if run else None}}
        if "query ArtifactType" in query:
            return {"project": {"artifact": None}}
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.url}/files/{name}"} for name in given["files"]]
            return {"createRunFiles": {"runID": "R", "uploadHeaders": [], "files": files}}
        if "createArtifact(" in query:
            artifact = {"id": "A", "state": "COMMITTED", "artifactSequence": {"id": "S", "latestArtifact": None}}
            return {"createArtifact": {"artifact": artifact}}
        if "upsertView" in query:
            new = given["name"] not in self.views
            self.views[given["name"]] = {"id": given.get("id"), "spec": json.loads(given["spec"])}
            return {"upsertView": {"view": {"id": f"V-{given['name']}", "name": given["name"]}, "inserted": new}}
        viewer = {"id": "U", "entity": "me", "username": "me", "email": "", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": viewer, "serverInfo": {"features": [], "cliVersionInfo": {"max_cli_version": "9"}}}


def bucket(name: str, run: dict[str, Any]) -> dict[str, Any]:
    """A run as the server tells of it."""
    history = run["history"]
    return {
        "id": f"R-{name}",
        "name": name,
        "displayName": run.get("name", name),
        "description": "",
        "sweepName": None,
        "config": json.dumps(run.get("config", {})),
        "historyLineCount": len(history),
        "logLineCount": 0,
        "eventsLineCount": 0,
        "historyTail": json.dumps([json.dumps(row) for row in history[-1:]]),
        "eventsTail": "[]",
        "summaryMetrics": "{}",
        "tags": run.get("tags", []),
        "notes": "",
        "wandbConfig": "{}",
    }
