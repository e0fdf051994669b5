"""A small driver of Chromium by its DevTools protocol over pipes; needs nothing but Python."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time


class Browser:
    """A headless browser with one page."""

    def __init__(self, program="chromium"):
        self.folder = tempfile.mkdtemp(prefix="inga-page-")
        commands_read, self.commands = os.pipe()
        self.events, events_write = os.pipe()

        def renumber():
            # The protocol reads commands from descriptor 3 and writes answers to 4.
            read, write = os.dup(commands_read), os.dup(events_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
                f"--user-data-dir={self.folder}", "about:blank",
            ],
            preexec_fn=renumber, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(commands_read)
        os.close(events_write)
        self.number, self.rest, self.session = 0, b"", None
        self.faults = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def read(self):
        """Returns the next message."""
        while b"\0" not in self.rest:
            part = os.read(self.events, 1 << 16)
            if not part:
                raise RuntimeError("the browser ended")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(message)
        method, params = message.get("method"), message.get("params", {})
        if method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.faults.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))
        if method == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params["exceptionDetails"])[:500])
        if method == "Page.javascriptDialogOpening":
            self.faults.append("a dialog opened: " + params["message"])
        return message

    def call(self, method, **params):
        """Calls a method and returns its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def run(self, script):
        """Evaluates a script in the page and returns its value."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, script, what):
        """Waits until a script is true."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if self.run(script):
                    return
            except RuntimeError:
                pass  # The page is being replaced.
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within 30 s, at {self.run('location.href')}: {self.run('document.body.innerText')[:500]}")

    def open(self, address):
        """Opens an address and waits until it is loaded."""
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'", address)

    def follow(self, action, path):
        """Runs a script that leads to another page, and waits until its address has a part."""
        self.run("window.isOld = true")
        self.run(action)
        self.wait(f"!window.isOld && document.readyState === 'complete' && location.href.includes({json.dumps(path)})", path)

    def press(self, key, text=None):
        """Presses a key."""
        text = text if text is not None else (key if len(key) == 1 else "")
        code = {"Enter": 13, "Tab": 9, "Escape": 27}.get(key, 0)
        text = text or ("\r" if key == "Enter" else "")
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", key=key, code=key if code else "", text=text, windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def look(self, width, height=900, dark=False):
        """Sets the size of the page and the color scheme of the system."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path, whole=True):
        """Writes a picture of the page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def close(self):
        """Ends the browser."""
        try:
            self.process.terminate()
            self.process.wait(10)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
