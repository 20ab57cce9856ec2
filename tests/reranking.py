"""A server on this machine that reranks as vLLM, Jina and Cohere do, with faults on demand."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Callable
from typing import Any


def shared(query: str, document: str) -> float:
    """What the server scores: words in common, less a little for every other one."""
    one, other = ({*re.findall(r"\w+", text.lower())} for text in (query, document))
    return len(one & other) - 0.001 * len(other - one)


class Reranking:
    """A running server. asked: (query, documents) of each request that was answered.

    refused: how many requests it refuses first. answer: what becomes of a right answer.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.refused = 0
        self.answer: Callable[[list[dict[str, Any]]], Any] = lambda results: {"results": results}
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, said = outer._said(self.path, body)
                self.send_response(status)
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(said.encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.spec = f"http://127.0.0.1:{self._server.server_port}/v1#words"

    def _said(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        with self._lock:
            if self.refused:
                self.refused -= 1
                return 503, "busy"
            if path != "/v1/rerank" or body["model"] != "words":
                return 404, json.dumps({"error": {"message": f"no model {body['model']}"}})
            self.asked.append((body["query"], body["documents"]))
        results = [{"index": at, "relevance_score": shared(body["query"], text)} for at, text in enumerate(body["documents"])]
        results.sort(key=lambda one: -one["relevance_score"])  # the best first, as servers answer
        made = self.answer(results)
        return 200, made if isinstance(made, str) else json.dumps(made)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
