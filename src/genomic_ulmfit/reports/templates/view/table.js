// The calls as a table: the track for those who do not see it, and a list for those who do.

const ROWS = 15;
const COLUMNS = [
  { key: "name", title: "Call" },
  { key: "anchor", title: "Position" },
  { key: "strand", title: "Strand" },
  { key: "logOdds", title: "Probability" },
  { key: "geneName", title: "Next gene" },
  { key: "distance", title: "Distance" },
];

class CallTable {
  constructor(scan, track, told) {
    Object.assign(this, { scan, track, told });
    this.table = document.getElementById("table");
    this.which = document.getElementById("which");
    this.rows = document.getElementById("rows");
    this.before = document.getElementById("before");
    this.after = document.getElementById("after");
    this.order = { key: "logOdds", way: -1 };
    this.first = 0;
    this.heads = COLUMNS.map((column) => {
      const head = make("th", { scope: "col", class: column.key },
        make("button", { type: "button", onclick: () => this.sortBy(column.key) }, column.title));
      this.table.tHead.rows[0].append(head);
      return head;
    });
    this.which.addEventListener("change", () => this.fill());
    this.before.addEventListener("click", () => this.turn(-1));
    this.after.addEventListener("click", () => this.turn(1));
    if (scan.contigs.length === 1) this.which.querySelector("[value=all]").remove();
  }

  sortBy(key) {
    const same = this.order.key === key;
    const startsDown = key === "logOdds";
    this.order = { key, way: same ? -this.order.way : startsDown ? -1 : 1 };
    this.fill();
    const title = COLUMNS.find((column) => column.key === key).title;
    this.told.said(`Sorted by ${title.toLowerCase()}, ${this.order.way > 0 ? "ascending" : "descending"}.`);
  }

  /** Gather and sort calls anew, and show the first of them. */
  fill() {
    const { calls } = this.scan;
    const [start, end] = this.track.shown;
    this.found = {
      view: () => this.scan.callsIn(this.track.contig, start, end),
      contig: () => this.track.contig.calls.slice(),
      all: () => calls.name.map((_, call) => call),
    }[this.which.value]();
    const { key, way } = this.order;
    const values = key === "name" ? calls.anchor.map((_, call) => call) : calls[key];
    // Calls without a gene stand last, whichever way the rest goes.
    const missing = (call) => calls.distance[call] === null && (key === "geneName" || key === "distance");
    this.found.sort((a, b) => {
      if (missing(a) !== missing(b)) return missing(a) ? 1 : -1;
      const [x, y] = [values[a], values[b]];
      const unequal = typeof x === "string" ? x.localeCompare(y) : x - y;
      return unequal * way || a - b;
    });
    this.first = 0;
    this.show();
  }

  turn(way) {
    const next = this.first + way * ROWS;
    if (next < 0 || next >= this.found.length) return;
    this.first = next;
    this.show();
    this.told.said(this.rows.textContent);
  }

  show() {
    const shown = this.found.slice(this.first, this.first + ROWS);
    const total = this.found.length;
    this.table.caption.textContent = {
      view: `Calls in view: ${count(total)}`,
      contig: `Calls of ${this.track.contig.name}: ${count(total)}`,
      all: `Calls of all contigs: ${count(total)}`,
    }[this.which.value];
    // Rows that stay the same stay in place, and whoever is on one of them stays there.
    if (this.drawn !== shown.join()) {
      this.drawn = shown.join();
      this.table.tBodies[0].replaceChildren(...shown.map((call) => this.row(call)));
    }
    this.rows.textContent = total
      ? `${count(this.first + 1)} to ${count(this.first + shown.length)} of ${count(total)}` : "none";
    this.before.setAttribute("aria-disabled", this.first === 0);
    this.after.setAttribute("aria-disabled", this.first + ROWS >= total);
    COLUMNS.forEach((column, i) => {
      if (column.key !== this.order.key) this.heads[i].removeAttribute("aria-sort");
      else this.heads[i].setAttribute("aria-sort", this.order.way > 0 ? "ascending" : "descending");
    });
    this.mark();
  }

  row(call) {
    const { calls } = this.scan;
    const place = this.scan.contigs.length > 1 ? this.scan.place(call) : count(calls.anchor[call] + 1);
    const distance = calls.distance[call];
    return make("tr", { "data-call": call },
      make("th", { scope: "row" },
        make("button", { type: "button", class: "link", onclick: () => this.told.chose(call, true) }, calls.name[call])),
      make("td", { class: "number" }, place),
      make("td", { class: STRAND_WORDS[calls.strand[call]] },
        make("span", { "aria-hidden": "true" }, calls.strand[call] > 0 ? "+" : "−"),
        make("span", { class: "unseen" }, STRAND_WORDS[calls.strand[call]])),
      make("td", { class: "number" }, chance(toProbability(calls.logOdds[call]))),
      make("td", {}, calls.geneName[call] || "none"),
      make("td", { class: "number" }, distance === null ? "" : count(distance)));
  }

  /** Mark the chosen call's row. */
  mark() {
    for (const row of this.table.tBodies[0].rows) {
      if (Number(row.dataset.call) === this.track.call) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }
}
