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

// How often a text has a word, and whether it does.
const count = (text, word) =>
  text.includes(word) ? [...text.matchAll(new RegExp(pattern(word), "g"))].length : 0;
const holds = (text, word) => text.includes(word) && new RegExp(pattern(word)).test(text);

// What is looked for comes from a link, too, which must not keep the browser busy: each name in a
// word doubles its spellings, and no reader types so many names, or so long a query.
const MOST_SPELLINGS = 16;
const LONGEST_QUERY = 200;

// A name in a query: one in Latin letters stands alone there.
const naming = (name) =>
  new RegExp(/^[a-z0-9]/.test(name) ? `(?<![a-z0-9_])${escaped(name)}(?![a-z0-9_])` : escaped(name), "g");

// The names in a query for which the book has another; none that is a part of a longer one.
const renamed = (query) => {
  const text = fold(query);
  const named = Object.entries(BOOK.variants).filter(
    ([name]) => text.includes(name) && naming(name).test(text),
  );
  const isPart = (name) => named.some(([longer]) => longer !== name && longer.includes(name));
  return named.filter(([name]) => !isPart(name));
};

// A word and its other spellings: しきい値を超える is also 閾値を超える, メモリー is メモリ.
const spellings = (word) => {
  const all = new Set([word, word.replace(/(?<=[ァ-ヺ]{2})ー$/, "")]);
  for (const [name, term] of renamed(word))
    for (const known of [...all])
      if (all.size < MOST_SPELLINGS) all.add(known.replace(naming(name), () => fold(term)));
  return [...all];
};

// Asked for with a word, they say little by themselves: a page need not have them.
const FILLING = new Set(
  "種類 方法 違い 計算 使い方 書き方 選び方 作り方 仕組み 意味 例 とは how what why to the a of in is".split(" "),
);

const isNeeded = (word, _, words) =>
  !FILLING.has(word[0]) || words.every(([typed]) => FILLING.has(typed));

const spelled = (text) => [...new Set(text.split(/\s+/).filter(Boolean))].map(spellings);

// A query as its words, and once more with the names of several words as the book writes them.
const readings = (query) => {
  const text = fold(query.slice(0, LONGEST_QUERY));
  const several = renamed(text).filter(([name]) => name.includes(" "));
  const whole = several.reduce((t, [name, term]) => t.replace(naming(name), () => fold(term)), text);
  return [...new Set([text, whole])].map(spelled).filter(({ length }) => length);
};

const wordsOf = (query) => readings(query).flat();

// Without its spaces a Japanese sentence is one word. These are the words in it, without grammar, and
// the neighbours in a long one: 話者認識 is 話者, 者認, 認識.
const piecesOf = (query) => {
  const runs = fold(query.slice(0, LONGEST_QUERY)).match(/[a-z0-9_.]+|[一-鿿々]+|[ァ-ヺー]+/g) ?? [];
  const pairs = (run) => [...run].slice(1).map((last, i) => run[i] + last);
  const cut = runs.flatMap((run) => (/^[一-鿿々]{3}/.test(run) ? pairs(run) : [run]));
  return [...new Set(cut)].map(spellings).filter(isNeeded);
};

// The passages of a page in one writing, and what leads to it: made ready once.
const shelf = new Map();
const ready = (page, passages) => {
  if (!shelf.has(page)) {
    const { "": about = [], ...leads } = BOOK.leads[page] ?? {};
    const folded = passages.map(([anchor, heading, text]) => {
      const name = fold(heading);
      return { names: [name, name.split(": ")[0]], body: fold(text), leads: leads[anchor] ?? [] };
    });
    shelf.set(page, { about, folded });
  }
  return shelf.get(page);
};

// How well a text fits a word: the first of many hits say most, and those as it was typed; those in
// a long text, less.
const LONG = 2000;
const fits = (text, word) => {
  const hits = word.map((spelling, i) => Math.log2(1 + count(text, spelling)) / (i ? 2 : 1));
  return hits.reduce((sum, hit) => sum + hit) / (1 + text.length / LONG);
};

const has = (text, word) => word.some((spelling) => holds(text, spelling));

// How well what leads to a place fits: that it is just what was typed counts most.
const leading = (leads, words) => {
  const typed = words.length === 1 ? words[0] : [words.map(([word]) => word).join(" ")];
  const exact = leads.some((lead) => typed.includes(lead)) ? 100 : 0;
  return words.map((word) => (leads.some((lead) => has(lead, word)) ? 10 + exact : 0));
};

