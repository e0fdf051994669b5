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

  // The menu closes when something else is clicked or Escape is pressed.
  const menu = document.querySelector("details.me");
  document.addEventListener("click", (event) => {
    if (menu?.open && !menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu?.open) menu.open = false;
  });
})();
