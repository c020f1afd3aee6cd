"use strict";
// The search page, the keys that open it, and the marks on the pages it leads to. What is looked
// through is BOOK (searchtext.js, see docs/_ext/book/search), which only the search page loads.

// ---- What is found ----

// One writing for all: ＩＦ and if are IF, half-width kana are kana.
const fold = (text) => text.normalize("NFKC").toLowerCase();

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

// One or two letters or digits must stand alone: IF is not looked for in "different".
const pattern = (word) =>
  /^[a-z0-9]{1,2}$/.test(word) ? `(?<![a-z0-9])${word}(?![a-z0-9])` : escaped(word);

const matches = (text, word) => [...text.matchAll(new RegExp(pattern(word), "g"))];

// What is looked for comes from a link, too, which must not keep the browser busy: each name in a
// word doubles its spellings, and no reader types so many names, or so long a query.
const MOST_SPELLINGS = 16;
const LONGEST_QUERY = 200;

// A word and its other spellings: しきい値を超える is also 閾値を超える.
const spellings = (word) => {
  const all = new Set([word]);
  for (const [name, term] of Object.entries(BOOK.variants))
    for (const known of [...all])
      if (all.size < MOST_SPELLINGS) all.add(known.replaceAll(name, fold(term)));
  return [...all];
};

const wordsOf = (query) =>
  fold(query.slice(0, LONGEST_QUERY)).split(/\s+/).filter(Boolean).map(spellings);

// How well a passage fits each word. That it is named so counts most, then that its heading has it.
const rate = ([anchor, heading, text], words) => {
  const [name, body] = [fold(heading), fold(text)];
  const scores = words.map((word) =>
    word.reduce((sum, spelling) => {
      const hits = matches(body, spelling).length + 10 * matches(name, spelling).length;
      return sum + hits + (name === spelling ? 100 : 0);
    }, 0),
  );
  return { anchor, heading, text, scores };
};

// The pages that have every word, the best first; each with the passage to show of it.
const find = (query) => {
  const words = wordsOf(query);
  const results = [];
  for (const [page, passages] of words.length ? BOOK.pages : []) {
    const rated = passages.map((passage) => rate(passage, words));
    if (!words.every((_, i) => rated.some(({ scores }) => scores[i]))) continue;
    // One with more of the words fits better than one with more of one word.
    const fit = ({ scores }) =>
      scores.reduce((sum, score) => sum + score + (score ? 1000 : 0), 0);
    const best = rated.reduce((one, other) => (fit(other) > fit(one) ? other : one));
    const score = fit(best) + rated.filter(fit).length;
    results.push({ page, title: passages[0][1], score, ...best });
  }
  return results.sort((one, other) => other.score - one.score);
};

// ---- Where it stands in a text ----

// The text in one writing, and for each of its characters the place in the text as shown. Spaces
// are one space. A voiced mark belongs to the kana before it, with which it may become one.
const mapped = (text) => {
  let plain = "";
  const places = [];
  for (const { 0: part, index } of text.matchAll(/\s+|.[\u3099\u309a\uff9e\uff9f]*/gsu)) {
    const written = fold(part).replace(/\s+/, " ");
    plain += written;
    for (let i = 0; i < written.length; i++) places.push(index);
  }
  return { plain, places: [...places, text.length] };
};

// The stretches [from, to] of a text as shown where one of the words stands, in order.
const stretches = (text, words) => {
  const { plain, places } = mapped(text);
  const any = new RegExp(words.map(pattern).join("|"), "g");
  return [...plain.matchAll(any)].map(({ 0: hit, index }) => [
    places[index],
    places[index + hit.length],
  ]);
};

// ---- The search page ----

const BEFORE = 40;
const LENGTH = 140;

const element = (name, className, ...children) => {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
};

// The pieces of a text, those that were looked for as <mark>.
const marked = (text, words) => {
  let end = 0;
  const pieces = stretches(text, words).flatMap(([from, to]) => {
    const before = text.slice(end, from);
    end = to;
    return [before, element("mark", "", text.slice(from, to))];
  });
  return [...pieces, text.slice(end)];
};

// Some lines around the first hit: from the beginning, or that of its sentence, if that is near.
const excerpt = (text, words) => {
  const hit = stretches(text, words)[0]?.[0] ?? 0;
  const sentence = text.lastIndexOf("。", hit) + 1;
  const from = hit > BEFORE ? Math.max(sentence, hit - BEFORE) : 0;
  const to = from + LENGTH;
  const cut = text.slice(from, to).trim();
  return [from ? "…" : "", ...marked(cut, words), to < text.length ? "…" : ""];
};

