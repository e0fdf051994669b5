"""Walks through the operator's page in a browser: overview, incident, note, close, search, host; then by the keyboard alone;
then looks at every page narrow, wide, light and dark, and for what would shut people out (inspect.js). Usage: walk.py URL [FOLDER FOR PICTURES]. The history has at least one incident."""

import pathlib
import sys

from browser import Browser

INSPECT = (pathlib.Path(__file__).parent / "inspect.js").read_text()
NOTE = "<script>alert(1)</script> handed on to <b>night</b>"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def by_keyboard_alone(browser, base):
    """Reaches everything on the page of an incident by Tab, sees where it is, and works with it."""
    browser.open(base + "/incidents/1")
    browser.press("Tab")
    check(browser.run("document.activeElement.className") == "skip", "the first stop skips to the content")
    shown = "document.activeElement.getBoundingClientRect()"
    check(browser.run(f"{shown}.left >= 0 && {shown}.top >= 0 && {shown}.width > 0"), "the skip link is shown when it has the focus")
    browser.press("Enter")
    check(browser.run("document.activeElement.id") == "main", "it leads to the content")
    # From the beginning of the page through all stops.
    browser.open(base + "/incidents/1")
    stops = """[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
        .filter((element) => element.checkVisibility({visibilityProperty: true}) && !element.closest('dialog'))"""
    expected = browser.run(f"{stops}.length")
    reached = 0
    for _ in range(expected + 20):
        browser.press("Tab")
        if browser.run("document.activeElement === document.body || document.activeElement.hasAttribute('data-reached')"):
            break
        if browser.run("document.activeElement.matches('a[href], button, input, select, textarea, summary')"):
            reached += 1
        browser.run("document.activeElement.setAttribute('data-reached', '')")
        outline = browser.run("getComputedStyle(document.activeElement).outlineStyle")
        check(outline != "none", "where the focus is can be seen: " + browser.run("document.activeElement.outerHTML.slice(0, 120)"))
    check(reached == expected, f"{reached} of {expected} stops are reached by Tab")
    # Take it by the keyboard.
    browser.run("[...document.querySelectorAll('button')].find((button) => button.textContent === 'Take it').focus()")
    browser.run("window.isOld = true")
    browser.press("Enter")
    browser.wait("!window.isOld && document.readyState === 'complete' && document.querySelector('.facts').textContent.includes('Owner')", "it is taken")
    # The menu opens, is walked through and closes.
    browser.run("document.querySelector('.me summary').focus()")
    browser.press("Enter")
    check(browser.run("document.querySelector('.me').open"), "Enter opens the menu")
    browser.press("Escape")
    check(not browser.run("document.querySelector('.me').open"), "Escape closes the menu")


def main():
    base, pictures = sys.argv[1].rstrip("/"), sys.argv[2] if len(sys.argv) > 2 else None
    browser = Browser()
    try:
        browser.look(1280)
        browser.open(base + "/")
        check(browser.run("document.querySelectorAll('.dots li').length") > 0, "a dot per sensor")

        # From the overview to the incident, by the keyboard alone.
        browser.run("document.querySelector('#incidents [data-row] a').focus()")
        browser.run("window.isOld = true")
        browser.press("Enter")
        browser.wait("!window.isOld && location.pathname.startsWith('/incidents/')", "the incident")
        browser.wait("document.readyState === 'complete'", "the incident")

        # A note, with the key n. What it contains is shown and never run.
        browser.press("n", "n")
        check(browser.run("document.activeElement.id") == "note", "n leads to the note")
        browser.call("Input.insertText", text=NOTE)
        browser.follow("document.querySelector('button[value=note]').click()", "/incidents/")
        check(browser.run("document.querySelector('.log .note').textContent") == NOTE, "the note is in the history")

        # Close, and take up again.
        browser.follow("document.querySelector('input[name=do][value=closed]').form.requestSubmit()", "/incidents/")
        check(browser.run("document.querySelector('.finding .state').textContent") == "closed", "it is closed")
        browser.follow("document.querySelector('input[name=do][value=seen]').form.requestSubmit()", "/incidents/")
        check(browser.run("document.querySelector('.finding .state').textContent") == "seen", "it is taken up again")

        # Search one of its hosts, with the key /.
        host = browser.run("document.querySelector('#hosts [data-row] a').textContent")
        browser.press("/", "/")
        check(browser.run("document.activeElement.id") == "q", "/ leads to the search")
        browser.call("Input.insertText", text=host)
        browser.run("window.isOld = true")
        browser.press("Enter")
        browser.wait(f"!window.isOld && location.pathname === '/hosts/{host}'", "the page of the host")
        browser.wait("document.readyState === 'complete'", "the host")
        check(browser.run("document.querySelectorAll('#types [data-row]').length") > 0, "what the host did")
        type_page = browser.run("document.querySelector('#types [data-row] a').getAttribute('href')")

        # Rows by j, the keys by ?.
        browser.press("j", "j")
        check(browser.run("document.querySelectorAll('tr.current').length") == 1, "j marks a row")
        browser.press("?", "?")
        check(browser.run("document.getElementById('keys').open"), "? shows the keys")

        by_keyboard_alone(browser, base)

        # The live page gets events, and keeps still while the keyboard is in it.
        browser.open(base + "/live")
        browser.wait("document.querySelectorAll('[data-live] .tiles article').length > 0", "tiles")
        check(browser.run("document.querySelector('[data-live]').previousElementSibling.textContent") == "Pause", "it can be paused")

        # The theme is kept.
        browser.open(base + "/theme?set=dark&back=/")
        check(browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 28)", "dark by choice")
        browser.open(base + "/theme?set=system&back=/")

        sensor = browser.run("document.querySelector('.dots a').getAttribute('href')")
        family = browser.run("document.querySelector('#samples [data-row] td:nth-child(2) a').getAttribute('href')")
        sample = browser.run("document.querySelector('#samples [data-row] a').getAttribute('href')")
        pages = {
            "overview": "/", "incidents": "/incidents?state=all", "incident": "/incidents/1", "host": f"/hosts/{host}", "port": "/ports/445/tcp",
            "type": type_page, "sensors": "/sensors", "sensor": sensor, "samples": "/samples", "sample": sample, "family": family,
            "live": "/live", "help": "/help", "search": "/search?q=nothing-like-this", "missing": "/no-such-page",
        }
        looks = [(360, 740, False), (1280, 900, False), (1280, 900, True), (2560, 1300, True)]
        for name, path in pages.items():
            for width, height, dark in looks:
                browser.look(width, height, dark)
                browser.open(base + path)
                wide = browser.run("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                check(wide <= 0, f"{path} is {wide} px too wide on {width} px")
                ground = browser.run("getComputedStyle(document.body).backgroundColor")
                check(ground == ("rgb(21, 24, 28)" if dark else "rgb(255, 255, 255)"), f"{path}: ground {ground}, dark {dark}")
                pale = browser.run(INSPECT)
                check(not pale, f"{path} on {width} px, dark {dark}: " + "\n".join(pale))
                if pictures:
                    browser.picture(f"{pictures}/{name}-{width}{'-dark' if dark else ''}.png")
        faults = [fault for fault in browser.faults if "404" not in fault]
        check(not faults, f"the browser complains: {faults}")
    finally:
        browser.close()
    print(f"walked through {len(pages)} pages in {len(looks)} looks")


main()
