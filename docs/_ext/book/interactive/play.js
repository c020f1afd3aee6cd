// Lets a figure move: its scenes follow each other until a reader stops them, or wants nothing to
// move. Out of sight it stands still.

const LONGEST = 100; // milliseconds between two pictures: after a rest, nothing leaps

const PARTS = "[data-part]";

const attributes = (values) =>
  Object.entries(values)
    .map(([name, value]) => ` ${name}="${value}"`)
    .join("");

// Parts that move, as markup, and as what becomes of them.
const partsOf = (parts) =>
  Object.entries(parts)
    .map(
      ([name, [tag, values, inside = ""]]) =>
        `<${tag} data-part="${name}"${attributes(values)}>${inside}</${tag}>`,
    )
    .join("");

const move = (svg, parts) => {
  for (const element of svg.querySelectorAll(PARTS)) {
    const [, values] = parts[element.dataset.part];
    for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
  }
};

const player = (figure, root) => {
  const svg = root.querySelector("svg");
  const button = root.querySelector(".interactive-play");
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let result, scenes, wanted, last;
  let seen = false;
  let now = 0;
  let spent = 0;
  let frame = 0;

  const show = () => figure.show(svg, result, scenes[now], spent / scenes[now].ms);
  const next = (time) => {
    spent += Math.min(time - (last ?? time), LONGEST);
    last = time;
    while (spent >= scenes[now].ms) {
      spent -= scenes[now].ms;
      now = (now + 1) % scenes.length;
    }
    show();
    frame = requestAnimationFrame(next);
  };
  const settle = () => {
    button.textContent = wanted ? "止める" : "動かす";
    cancelAnimationFrame(frame);
    last = undefined;
    if (wanted && seen) frame = requestAnimationFrame(next);
  };
  const want = (motion) => {
    wanted = motion;
    settle();
  };

  button.addEventListener("click", () => want(!wanted));
  calm.addEventListener("change", () => want(!calm.matches));
  // On paper is the whole of it.
  addEventListener("beforeprint", () => {
    cancelAnimationFrame(frame);
    svg.innerHTML = figure.draw(result);
  });
  addEventListener("afterprint", settle);
  new IntersectionObserver(([{ isIntersecting }]) => {
    seen = isIntersecting;
    settle();
  }).observe(svg);

  // Goes on where it was, with what has been computed anew.
  return (computed) => {
    const step = scenes ? scenes[now].step : 0;
    result = computed;
    scenes = figure.scenes(result);
    now = scenes.findIndex((scene) => scene.step === step);
    if (wanted === undefined) want(!calm.matches);
    else if (wanted) show();
  };
};