// How well a passage fits each word. That it is named so counts most, then that its heading has it.
const rate = ({ names, body, leads }, words) => {
  const led = leading(leads, words);
  return words.map((word, i) => {
    const named = word.some((spelling) => names.includes(spelling)) ? 100 : 0;
    return fits(body, word) + (has(names[0], word) ? 10 : 0) + named + led[i];
  });
};

// Of a page, how well it fits and the passage to show. One with more of the words fits better than
// one with more of one word.
const look = ([page, passages], words) => {
  const { about, folded } = ready(page, passages);
  const rated = folded.map((passage) => rate(passage, words));
  const led = leading(about, words);
  const needed = words.map(isNeeded);
  const fit = (scores) =>
    scores.reduce((sum, score, i) => sum + score + (score && needed[i] ? 1000 : 0), 0);
  const at = rated.reduce((best, scores, i) => (fit(scores) > fit(rated[best]) ? i : best), 0);
  const missing = words.filter(
    (_, i) => needed[i] && !led[i] && !rated.some((scores) => scores[i]),
  ).length;
  const many = Math.log2(1 + rated.filter(fit).length);
  const score = fit(rated[at].map((one, i) => one + led[i])) + many;
  const [anchor, heading, text] = passages[at];
  return { page, title: passages[0][1], anchor, heading, text, missing, score };
};

const sorted = (results) => results.sort((one, other) => other.score - one.score);

// The pages that have every word, the best first; each with the passage to show of it. A search goes
// from page to page: between two, whoever looks through it may rest.
function* literal(query) {
  const best = new Map();
  for (const words of readings(query))
    for (const book of BOOK.pages) {
      const result = look(book, words);
      if (!result.missing && !(best.get(result.page)?.score >= result.score))
        best.set(result.page, result);
      yield;
    }
  return sorted([...best.values()]);
}

// If those are few, there follow the pages that have at least half of the pieces.
const FEW = 3;
const MOST_NEAR = 5;
function* finding(query) {
  const results = yield* literal(query);
  const pieces = piecesOf(query);
  if (results.length >= FEW || !pieces.length) return results;
  const isNear = ({ page, missing }) =>
    missing <= pieces.length / 2 && !results.some((result) => result.page === page);
  const others = [];
  for (const book of BOOK.pages) {
    others.push(look(book, pieces));
    yield;
  }
  const near = sorted(others.filter(isNear)).slice(0, MOST_NEAR);
  return [...results, ...near.map((result) => ({ ...result, near: true }))];
}

// What comes of a search that does not rest.
const through = (steps) => {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
};

const find = (query) => through(finding(query));

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

const counted = (results) => {
  const near = results.filter((result) => result.near).length;
  const found = results.length - near;
  if (!results.length) return "見つかりませんでした。短い言葉に変えて試してください。";
  if (!found) return `すべてを含むページはありません。近いページを${near}件示します。`;
  return `${found}件見つかりました。${near ? `近いページを${near}件加えました。` : ""}`;
};

const summary = (query, results) => {
  if (!query.trim()) return "空白で区切ると、すべてを含むページを探します。↑と↓で結果を選べます。";
  const also = renamed(query).map(([name, term]) => `「${name}」は「${term}」でも探しました。`);
  return [counted(results), ...also].join("");
};

function* showing(query) {
  const results = yield* finding(query);
  const [words, pieces] = [wordsOf(query), piecesOf(query)].map((all) => [...new Set(all.flat())]);
  const items = [];
  for (const result of results) {
    items.push(item(result, result.near ? pieces : words));
    yield;
  }
  document.querySelector(".search-summary").textContent = summary(query, results);
  document.querySelector("ul.search").replaceChildren(...items);
}

// Keys come first: it waits for a pause in them, and rests often, for others to come.
const PAUSE = 150; // milliseconds
const SLICE = 8;
const rest = () => new Promise((go) => setTimeout(go));
let asked;
const show = async (query) => {
  const steps = (asked = showing(query));
  for (let since = performance.now(); asked === steps && !steps.next().done; )
    if (performance.now() - since > SLICE) {
      await rest();
      since = performance.now();
    }
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
  let pause;
  const follow = ({ type, isComposing }) => {
    // What is still being converted is not what is looked for.
    if (isComposing && type === "input") return;
    clearTimeout(pause);
    pause = setTimeout(() => {
      show(input.value);
      // So that coming back from a page finds the results again.
      history.replaceState(null, "", `?${new URLSearchParams({ q: input.value })}`);
    }, PAUSE);
  };
  input.addEventListener("input", follow);
  input.addEventListener("compositionend", follow);
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
