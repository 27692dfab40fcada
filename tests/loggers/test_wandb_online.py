"""What is sent to W&B, and what is kept where nothing can be sent: W&B's own client and `wandb sync` against a server
that keeps what comes. It speaks W&B's protocol as far as they ask, and shows nothing.
"""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any

import pytest

from paribus.mirror import PUBLISHED_FILE

pytestmark = pytest.mark.slow

KEY = "0123456789abcdef" * 2 + "01234567"
SMALL = ("data.n_train=64", "trainer.max_steps=200", "trainer.validate_every=100")


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
            told = {
                "groupName": "group",
                "jobType": "job_type",
                "displayName": "name",
                "tags": "tags",
                "project": "project",
            }
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


def paribus(*words: str, server: str, folder: Path, expect: int = 0) -> str:
    """What a command prints, with a key in its environment and a home of its own."""
    own = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": server, "HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "paribus", *words]
    done = subprocess.run(command, cwd=folder, env=os.environ | own, capture_output=True, text=True, timeout=300)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


SWEEP = ("run", "-m", "objective=squared,huber", "seed=0,1", "name=sent", "logger=wandb", "logger.wandb.offline=false")


@pytest.mark.parametrize("launcher", ["basic", "fused"])
def test_a_sweep_is_sent_as_it_was_and_the_key_is_written_nowhere(tmp_path, launcher):
    (tmp_path / "home").mkdir()
    with WandbServer() as server:
        said = paribus(*SWEEP, *SMALL, f"hydra/launcher={launcher}", server=server.url, folder=tmp_path)
        keys = [path.parent.name for path in (tmp_path / "runs" / "sent").glob("*/run.json")]
        assert sorted(server.runs) == sorted([*(f"sent-{key}" for key in keys), "sent-summary"])
        assert {run["exit_code"] for run in server.runs.values()} == {0}
        history = server.runs[f"sent-{keys[0]}"]["history"]
        curves = (tmp_path / "runs" / "sent" / keys[0] / "curves.csv").read_text().splitlines()
        steps = [int(line.split(",")[0]) for line in curves[1:]]
        assert sorted({row["trainer/global_step"] for row in history}) == steps
        said += paribus("publish", "runs/sent", server=server.url, folder=tmp_path)
        assert "nothing to publish: 4 runs and their summary are there (wandb online: paribus)" in said
        said += paribus("dashboard", "runs/sent", "--online", "--entity", "me", server=server.url, folder=tmp_path)
        said += paribus("dashboard", "runs/sent", "--online", "--entity", "me", server=server.url, folder=tmp_path)
        (view,) = server.views.values()
        assert view["id"] is not None  # the second time it was updated
        assert not [sent for sent in server.received if KEY.encode() in sent]
    assert KEY not in said
    assert not files_with(KEY, tmp_path)
    allowed = {"home/.config/matplotlib", "home/.cache/matplotlib"}
    kept = {str(path.parent.relative_to(tmp_path)) for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert kept <= allowed


def test_without_a_network_all_is_kept_and_can_be_sent_later(tmp_path):
    (tmp_path / "home").mkdir()
    said = paribus(*SWEEP, *SMALL, "hydra/launcher=basic", server="http://127.0.0.1:9", folder=tmp_path)
    assert "W&B's server http://127.0.0.1:9 cannot be reached" in said
    command = "wandb sync runs/sent/wandb/offline-run-*"
    assert command in said
    said = paribus("publish", "runs/sent", "--online", server="http://127.0.0.1:9", folder=tmp_path, expect=1)
    assert command in said
    with WandbServer() as server:
        own = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": server.url, "HOME": str(tmp_path / "home")}
        tool = f"{sys.executable} -m {command}"
        subprocess.run(
            tool, shell=True, cwd=tmp_path, env=os.environ | own, check=True, timeout=300, capture_output=True
        )
        assert len(server.runs) == 5
        assert {run["exit_code"] for run in server.runs.values()} == {0}


@pytest.mark.parametrize("offline", [True, False])
def test_a_run_that_goes_on_from_its_checkpoint_goes_on_in_wandb(tmp_path, offline):
    """Killed half-way, its log cut off: W&B has each step once, whichever leg took it, and whatever was sent of it."""
    (tmp_path / "home").mkdir()
    words = ["run", "name=long", "logger=wandb", "trainer.max_steps=12000", "trainer.validate_every=200"]
    words += ["trainer.resume_seconds=0.1", f"logger.wandb.offline={offline}"]
    with WandbServer() as server:
        own = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": server.url, "HOME": str(tmp_path / "home")}
        environment = os.environ | own | {"OMP_NUM_THREADS": "1"}
        leg = subprocess.Popen([sys.executable, "-m", "paribus", *words], cwd=tmp_path, env=environment)
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("runs/long/*/resume.ckpt")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        leg.send_signal(signal.SIGKILL)
        leg.wait()
        said = paribus(*words, server=server.url, folder=tmp_path)
        assert "goes on from step" in said
        (key,) = [path.parent.name for path in tmp_path.glob("runs/long/*/run.json")]
        assert PUBLISHED_FILE in {path.name for path in (tmp_path / "runs" / "long" / key).iterdir()}
        if offline:
            assert not server.runs
            tool = f"{sys.executable} -m wandb sync runs/long/wandb/offline-run-*"
            subprocess.run(
                tool, shell=True, cwd=tmp_path, env=environment, check=True, timeout=300, capture_output=True
            )
        (run,) = server.runs.values()
        assert run["exit_code"] == 0
        steps = [row["trainer/global_step"] for row in run["history"] if "val/loss" in row]
        assert steps == list(range(200, 12001, 200))
