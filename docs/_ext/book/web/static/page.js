"use strict";
// What the page's buttons do. The theme's two scripts, and Bootstrap's, which they need, do the same
// in 31 KB instead of 2, but they write to the console at each load, take the focus from a button that
// is pressed, and lay out the whole page before anything is done with it.

const first = (selector) => document.querySelector(selector);
const WIDE = matchMedia("(min-width: 992px)");

// ---- Colour schemes: light, dark, or as the system is set (auto) ----

const DARK = matchMedia("(prefers-color-scheme: dark)");

const setScheme = (mode) => {
  const theme = mode === "auto" ? (DARK.matches ? "dark" : "light") : mode;
  Object.assign(document.documentElement.dataset, { mode, theme });
  for (const button of document.querySelectorAll(".theme-change-button")) {
    button.classList.toggle("active", button.dataset.mode === mode);
    button.ariaPressed = String(button.dataset.mode === mode);
  }
  localStorage.setItem("mode", mode);
};

const startSchemes = () => {
  setScheme(document.documentElement.dataset.mode); // Settled in the page's head.
  for (const button of document.querySelectorAll(".theme-change-button"))
    button.addEventListener("click", () => setScheme(button.dataset.mode));
  DARK.addEventListener("change", () => setScheme(document.documentElement.dataset.mode));
};

// ---- Dialogs. The browser closes them with Escape, and gives the focus back ----

// Also closed by a click beside it, or on a link in it, which may lead to a place in this page.
const closeByClick = (dialog) =>
  dialog.addEventListener("click", ({ target, clientX: x, clientY: y }) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const beside = x < left || x > right || y < top || y > bottom;
    if ((target === dialog && beside) || target.closest("a")) dialog.close();
  });

const startSearch = () => {
  const dialog = first("#pst-search-dialog");
  const field = first("main form.bd-search input"); // On the search page.
  const open = () => (field ? field.select() : dialog.open ? dialog.close() : dialog.showModal());
  closeByClick(dialog);
  for (const button of document.querySelectorAll(".search-button__button"))
    button.addEventListener("click", open);
  const mac = /^(Mac|iPhone|iPad)/.test(navigator.platform);
  document.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
    if (key.toLowerCase() !== "k" || altKey || shiftKey) return;
    if (mac ? !metaKey || ctrlKey : !ctrlKey || metaKey) return;
    event.preventDefault();
    open();
  });
  if (mac)
    for (const key of document.querySelectorAll(".kbd-shortcut__modifier")) key.textContent = "⌘";
};

// What stands beside the text on a wide screen is shown in a dialog on a narrow one. It is moved
// there, with the classes that give it its look, and back.
const startDrawer = (button, side, dialog, name) => {
  dialog.ariaLabel = name;
  const move = (from, to) => {
    to.append(...from.childNodes);
    to.classList.add(...from.classList);
    from.className = "";
  };
  button.addEventListener("click", () => {
    move(side, dialog);
    dialog.showModal();
  });
  dialog.addEventListener("close", () => move(dialog, side));
  closeByClick(dialog);
};

// ---- The list of chapters, which a wide screen always shows unless it is folded away ----

const startChapters = () => {
  const button = first(".primary-toggle");
  const side = first("#pst-primary-sidebar");
  const tell = () => {
    if (WIDE.matches) button.ariaExpanded = String(!side.classList.contains("pst-sidebar-hidden"));
    else button.removeAttribute("aria-expanded");
  };
  const fold = (event) => {
    if (!WIDE.matches) return;
    event.stopImmediatePropagation(); // It is no dialog here.
    side.classList.toggle("pst-sidebar-hidden");
    tell();
  };
  button.addEventListener("click", fold);
  startDrawer(button, side, first("#pst-primary-sidebar-modal"), "メニュー");
  WIDE.addEventListener("change", tell);
  tell();
  // An observer is told where things are once they have been laid out; asking forces it.
  const here = side.querySelector("a.current");
  if (here && WIDE.matches)
    new IntersectionObserver(([{ isIntersecting }], observer) => {
      observer.disconnect();
      if (!isIntersecting) here.scrollIntoView({ block: "nearest" });
    }).observe(here);
};

// ---- The contents of the page, with the section that is being read ----

const startContents = () => {
  const button = first(".secondary-toggle");
  const side = first("#pst-secondary-sidebar");
  const links = new Map();
  for (const link of document.querySelectorAll("#pst-page-toc-nav a")) {
    const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    const heading = section?.querySelector("h1, h2, h3, h4, h5, h6") ?? section;
    if (heading) links.set(heading, link);
  }
  const observer = new IntersectionObserver(
    (entries) => {
      const read = entries.filter(({ isIntersecting }) => isIntersecting).pop();
      if (!read) return;
      for (const [heading, link] of links) {
        link.classList.toggle("active", heading === read.target);
        if (heading === read.target) link.ariaCurrent = "true";
        else link.removeAttribute("aria-current");
      }
    },
    { rootMargin: "0px 0px -70% 0px" },
  );
  for (const heading of links.keys()) observer.observe(heading);
  if (button && side) startDrawer(button, side, first("#pst-secondary-sidebar-modal"), "目次");
};

document.addEventListener("DOMContentLoaded", () => {
  startSchemes();
  startSearch();
  startChapters();
  startContents();
});
