// Keys and small comforts. Every page works without this script.
"use strict";
(() => {
  const search = document.getElementById("q");
  const rows = [...document.querySelectorAll("[data-row]")];
  let at = -1;

  function move(step) {
    if (rows.length === 0) return;
    rows[at]?.classList.remove("current");
    at = Math.min(Math.max(at + step, 0), rows.length - 1);
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

  // Live parts are loaded anew every ten seconds, unless the pause is pressed.
  const live = document.querySelector("[data-live]");
  if (live) {
    let isPaused = false;
    const pause = document.createElement("button");
    pause.type = "button";
    pause.textContent = "Pause";
    pause.setAttribute("aria-pressed", "false");
    pause.addEventListener("click", () => {
      isPaused = !isPaused;
      pause.textContent = isPaused ? "Go on" : "Pause";
      pause.setAttribute("aria-pressed", String(isPaused));
    });
    live.before(pause);
    setInterval(async () => {
      if (isPaused || document.hidden) return;
      try {
        const answer = await fetch(location.href);
        if (!answer.ok) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const next = page.querySelector("[data-live]");
        if (next && next.innerHTML !== live.innerHTML) live.replaceChildren(...next.childNodes);
      } catch {
        // The server is away for a moment; the next turn asks again.
      }
    }, 10000);
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
