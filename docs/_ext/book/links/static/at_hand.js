"use strict";
// What a term, a citation or a number stands for, shown beside it while the pointer or the focus is on
// it, or after a long press (a tap follows the link). The text of other pages is in a template at the
// end of the page (docs/_ext/book/links/at_hand.py); what is on this page is copied from it.

{
  const SOON = 250; // milliseconds: to pass over a link, or to reach what is shown, and leave it
  const PRESS = 500;
  const MARGIN = 8;

  const kept = () => document.getElementById("at-hand")?.content.children ?? [];

  // A copy without places to go to, ids, and what is written twice for those who listen. A formula is
  // told to them as it was written.
  const copy = (node) => {
    const made = document.createElement("div");
    made.append(node.cloneNode(true));
    for (const formula of made.querySelectorAll(".katex-display")) {
      formula.setAttribute("role", "img");
      formula.setAttribute("aria-label", formula.querySelector("annotation").textContent);
    }
    for (const part of made.querySelectorAll(".headerlink, annotation")) part.remove();
    for (const link of made.querySelectorAll("a")) link.replaceWith(...link.childNodes);
    for (const part of made.querySelectorAll("[id]")) part.removeAttribute("id");
    return made;
  };

  const onPage = (target) => {
    if (target?.matches("figure")) return [...target.querySelectorAll(":scope > :is(svg, img), figcaption")];
    if (target?.matches(".math")) return [...target.querySelectorAll(".katex-display")];
    return target?.matches("dt") ? [...target.nextElementSibling.children] : [];
  };

  // What a link stands for, as new nodes; none if it is like any other link.
  const meaning = (link) => {
    const href = link.getAttribute("href");
    if (link.closest(".bibtex-citation")) return link.title ? [link.title] : [];
    if (href.startsWith("#")) return onPage(document.getElementById(decodeURIComponent(href.slice(1)))).map(copy);
    return [...kept()].filter((text) => text.dataset.of === href).map(copy);
  };

  // Below the link or above it, wherever there is room, and never beside the screen.
  const place = (box, link) => {
    const line = link.getClientRects()[0];
    const from = box.offsetParent.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = box;
    const left = Math.max(MARGIN, Math.min(line.left, document.documentElement.clientWidth - width - MARGIN));
    const top = line.bottom + height > innerHeight && line.top > height ? line.top - height : line.bottom;
    Object.assign(box.style, { left: `${left - from.left}px`, top: `${top - from.top}px` });
  };

  const start = (article) => {
    const box = document.createElement("div");
    Object.assign(box, { id: "at-hand-shown", className: "at-hand", hidden: true });
    box.setAttribute("role", "tooltip");
    article.append(box);
    let [shown, title, timer, pressed] = [null, "", 0, false];

    const later = (does, after) => {
      clearTimeout(timer);
      timer = setTimeout(does, after);
    };
    const hide = () => {
      clearTimeout(timer);
      if (!shown) return;
      shown.removeAttribute("aria-describedby");
      if (title) shown.title = title;
      [shown, box.hidden] = [null, true];
    };
    const show = (link) => {
      if (shown === link) return;
      hide();
      const found = meaning(link);
      if (!found.length) return;
      title = link.title;
      link.removeAttribute("title"); // The browser's own would lie upon it, and be read as well.
      link.setAttribute("aria-describedby", box.id);
      box.replaceChildren(...found);
      [shown, box.hidden] = [link, false];
      place(box, link);
    };
    const linkAt = ({ target }) => target.closest("a.reference.internal");
    const isShown = ({ target }) => box.contains(target) || (shown && shown.contains(target));

    article.addEventListener("pointerover", (event) => {
      if (event.pointerType === "touch") return;
      if (isShown(event)) clearTimeout(timer);
      else if (linkAt(event)) later(() => show(linkAt(event)), SOON);
    });
    article.addEventListener("pointerout", (event) => {
      if (event.pointerType !== "touch" && (isShown(event) || linkAt(event))) later(hide, SOON);
    });
    article.addEventListener("focusin", (event) => {
      if (linkAt(event)?.matches(":focus-visible")) show(linkAt(event));
    });
    article.addEventListener("focusout", hide);
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") hide();
    });

    // A finger that stays: what it was on is shown, and neither followed nor offered in a menu.
    document.addEventListener("pointerdown", (event) => {
      pressed = false;
      if (event.pointerType !== "touch" || box.contains(event.target)) return;
      hide();
      const link = article.contains(event.target) && linkAt(event);
      if (link)
        later(() => {
          show(link);
          pressed = shown === link;
        }, PRESS);
    });
    for (const end of ["pointerup", "pointercancel"])
      document.addEventListener(end, ({ pointerType }) => {
        if (pointerType === "touch") clearTimeout(timer);
      });
    document.addEventListener("contextmenu", (event) => {
      if (event.pointerType === "touch" && linkAt(event) && meaning(linkAt(event)).length) event.preventDefault();
    });
    document.addEventListener("click", (event) => {
      if (pressed && linkAt(event)) event.preventDefault();
      else if (!box.contains(event.target)) hide();
      pressed = false;
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    const article = document.querySelector(".bd-article");
    if (article) start(article);
  });
}
