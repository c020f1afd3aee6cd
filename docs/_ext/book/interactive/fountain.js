// A bamboo fountain, 鹿威し: its water stands as high as a potential on the axis beside it. Turning
// takes no more than the four operations.

const PIVOT = [136, 165];
// From its tail to the lips of its mouth, around the pivot.
const TUBE = [[-118, -17], [100, -17], [134, 17], [-118, 17]];
// The tangents of half the angles at which it fills, and at which it empties.
const UP = -0.3;
const DOWN = 0.2;
const GROUND = 268;
const SPOUT = [234, 56];

const turn = (half) => [(1 - half * half) / (1 + half * half), (2 * half) / (1 + half * half)];

const turned = (half) => {
  const [c, s] = turn(half);
  return TUBE.map(([x, y]) => [PIVOT[0] + x * c - y * s, PIVOT[1] + x * s + y * c]);
};

const LOWEST = Math.max(...turned(UP).map(([, y]) => y));
const BRIM = turned(UP)[2][1];

const closed = (corners) => `M${corners.map(([x, y]) => `${at(x)} ${at(y)}`).join("L")}Z`;

// The part of a shape that lies under a surface.
const under = (surface, corners) =>
  corners.flatMap(([x, y], i) => {
    const [u, v] = corners[(i + 1) % corners.length];
    const wet = y >= surface;
    const crossed = wet !== v >= surface;
    return [
      ...(wet ? [[x, y]] : []),
      ...(crossed ? [[x + ((u - x) * (surface - y)) / (v - y), surface]] : []),
    ];
  });

// The water of a tube that has turned, as high between its floor and its lip as it was before.
const water = (height, half) => {
  const corners = turned(half);
  const floor = Math.max(...corners.map(([, y]) => y));
  const tipped = (half - UP) / (DOWN - UP);
  const lip = corners[2][1] * (1 - tipped) + corners[1][1] * tipped;
  const share = Math.min(1, (LOWEST - height) / (LOWEST - BRIM));
  const wet = share > 0 ? under(floor - share * (floor - lip), corners) : [];
  return wet.length ? closed(wet) : "";
};

const tilt = (half) => {
  const [c, s] = turn(half);
  return `matrix(${[c, s, -s, c].map((x) => x.toFixed(4)).join(" ")} ${PIVOT.join(" ")})`;
};

// What stands still, behind the tube and before it.
const behind =
  `<path class="bamboo filled" d="M14 ${GROUND}C14 238 76 238 78 ${GROUND}Z"/>` +
  `<path class="bamboo" d="M0 ${GROUND}H206M212 250C214 274 296 274 298 250"/>` +
  '<ellipse class="bamboo" cx="255" cy="250" rx="43" ry="7"/>' +
  '<path class="bamboo filled" d="M84 21 222 42 220 58 82 37ZM128 27C131 33 130 39 126 44M176 35C179 41 178 47 174 52"/>' +
  '<path class="bamboo" d="M100 39C94 54 80 60 64 60 72 46 84 40 100 39ZM94 23C84 22 72 16 66 4 80 2 90 10 94 23Z"/>';
const before =
  `<path class="bamboo filled" d="M119 ${GROUND}L131 154H141L153 ${GROUND}H143L136 180 129 ${GROUND}Z"/>` +
  '<circle class="bamboo filled" cx="136" cy="165" r="4.5"/>';

const KNOCK =
  '<path class="spike" d="M34 226A26 26 0 0 0 13 248M28 210A42 42 0 0 0-3 244"/>' +
  '<text class="knock" x="6" y="200">コン</text>';

// What moves, by name: an element, its attributes, and what is in it. `fall` is how far a drop has
// come, `pour` how much runs out, `knock` how loud it is.
const fountain = ({ half, height, drop, fall, pour, knock }) => {
  const transform = tilt(half);
  const rings = "M-56-17C-50-8-50 8-56 17M-52-17C-46-8-46 8-52 17M20-17C26-8 26 8 20 17M24-17C30-8 30 8 24 17";
  return {
    inside: ["path", { class: "bamboo filled", transform, d: closed(TUBE) }],
    water: ["path", { class: "potential filled", d: water(height, half) }],
    tube: ["path", { class: "bamboo", transform, d: `${closed(TUBE)}${rings}` }],
    drop: [
      "circle",
      { class: "input filled", cx: SPOUT[0], cy: at(SPOUT[1] + 46 * fall * fall), r: at(drop) },
    ],
    pour: ["path", { class: "potential pour", opacity: at(pour), d: "M252 231C260 236 262 242 262 250" }],
    knock: ["g", { opacity: at(knock) }, KNOCK],
  };
};
