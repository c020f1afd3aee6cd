"use strict";
// Which chapters have been read to their end: a mark in the list of chapters, which this browser
// alone keeps, until the reader takes it away.
{
  const KEY = "read";
  const load = () => {
    try {
      return new Set(JSON.parse(localStorage.getItem(KEY)));
    } catch {
      return new Set(); // Something else stands there, or storage is refused.
    }
  };
  const links = () => document.querySelectorAll(".book-part a[data-page]");

  const mark = (read) => {
    for (const link of links()) {
      const old = link.querySelector(".book-tick");
      if (!read.has(link.dataset.page)) old?.remove();
      else if (!old) {
        // The word is for who cannot see the sign.
        link.insertAdjacentHTML("beforeend", '<span class="book-tick"><span class="visually-hidden"> 読んだ</span></span>');
      }
    }
  };

  const keep = (name) => {
    const read = load().add(name); // Other pages may have been read meanwhile.
    try {
      localStorage.setItem(KEY, JSON.stringify([...read]));
    } catch {
      return;
    }
    mark(read);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const read = load();
    mark(read);
    const box = document.querySelector(".book-read");
    const [button, status] = box.children;
    button.hidden = read.size === 0;
    button.addEventListener("click", () => {
      localStorage.removeItem(KEY);
      mark(new Set());
      status.textContent = "読んだ印を消しました。";
    });
    const here = document.querySelector(".book-part a[aria-current=page]")?.dataset.page;
    const end = document.querySelector(".prev-next-footer");
    if (here && end)
      new IntersectionObserver(([{ isIntersecting }], observer) => {
        if (!isIntersecting) return;
        observer.disconnect();
        keep(here);
        button.hidden = false;
      }).observe(end);
  });
}
