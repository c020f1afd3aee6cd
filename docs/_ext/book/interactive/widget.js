// A figure in the page. The site is built with what `markup` makes of its first state, which is all
// there is without a script; `start` goes on from there.

const PAUSE = 700; // milliseconds without a change, after which it is told and kept

// What stands beside a slider: as many decimals as it has, and the unit.
const shown = ({ step, unit = "" }, value) =>
  `${value.toFixed(String(step).split(".")[1]?.length ?? 0)}${unit}`;

const select = (id, { name, options, value }) => {
  const items = options.map(
    ([key, words]) =>
      `<option value="${key}"${key === value ? ' selected="selected"' : ""}>${words}</option>`,
  );
  return `<select id="${id}" name="${name}">${items.join("")}</select>`;
};

const slider = (id, control) => {
  const { name, min, max, step, value } = control;
  return (
    `<input type="range" id="${id}" name="${name}" min="${min}" max="${max}" step="${step}" ` +
    `value="${value}" aria-valuetext="${shown(control, value)}" />`
  );
};

const field = (prefix, control) => {
  const id = `${prefix}-${control.name}`;
  const value = control.options
    ? ""
    : `<span class="interactive-value" aria-hidden="true">${shown(control, control.value)}</span>`;
  return (
    `<div class="interactive-field"><label for="${id}">${control.label}</label>${value}` +
    `${control.options ? select(id, control) : slider(id, control)}</div>`
  );
};

const legend = ({ question }) =>
  question ? `<legend>${question}</legend>` : '<legend class="visually-hidden">図の設定</legend>';

const form = (figure, prefix) =>
  '<form class="interactive-controls pst-js-only" autocomplete="off">' +
  `<fieldset disabled="disabled">${legend(figure)}` +
  figure.controls.map((control) => field(prefix, control)).join("") +
  '<div class="interactive-buttons">' +
  (figure.scenes ? '<button type="button" class="interactive-play">動かす</button>' : "") +
  '<button type="button">元に戻す</button></div></fieldset></form>';

const heads = ({ head }) => head.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join("");

const row = (cells) => `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;

const body = ({ rows }) => rows.map(row).join("");

const tableOf = (table) =>
  "<details><summary>数値の表</summary>" +
  '<div class="interactive-table" tabindex="0" role="group" aria-label="数値の表">' +
  `<table class="table"><thead><tr>${heads(table)}</tr></thead>` +
  `<tbody>${body(table)}</tbody></table></div></details>`;

const drawing = (figure, result) =>
  `<svg xmlns="http://www.w3.org/2000/svg" class="book-figure" role="img" ` +
  `aria-label="${escaped(figure.label)}" viewBox="0 0 ${WIDTH} ${figure.height}" ` +
  `width="${WIDTH}" height="${figure.height}">${figure.draw(result)}</svg>`;

const firstResult = (figure) =>
  figure.compute(Object.fromEntries(figure.controls.map(({ name, value }) => [name, value])));

// What the figure looks like, and what it shows: where nothing can be drawn.
const words = (figure) => figure.label + figure.summary(firstResult(figure));

// The picture, and the sentence on what it shows: for an e-book.
const still = (figure) => {
  const result = firstResult(figure);
  const summary = escaped(figure.summary(result));
  return `<div class="interactive">${drawing(figure, result)}<p>${summary}</p></div>`;
};

// All of it. The sentence follows each change; its double, which is only heard, waits for a rest.
const markup = (figure, prefix) => {
  const result = firstResult(figure);
  const summary = escaped(figure.summary(result));
  return (
    `<div class="interactive" data-interactive="${figure.name}">${form(figure, prefix)}` +
    drawing(figure, result) +
    `<p class="interactive-summary" aria-hidden="true">${summary}</p>` +
    `<p class="visually-hidden" role="status">${summary}</p>` +
    `${tableOf(figure.table(result))}</div>`
  );
};

// The address holds what has been changed, so that it opens the page as it is seen:
// lif.html?gap=3#fig-touch-coincidence. What a control cannot be set to is passed over.
const openState = ({ controls }, { elements }) => {
  const asked = new URLSearchParams(location.search);
  const known = controls.filter(({ name }) => asked.has(name));
  for (const { name, value } of known) {
    elements[name].value = asked.get(name);
    if (elements[name].value !== asked.get(name)) elements[name].value = value;
  }
  return known.length > 0;
};

const keepState = ({ controls }, { elements }, id) => {
  const address = new URL(location.href);
  for (const { name, value } of controls) {
    if (elements[name].value === `${value}`) address.searchParams.delete(name);
    else address.searchParams.set(name, elements[name].value);
  }
  if (id) address.hash = id;
  history.replaceState(history.state, "", address);
};

const attach = (figure, root) => {
  const form = root.querySelector("form");
  const status = root.querySelector("[role=status]");
  const play = figure.scenes && player(figure, root);
  let pause;
  const values = () =>
    Object.fromEntries(
      figure.controls.map(({ name, options }) => {
        const input = form.elements[name];
        return [name, options ? input.value : input.valueAsNumber];
      }),
    );
  const update = () => {
    const now = values();
    for (const control of figure.controls.filter(({ options }) => !options)) {
      const words = shown(control, now[control.name]);
      const input = form.elements[control.name];
      input.setAttribute("aria-valuetext", words);
      input.previousElementSibling.textContent = words;
    }
    const result = figure.compute(now);
    const summary = figure.summary(result);
    root.querySelector("svg").innerHTML = figure.draw(result);
    play?.(result);
    root.querySelector(".interactive-summary").textContent = summary;
    root.querySelector("tbody").innerHTML = body(figure.table(result));
    clearTimeout(pause);
    pause = setTimeout(() => {
      status.textContent = summary;
      keepState(figure, form, root.closest("figure")?.id);
    }, PAUSE);
  };
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("button:last-of-type").addEventListener("click", () => {
    form.reset();
    update();
  });
  form.querySelector("fieldset").disabled = false;
  if (openState(figure, form)) update();
  else play?.(firstResult(figure));
};

const start = (figure) => {
  for (const root of document.querySelectorAll(`[data-interactive="${figure.name}"]`))
    attach(figure, root);
};
