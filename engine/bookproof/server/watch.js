// What a page does while the book is watched: it loads itself again where its reader was, when a
// build has changed something that it shows, and says what the build complained of. watched.py adds
// this script to the pages that it serves.

const data = JSON.parse(document.getElementById("book-watch-data").textContent);
const { words } = data;
const KEPT = "book-watch";
// Elements that stay themselves when the text around them changes.
const LANDMARKS = "section[id], dt[id], figure[id]";

let { files } = data; // Digests of what the book held when this page was sent.

// ---- The place of the reader ----

function keepPlace() {
  const above = [...document.querySelectorAll(LANDMARKS)].filter((e) => e.getBoundingClientRect().top <= 0);
  const mark = above.at(-1);
  const place = { path: location.pathname, y: scrollY, id: mark?.id, top: mark?.getBoundingClientRect().top };
  sessionStorage.setItem(KEPT, JSON.stringify(place));
}

function takePlace() {
  const place = JSON.parse(sessionStorage.getItem(KEPT));
  sessionStorage.removeItem(KEPT);
  if (place?.path !== location.pathname) return;
  const go = () => {
    const mark = place.id && document.getElementById(place.id);
    const top = mark ? scrollY + mark.getBoundingClientRect().top - place.top : place.y;
    scrollTo({ top, behavior: "instant" });
  };
  history.scrollRestoration = "manual"; // Not every browser knows more than the height.
  go();
  addEventListener("load", go);
  addEventListener("pagehide", () => {
    history.scrollRestoration = "auto"; // For whoever comes back to it.
  });
}

// ---- What the page shows ----

function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // A stray percent sign.
  }
}

function path(url) {
  const name = decoded(new URL(url, location.href).pathname).slice(1);
  return name === "" || name.endsWith("/") ? `${name}index.html` : name;
}

function swap(link) {
  const next = link.cloneNode();
  const url = new URL(link.href);
  url.searchParams.set("digest", files[path(link.href)]);
  next.href = url;
  next.addEventListener("load", () => link.remove());
  link.after(next);
}

function follow({ files: now, messages }) {
  const names = new Set(Object.keys({ ...files, ...now }).filter((name) => files[name] !== now[name]));
  files = now;
  const styles = [...document.querySelectorAll("link[rel=stylesheet]")];
  const others = performance.getEntriesByType("resource").filter(
    ({ name }) => new URL(name).origin === location.origin && !styles.some((link) => path(link.href) === path(name)),
  );
  if ([location.href, ...others.map(({ name }) => name)].some((url) => names.has(path(url)))) {
    keepPlace();
    location.reload();
    return;
  }
  styles.filter((link) => names.has(path(link.href))).forEach(swap);
  report(messages);
}

// ---- What is wrong ----

const STYLE = `
:host { display: block; position: sticky; bottom: 0; z-index: 100000; }
:host(.aside) { position: static; }
section {
  background: #1b1d22; border-top: 4px solid #ff7b72; color: #f2f2f2; box-sizing: border-box;
  font: 15px/1.6 system-ui, sans-serif; max-height: 50vh; overflow: auto; padding: 0.6em 1em;
  overflow-wrap: anywhere;
}
p { font-weight: 700; margin: 0; }
summary { cursor: pointer; padding: 0.3em 0; }
:focus-visible { outline: 2px solid #8fc4f5; outline-offset: 1px; }
ol { margin: 0; padding: 0 0 0 1.6em; }
code { color: #8fc4f5; }
pre { font: 13px/1.5 ui-monospace, monospace; margin: 0.2em 0 0.9em; overflow-x: auto; padding: 0 0 0.3em; }
del { color: #ffa198; text-decoration: none; }
ins { color: #7ee787; text-decoration: none; }
@media print { :host { display: none; } }
`;
let shadow = null;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
}

function panel() {
  const host = element("div", { id: "book-watch" });
  const root = host.attachShadow({ mode: "open" });
  const style = new CSSStyleSheet(); // A policy may forbid styles that are written in the page.
  style.replaceSync(STYLE);
  root.adoptedStyleSheets = [style];
  root.append(
    element("section", { "aria-label": words.report, tabindex: "0" },
      element("p", { role: "alert" }),
      element("details", { open: "" }, element("summary", {}, words.problems), element("ol", {}))),
  );
  document.body.append(host);
  return root;
}

// A line of a difference keeps its sign: colour alone would not tell.
function line(text) {
  const sign = /^ {4}([-+])/.exec(text)?.[1];
  return sign ? element(sign === "-" ? "del" : "ins", {}, `${text}\n`) : `${text}\n`;
}

function item({ place, level, text }) {
  const head = place ? [element("code", {}, place), ` ${level}`] : [level];
  const scrolls = { tabindex: "0", role: "group", "aria-label": place || level };
  return element("li", {}, ...head, element("pre", scrolls, ...text.split("\n").map(line)));
}

function report(messages) {
  if (messages.length === 0) {
    shadow?.host.remove();
    shadow = null;
    return;
  }
  shadow ??= panel();
  shadow.querySelector("p").textContent = words.found.replace("{n}", messages.length);
  shadow.querySelector("ol").replaceChildren(...messages.map(item));
}

// Where the report would hide what the keyboard has come to, it steps aside: to the page's end. Where
// that is, is known once the browser has scrolled there.
function stepAside({ target }) {
  requestAnimationFrame(() => {
    if (!shadow) return;
    shadow.host.classList.remove("aside");
    const hides = target.getBoundingClientRect().bottom > shadow.host.getBoundingClientRect().top;
    shadow.host.classList.toggle("aside", hides && target !== shadow.host && target.matches(":focus-visible"));
  });
}

// ---- The news ----

// Only while it is seen: a browser opens six connections to a host, and there may be more tabs.
let events = null;

function listen() {
  events?.close();
  events = null;
  if (document.hidden) return;
  events = new EventSource("/.book/events");
  events.onmessage = ({ data }) => follow(JSON.parse(data));
  events.onerror = () => {
    events.close(); // Not every browser comes back by itself.
    setTimeout(listen, 1000);
  };
}

takePlace();
document.addEventListener("focusin", stepAside);
document.addEventListener("visibilitychange", listen);
addEventListener("pagehide", () => events?.close());
addEventListener("pageshow", ({ persisted }) => persisted && listen());
listen();
