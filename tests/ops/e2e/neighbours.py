"""The services around a daemon, on real sockets: each can be told to fail, to hang, or to go away."""

import json
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PICTURE = b"\x89PNG\r\n\x1a\nof two clubs"
WELL = (200, "application/json", b"{}")
with open(os.path.join(os.path.dirname(__file__), "..", "..", "it", "support", "canaries.json"), encoding="utf-8") as f:
    # What tests/privacy.py searches for in all that daemons say.
    PERSONAL = json.load(f)["personal"]


def keep(kind, name, said):
    """Keeps what a daemon said of itself in the folder that MLP_KEEP_OUTPUT names, if it names one."""
    folder = os.environ.get("MLP_KEEP_OUTPUT")
    if folder:
        with open(os.path.join(folder, f"{kind}-{name}.txt"), "ab") as kept:
            kept.write(said + b"\n")


class Neighbour:
    """A server of its own port, which it keeps when it goes away and comes back."""

    def __init__(self, port=0):
        self.port = port
        self.mood = "well"
        self.server = None
        self.lock = threading.Lock()
        self.come()

    def come(self):
        """Listens, as at the start."""
        neighbour = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 120

            def handle_one(self):
                length = int(self.headers.get("Content-Length") or 0)
                neighbour.serve(self, self.rfile.read(length))

            do_GET = do_POST = handle_one

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass  # Whoever asked went away, as some faults want it.

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def go(self):
        """Nobody listens any more."""
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def serve(self, request, body):
        """Answers one request."""
        send(request, *self.answer(request, body))

    def answer(self, request, body):
        """Status, content type and body."""
        raise NotImplementedError

    def hang_while(self, mood):
        """Waits until the mood is another one."""
        while self.mood == mood:
            time.sleep(0.05)


def send(request, status, kind, body):
    """One whole answer."""
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


class Lists(Neighbour):
    """The list's service. Moods: well, trickles (bytes come, the list does not), refuses (the list, not
    probes), or a status for everything."""

    def __init__(self, matches):
        self.matches = matches
        self.slowness = 0.0
        super().__init__()

    def serve(self, request, body):
        if request.path != "/matches" or self.mood != "trickles":
            return super().serve(request, body)
        request.send_response(200)
        request.end_headers()
        while self.mood == "trickles":
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.5)
        request.wfile.write(json.dumps(self.matches).encode())

    def answer(self, request, body):
        if self.mood.isdigit():
            return (int(self.mood), "application/json", b"{}")
        if request.path != "/matches":
            return WELL
        if self.mood == "refuses":
            return (503, "application/json", b"{}")
        time.sleep(self.slowness)
        return (200, "application/json", json.dumps(self.matches).encode())


class Drive(Neighbour):
    """The Drive service. Moods: well, hangs, flaky (two of three uploads fail), or a status."""

    def __init__(self):
        self.uploads = 0
        super().__init__()

    def answer(self, request, body):
        if request.path != "/upload_file":
            # It says that it is well whatever becomes of uploads, as the real one does.
            return WELL
        with self.lock:
            self.uploads += 1
            number = self.uploads
        self.hang_while("hangs")
        if self.mood.isdigit():
            return (int(self.mood), "application/json", b"{}")
        if self.mood == "flaky" and number % 3:
            return (503, "application/json", b"{}")
        told = {"status": "success", "file_url": f"https://drive.example/{number}"}
        return (200, "application/json", json.dumps(told).encode())


class Avatars(Neighbour):
    """The avatar service. Moods: well, or a status."""

    def answer(self, request, body):
        if self.mood.isdigit():
            return (int(self.mood), "application/json", b"{}")
        return (200, "image/png", PICTURE) if request.command == "POST" else WELL


class Collector(Neighbour):
    """A receiver of traces over OTLP/HTTP. Moods: well, or a status."""

    def answer(self, request, body):
        keep("spans", "e2e", body)
        status = int(self.mood) if self.mood.isdigit() else 200
        return (status, "application/x-protobuf", b"")


class Foreign(Neighbour):
    """Something else that answers a scrape."""

    def answer(self, request, body):
        return (200, "text/plain; version=0.0.4", b"# TYPE something_else gauge\nsomething_else 1\n")


class Receiver(Neighbour):
    """Where Alertmanager sends to; notes each alert with the receiver's name and the time."""

    def __init__(self):
        self.heard, self.unclear = [], set()
        self.news = threading.Condition()
        super().__init__()

    def answer(self, request, body):
        told, now = json.loads(body), time.time()
        with self.news:
            for alert in told["alerts"]:
                self.heard.append((now, request.path.strip("/"), alert["status"], alert["labels"]))
                # A template that fails is sent as its own error.
                self.unclear |= {text for text in alert["annotations"].values() if "<error" in text or "{{" in text}
            self.news.notify_all()
        return WELL

    def of(self, alert, instance=None):
        """(time, receiver, status, labels) of everything heard of an alert, oldest first."""
        with self.news:
            return [h for h in self.heard if h[3]["alertname"] == alert and h[3].get("instance") == instance]


def free_ports(count):
    """Ports that nobody listens on; held open together so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def a_match(number, **fields):
    """An invented match with two referees on a day far ahead."""
    return {
        "matchid": number, "matchnr": f"{number:09}",
        "lag1lagid": 1, "lag1foreningid": 11, "lag1namn": "Hemma IF",
        "lag2lagid": 2, "lag2foreningid": 12, "lag2namn": "Borta BK",
        "anlaggningid": 3, "anlaggningnamn": "Vallen",
        "speldatum": "2035-05-05", "avsparkstid": "19:00", "tavlingid": 4, "tavlingnamn": "Div 9",
        "installd": False, "uppskjuten": False, "avbruten": False,
        "domaruppdraglista": [
            {"domareid": 101, "domarrollid": 1, "domarrollnamn": "Huvuddomare",
             **{field: PERSONAL[field] for field in ("personnamn", "mobiltelefon", "epostadress", "adress")}},
            {"domareid": 102, "domarrollid": 2, "domarrollnamn": "Assisterande 1", "personnamn": "Bo B"},
        ],
        **fields,
    }
