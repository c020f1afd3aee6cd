"use strict";
// What scrolls by itself (a long line of code, a wide table) is reached by keyboard, and says what it
// is. The theme does the first half, for some of them. What does not scroll is no stop for the Tab key.

const SCROLLERS = {
  ".math-scroll": "数式",
  ".highlight > pre": "コード",
  ".cell_output .output, .cell_output pre": "出力",
  ".pst-scrollable-table-container": "表",
};

document.addEventListener("DOMContentLoaded", () => {
  const names = new Map();
  for (const [selector, name] of Object.entries(SCROLLERS))
    for (const box of document.querySelectorAll(`.bd-article :is(${selector})`)) names.set(box, name);

  const scrolls = (box) => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  const tell = (box, does) => {
    if (does) {
      box.tabIndex = 0;
      box.role = "group";
      box.ariaLabel = `${names.get(box)}（スクロールできます）`;
    } else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  };
  // Called once at the beginning, when a fold is opened, and when the window is made narrower. All are
  // measured before one is told: after that, a browser would have to lay out the page to measure.
  const observer = new ResizeObserver((entries) => {
    const found = entries.map(({ target }) => [target, scrolls(target)]);
    for (const [box, does] of found) tell(box, does);
  });
  for (const box of names.keys()) observer.observe(box);
  // A browser leaves a link where it is whose first letter alone is in sight.
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches(".bd-article pre a")) target.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
});
