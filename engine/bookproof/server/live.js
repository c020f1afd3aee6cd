// Cells that run, on a page that bookproof.server.live serves: it adds this script, and the words.

const { words, cells: sources } = JSON.parse(document.getElementById("book-live").textContent);
const label = (name, n) => words[name].replace("{n}", n);
// How the server ends a kernel: see session.py.
const ENDINGS = ["idle", "died", "late", "full", "cut", "greedy", "locked"];

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

// ---- The kernel: it lives as long as its connection, which begins with the first run ----

class Kernel {
  socket = null;
  running = null; // What is told of the run under way: { onReady, onOutput, onEnd }.

  run(code, running) {
    this.running = running;
    if (!this.socket) this.#connect();
    const send = () => this.socket.send(JSON.stringify({ run: code }));
    if (this.socket.readyState === WebSocket.OPEN) {
      running.onReady();
      send();
    } else this.socket.addEventListener("open", send, { once: true });
  }

  stop() {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send('{"stop": true}');
  }

  // Also what a cell that does not heed a stop is ended with.
  end(why) {
    const { socket, running } = this;
    [this.socket, this.running] = [null, null];
    socket?.close();
    running?.onEnd(why);
  }

  #connect() {
    const page = location.pathname.endsWith("/") ? `${location.pathname}index.html` : location.pathname;
    const socket = new WebSocket(`ws://${location.host}/_live/cells${page}`);
    // The cookie alone opens nothing: servers on other ports of this machine get it, too.
    const key = localStorage.getItem("book-live") ?? "";
    socket.addEventListener("open", () => socket.send(JSON.stringify({ key })));
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.socket) this.#take(JSON.parse(data));
    });
    socket.addEventListener("close", ({ code }) => {
      if (socket === this.socket) this.onLost(ENDINGS[code - 4000] ?? "lost");
    });
    this.socket = socket;
  }

  #take({ ready, output, done }) {
    if (ready) this.running?.onReady();
    if (output) this.running?.onOutput(output);
    if (done) {
      const { running } = this;
      this.running = null;
      running?.onEnd(done);
    }
  }
}

// ---- Outputs: text and pictures, never HTML ----

class Output {
  constructor(n) {
    this.n = n;
    this.box = element("div", { class: "cell_output live-output", role: "region", tabindex: "0" });
    this.box.setAttribute("aria-label", label("output", n));
    this.named = new Map();
  }

  take({ kind, text, image, name }) {
    if (kind === "clear") return this.box.replaceChildren();
    if (!image && (kind === "stdout" || kind === "stderr")) return this.#write(kind, text);
    const shown = image
      ? element("img", { src: image, alt: label("figure", this.n), title: text })
      : element("pre", { class: `live-${kind}` }, text);
    if (name && this.named.has(name)) this.named.get(name).replaceWith(shown);
    else this.box.append(shown);
    if (name) this.named.set(name, shown);
  }

  // A stream goes on in the same block, and a carriage return writes its line anew.
  #write(kind, text) {
    let last = this.box.lastElementChild;
    if (last?.className !== `live-${kind}`) {
      last = element("pre", { class: `live-${kind}` });
      this.box.append(last);
    }
    const whole = (last.textContent + text).replaceAll("\r\n", "\n");
    last.textContent = whole.replace(/^.*\r(?=.)/gm, "");
  }
}

// ---- Cells ----

const kernel = new Kernel();

// A cell may hold others, folded away with its own code: theirs is not its own.
const own = (box, selector) =>
  [...box.querySelectorAll(selector)].find((found) => found.closest("div.cell") === box);

class Cell {
  ran; // The text that has run, if any has since the kernel started.

  isOpen = false; // Shows all its buttons, also where the focus is elsewhere.

  // What runs before it are cells that the page leaves out; absent is what it needs, if so.
  constructor(box, n, code, { before, absent }) {
    Object.assign(this, { n, code, before, absent });
    this.input = own(box, ".cell_input");
    this.printed = own(box, ".cell_output");
    this.buttons = Object.fromEntries(
      ["run", "stop", "restart", "edit", "reset"].map((name) => [name, this.#button(name)]),
    );
    this.state = element("span", { class: "live-state", role: "status" });
    const bar = element("div", { class: "live-bar", role: "group", "aria-label": label("cell", n) });
    bar.append(...Object.values(this.buttons), this.state);
    this.input.after(bar);
    this.bar = bar;
    this.input.tabIndex = -1; // A click on the code shows what can be done with it.
    this.#offer();
  }

  get text() {
    return this.editor?.value ?? this.code;
  }

  // Opened in its editor but not changed, it has run as well.
  get hasRun() {
    return this.ran === this.text;
  }

  // Whether it ends with an error in the book, too.
  get fails() {
    return this.printed?.querySelector(".traceback") != null;
  }

  say(name, n = this.n) {
    this.state.textContent = label(name, n);
  }

  // What can't be done now is said to be so, but keeps the focus: a reader is not thrown to the top.
  #offer() {
    const { run, stop, reset } = this.buttons;
    for (const [button, can] of [[run, !kernel.running], [stop, kernel.running], [reset, this.editor || this.output]])
      button.ariaDisabled = String(!can);
    this.bar.classList.toggle("live-open", this.isOpen);
  }

  static offer() {
    for (const cell of all) cell.#offer();
  }

  #button(name) {
    const button = element("button", { type: "button", class: `live-${name}` }, words[name]);
    button.addEventListener("click", () => {
      if (button.ariaDisabled === "true") return;
      this.isOpen = true;
      this[name]();
      Cell.offer();
    });
    return button;
  }

