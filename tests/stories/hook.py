"""A webhook that writes down what it is told: hook.py LINE [PATH=CODE | FILE=CODE]...

LINE is what hook.log gets for each request, with {body[...]} for parts of what was sent, {path}
and {code}. It answers 200, or CODE to requests for PATH, or CODE until FILE exists. Its port is in
the file hook.port.
"""

import http.server
import json
import os
import sys

LINE = sys.argv[1]
BY_PATH = dict(word.split("=") for word in sys.argv[2:] if word.startswith("/"))
UNTIL = [word.split("=") for word in sys.argv[2:] if not word.startswith("/")]


def code_for(path):
    for file, code in UNTIL:
        if not os.path.exists(file):
            return int(code)
    return int(BY_PATH.get(path, 200))


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        code = code_for(self.path)
        with open("hook.log", "a", encoding="utf-8") as log:
            log.write(LINE.format(body=body, path=self.path, code=code) + "\n")
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):  # the answers are in hook.log
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
with open("hook.port.new", "w", encoding="utf-8") as to:
    to.write(f"{server.server_port}\n")
os.rename("hook.port.new", "hook.port")
server.serve_forever()
