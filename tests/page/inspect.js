// Looks for what would shut people out: controls and pictures without a name, headings out of order, missing landmarks,
// text that is too pale. Returns a list of faults. The rules are those of WCAG 2.2, level AA, that a program can check.
(() => {
  const faults = [];
  const fault = (what, element) => faults.push(`${what}: ${element.outerHTML.slice(0, 160)}`);
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest("[aria-hidden=true]");
  const all = (selector) => [...document.querySelectorAll(selector)].filter(isShown);
  const text = (element) => (element?.textContent ?? "").trim();

  function name(element) {
    const by = element.getAttribute("aria-labelledby");
    if (by) return by.split(/\s+/).map((id) => text(document.getElementById(id))).join(" ").trim();
    const label = element.getAttribute("aria-label") ?? "";
    const labels = [...(element.labels ?? [])].map(text).join(" ");
    const title = element.getAttribute("title") ?? text(element.querySelector(":scope > title"));
    return (label || labels || (element.matches("input, textarea, select") ? "" : text(element)) || title).trim();
  }

  // Names.
  for (const element of all("a[href], button, input:not([type=hidden]), select, textarea, summary, nav, dialog, [role=img]")) {
    if (!name(element)) fault("no name", element);
  }
  for (const element of all("svg")) {
    if (!element.closest("[role=img], a, button") && element.getAttribute("role") !== "img") fault("a picture without a role", element);
  }
  for (const element of all("table")) {
    if (!element.caption && !name(element)) fault("a table without a caption", element);
    if (!element.querySelector("th[scope]")) fault("a table without headings", element);
  }
  for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
    const ids = `${element.getAttribute("aria-labelledby") ?? ""} ${element.getAttribute("aria-describedby") ?? ""}`;
    for (const id of ids.trim().split(/\s+/)) if (!document.getElementById(id)) fault(`no element ${id}`, element);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) faults.push(`the id ${id} is there twice`);

  // Landmarks, language and headings.
  if (!document.documentElement.lang) faults.push("the page has no language");
  if (!document.title) faults.push("the page has no title");
  for (const [selector, most] of [["main", 1], ["header", 1], ["footer", 1], ["[role=search]", 1], ["h1", 1]]) {
    const found = all(selector).length;
    if (found !== most) faults.push(`${found} of ${selector}`);
  }
  const navigations = all("nav").map(name);
  if (new Set(navigations).size !== navigations.length) faults.push(`navigations of one name: ${navigations}`);
  let level = 0;
  for (const element of all("h1, h2, h3, h4, h5, h6")) {
    const next = Number(element.tagName[1]);
    if (next > level + 1) fault(`a heading of level ${next} after ${level}`, element);
    if (!text(element)) fault("an empty heading", element);
    level = next;
  }
  for (const element of document.querySelectorAll("[tabindex]")) {
    if (element.tabIndex > 0) fault("an order of its own", element);
  }

  // Contrast: each color that text has, on the nearest ground below it.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  function pixel(color) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  }
  function luminance([red, green, blue]) {
    const part = (value) => { const share = value / 255; return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  }
  function ground(element) {
    for (let at = element; at; at = at.parentElement) {
      const color = pixel(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  }
  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!text(walker.currentNode) || !isShown(element) || element.closest("script, style, title, .away")) continue;
    const style = getComputedStyle(element);
    const color = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const below = ground(element);
    const key = `${color} ${below}`;
    if (seen.has(key) || color === "none") continue;
    seen.add(key);
    const [light, dark] = [luminance(pixel(color)), luminance(below)].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) fault(`contrast ${contrast.toFixed(2)} of ${color} on ${below}`, element);
  }
  return faults;
})()