  async run() {
    if (kernel.running) return;
    last = this;
    for (const cell of all.slice(0, all.indexOf(this))) {
      if (cell.hasRun || cell.absent) continue;
      this.say("before", cell.n);
      const how = await cell.#execute();
      if (how !== "done" && !(how === "failed" && cell.fails))
        return this.say(how === "failed" ? "failed_before" : how, cell.n);
    }
    this.say(await this.#execute(this));
  }

  // Run the code of this cell, after that of cells that the page leaves out.
  async #execute(shown) {
    for (const code of this.before) {
      if (this.hasRun) break;
      const how = await this.#request(code, shown);
      if (how !== "done") return how;
    }
    this.output?.box.remove();
    this.output = new Output(this.n);
    this.bar.after(this.output.box);
    if (this.printed) this.printed.hidden = true;
    const { text } = this; // As it is now: its reader may go on writing.
    const how = await this.#request(text, shown);
    if (!this.output.box.childElementCount) this.output.box.remove();
    if (how === "done" || (how === "failed" && this.fails)) this.ran = text;
    else if (this.ran !== text) this.ran = undefined; // Another text has run in part since then.
    return how;
  }

  #request(code, shown) {
    shown?.say("starting");
    return new Promise((onEnd) => {
      kernel.run(code, {
        onReady: () => shown?.say("running"),
        onOutput: (output) => this.output?.take(output),
        onEnd,
      });
      Cell.offer();
    }).finally(Cell.offer);
  }

  stop() {
    kernel.stop();
  }

  restart() {
    kernel.end("restarted");
    for (const cell of all) cell.ran = undefined;
    this.say("restarted");
    Cell.offer();
  }

  edit() {
    if (!this.editor) {
      this.editor = element("textarea", { class: "live-editor", spellcheck: "false", wrap: "off" });
      Object.assign(this.editor, { value: this.code, autocapitalize: "off" });
      this.editor.setAttribute("aria-label", label("code", this.n));
      this.editor.addEventListener("input", () => this.#fit());
      this.editor.addEventListener("keydown", (event) => this.#key(event));
      this.input.hidden = true;
      this.hint = element("p", { class: "live-keys", id: `live-keys-${this.n}` }, words.keys);
      this.editor.setAttribute("aria-describedby", this.hint.id);
      this.input.after(this.editor, this.hint);
      this.#fit();
      Cell.offer();
    }
    this.editor.focus();
  }

  #fit() {
    this.editor.rows = this.editor.value.split("\n").length;
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") this.buttons.run.focus();
    else if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      this.run();
    }
  }

  reset() {
    this.editor?.remove();
    this.hint?.remove();
    this.output?.box.remove();
    this.editor = this.output = this.ran = undefined;
    this.input.hidden = false;
    if (this.printed) this.printed.hidden = false;
    this.isOpen = false;
    this.say("is_reset");
  }
}

let last; // The cell that was run last, which tells what became of its kernel.

kernel.onLost = (why) => {
  for (const cell of all) cell.ran = undefined;
  last?.say(why);
  kernel.end(why);
  Cell.offer();
};

// What the page shows of a cell.
const shownCode = (box) => {
  const shown = own(box, ".cell_input pre").cloneNode(true);
  for (const number of shown.querySelectorAll(".linenos")) number.remove();
  return shown.textContent.replace(/\n$/, "");
};

const numberOf = (box) => Number(/(?:^| )cell-(\d+)(?: |$)/.exec(box.className)?.[1]);

// A cell is the page's source's by its number; what the page leaves out before it runs first. Of a
// cell that was saved since the page was built there is only what the page shows.
const makeCells = () => {
  let next = 0;
  const codes = [...document.querySelectorAll("div.cell .cell_input pre")];
  const boxes = [...new Set(codes.map((code) => code.closest("div.cell")))]; // In the order of their code.
  return boxes.map((box, i) => {
    const shown = shownCode(box);
    const at = sources.findIndex(({ number }) => number === numberOf(box));
    if (at < next || sources[at].code.trim() !== shown.trim())
      return new Cell(box, i + 1, shown, { before: [], absent: false });
    const before = sources.slice(next, at).filter((source) => !source.absent);
    next = at + 1;
    const { code, absent } = sources[at];
    return new Cell(box, i + 1, code, { before: before.map((source) => source.code), absent });
  });
};

let all = [];
all = makeCells();