const item = ({ page, title, anchor, heading, text }, words) => {
  const link = element("a", "", ...marked(anchor ? `${title} › ${heading}` : title, words));
  const marks = new URLSearchParams(words.map((word) => ["mark", word]));
  link.href = `${page}.html?${marks}${anchor && `#${encodeURIComponent(anchor)}`}`;
  return element("li", "", link, element("p", "context", ...excerpt(text, words)));
};

// The names in a query for which the book has another; none that is a part of a longer one.
const renamed = (query) => {
  const named = Object.entries(BOOK.variants).filter(([name]) => fold(query).includes(name));
  const isPart = (name) => named.some(([longer]) => longer !== name && longer.includes(name));
  return named.filter(([name]) => !isPart(name));
};

const summary = (query, results) => {
  if (!query.trim()) return "空白で区切ると、すべてを含むページを探します。↑と↓で結果を選べます。";
  const said = results.length
    ? `${results.length}件見つかりました。`
    : "見つかりませんでした。短い言葉に変えて試してください。";
  const also = renamed(query).map(([name, term]) => `「${name}」は「${term}」でも探しました。`);
  return [said, ...also].join("");
};

const show = (query) => {
  const results = find(query);
  const words = wordsOf(query).flat();
  document.querySelector(".search-summary").textContent = summary(query, results);
  const items = results.map((result) => item(result, words));
  document.querySelector("ul.search").replaceChildren(...items);
};

const startSearchPage = (output) => {
  const input = document.querySelector("main input[name=q]");
  const status = element("p", "search-summary");
  status.role = "status";
  status.id = "search-summary";
  output.append(status, element("ul", "search"));
  // What is there as the page comes is not announced; what describes the focus is.
  input.setAttribute("aria-describedby", status.id);
  input.focus(); // The theme means to, but finds the one of its closed dialog.
  input.maxLength = LONGEST_QUERY;
  input.value = (new URLSearchParams(location.search).get("q") ?? "").slice(0, LONGEST_QUERY);
  show(input.value);
  input.addEventListener("input", () => {
    show(input.value);
    // So that coming back from a page finds the results again.
    history.replaceState(null, "", `?${new URLSearchParams({ q: input.value })}`);
  });
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const stops = [input, ...output.querySelectorAll("ul.search a")];
    const at = stops.indexOf(document.activeElement);
    // While Japanese is being converted, the arrows choose among its words.
    if (!step || at < 0 || event.isComposing) return;
    event.preventDefault();
    stops[at + step]?.focus();
  });
};

// ---- On the pages ----

// Text that nobody reads there, or reads twice.
const UNREAD = ".headerlink, .katex-html, annotation, .math-scroll, svg, button, script, style";

const textNodes = (root) => {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest(UNREAD)) found.push(walker.currentNode);
  return found;
};

// The places of words in a page, across the borders of its elements.
const ranges = (root, words) => {
  const nodes = textNodes(root);
  const text = nodes.map((node) => node.data).join("");
  let [at, passed] = [0, 0];
  // Only forwards: stretches come in order.
  const locate = (place) => {
    while (place > passed + nodes[at].length) passed += nodes[at++].length;
    return [nodes[at], place - passed];
  };
  return stretches(text, words).map(([from, to]) => {
    const range = new Range();
    range.setStart(...locate(from));
    range.setEnd(...locate(to));
    return range;
  });
};

// Bring the first one that comes after the anchor into view, out of a folded cell if need be.
const goTo = (found) => {
  const anchor = document.querySelector(":target");
  const follows = ({ startContainer }) =>
    anchor.compareDocumentPosition(startContainer) & Node.DOCUMENT_POSITION_FOLLOWING;
  const range = (anchor && found.find(follows)) ?? found[0];
  const parent = range?.startContainer.parentElement;
  for (let box = parent?.closest("details"); box; box = box.parentElement.closest("details"))
    box.open = true;
  parent?.scrollIntoView({ block: "center" });
};

// A highlight changes no element: what is copied, and what the theme's scripts see, is the page.
const startMarks = (article, words) => {
  const found = ranges(article, words);
  if ("highlights" in CSS) {
    CSS.highlights.set("search", new Highlight(...found));
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") CSS.highlights.delete("search");
    });
  }
  // Later than the browser itself goes to the anchor.
  window.addEventListener("load", () => goTo(found));
};

// The theme opens its search with Ctrl-K; "/" does the same, as on many sites.
const openBySlash = (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault(); // The key is not typed into the field.
  document.querySelector(".search-button__button").click();
};

document.addEventListener("DOMContentLoaded", () => {
  document.addEventListener("keydown", openBySlash);
  const output = document.getElementById("search-results");
  if (output) startSearchPage(output);
  const article = document.querySelector("article");
  const words = new URLSearchParams(location.search).getAll("mark").filter(Boolean);
  if (article && words.length) startMarks(article, words);
});
