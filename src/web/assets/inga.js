// Keys and small comforts. Every page works without this script.
"use strict";
(() => {
  const search = document.getElementById("q");

  function move(step) {
    // Rows are looked up each time: live parts replace theirs.
    const rows = [...document.querySelectorAll("[data-row]")];
    if (rows.length === 0) return;
    const current = rows.findIndex((row) => row.classList.contains("current"));
    rows[current]?.classList.remove("current");
    const at = Math.min(Math.max(current + step, 0), rows.length - 1);
    rows[at].classList.add("current");
    rows[at].scrollIntoView({ block: "nearest" });
    rows[at].querySelector("a")?.focus({ preventScroll: true });
  }

  function isTyping(element) {
    return element instanceof HTMLElement && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));
  }

  const actions = {
    "/": () => { search?.focus(); search?.select(); },
    j: () => move(1),
    k: () => move(-1),
    n: () => document.querySelector("[data-note]")?.focus(),
    e: () => document.querySelector("[data-export]")?.click(),
    "?": () => document.getElementById("keys")?.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && isTyping(document.activeElement)) {
      document.activeElement.blur();
      return;
    }
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const action = actions[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  // The live part of a page is replaced when the server sends a new one: by events, or, if there are too many browsers
  // for these, by asking every ten seconds. It waits while the pause is pressed or the keyboard is in it.
  const live = document.querySelector("[data-live]");
  if (live) {
    const status = document.querySelector("[data-live-status]");
    let isPaused = false;
    let next = null;
    let last = null;
    const show = () => {
      if (next === null || isPaused || live.contains(document.activeElement)) return;
      if (next !== last) {
        const part = new DOMParser().parseFromString(next, "text/html").body;
        if (last !== null) status.textContent = part.querySelector(".finding")?.textContent ?? "";
        live.replaceChildren(...part.childNodes);
      }
      last = next;
      next = null;
    };
    const take = (part) => { next = part; show(); };
    const pause = document.createElement("button");
    pause.type = "button";
    pause.textContent = "Pause";
    pause.setAttribute("aria-pressed", "false");
    pause.addEventListener("click", () => {
      isPaused = !isPaused;
      pause.setAttribute("aria-pressed", String(isPaused));
      show();
    });
    live.before(pause);
    live.addEventListener("focusout", () => setTimeout(show, 0));
    const ask = async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(location.href);
        if (!answer.ok) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const part = page.querySelector("[data-live]");
        if (part) take(part.innerHTML);
      } catch {
        // The server is away for a moment; the next turn asks again.
      }
    };
    const events = new EventSource(live.dataset.live);
    events.addEventListener("live", (event) => take(event.data));
    // A stream that is lost is opened again by the browser; one that is refused is not.
    events.addEventListener("error", () => {
      if (events.readyState === EventSource.CLOSED) setInterval(ask, 10000);
    });
  }

  // The menu closes when something else is clicked or Escape is pressed.
  const menu = document.querySelector("details.me");
  document.addEventListener("click", (event) => {
    if (menu?.open && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu?.open) menu.open = false;
  });
})();
