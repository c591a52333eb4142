// The track: scores of both strands, calls, genes and, close up, bases; and moving along it.

const GUTTER = 46;
const LEAST_BASES = 30;
const LETTERS_FROM = 8; // pixels per base
const GLIDE = 160; // milliseconds
const NEAR = 7; // pixels
const DENSE_FROM = 400; // bases per pixel; from there on every pixel would hold a high score
const BIN = 4; // pixels
const CLOSE = 30_000; // bases
const STILL = window.matchMedia("(prefers-reduced-motion: reduce)");

class Track {
  /**
   * `told` has callbacks: `moved()`, `chose(call, open)`, `choseGene(gene)`, `said(sentence)`.
   */
  constructor(scan, host, canvas, overview, told) {
    Object.assign(this, { scan, host, canvas, overview, told });
    this.scale = "probability";
    this.call = -1;
    this.gene = -1;
    this.number = 0;
    this.start = 0;
    this.end = 1;
    this.aim = { start: 0, end: 1 };
    this.pointers = new Map();
    this.readColours();
    this.listen();
  }

  get contig() {
    return this.scan.contigs[this.number];
  }

  /** Bases in view as whole numbers, the first of them and the one behind the last. */
  get shown() {
    return [Math.max(0, Math.floor(this.aim.start)), Math.min(this.contig.length, Math.ceil(this.aim.end))];
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    this.colours = {};
    const names = ["ink", "quiet", "paper", "line", "band", "accent", "forward", "reverse", "a", "c", "g", "t"];
    for (const name of names) this.colours[name] = style.getPropertyValue(`--${name}`).trim();
    this.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  }

  // ---- Moving ----------------------------------------------------------------------------

  showContig(number) {
    this.number = number;
    this.contig.strands[1].fold();
    this.contig.strands[-1].fold();
    this.go(0, this.contig.length, false);
  }

  /** Show bases `start` to `end`, or what is nearest to that. */
  go(start, end, glide = true) {
    const length = this.contig.length;
    const width = Math.min(length, Math.max(LEAST_BASES, end - start));
    const middle = (start + end) / 2;
    const from = Math.min(length - width, Math.max(0, middle - width / 2));
    const before = { start: this.start, end: this.end };
    this.aim = { start: from, end: from + width };
    cancelAnimationFrame(this.gliding);
    if (!glide || STILL.matches) {
      Object.assign(this, this.aim);
      this.draw();
    } else {
      const begun = performance.now();
      const step = (now) => {
        const part = Math.min(1, Math.max(0, (now - begun) / GLIDE));
        const eased = 1 - (1 - part) ** 3;
        this.start = before.start + (this.aim.start - before.start) * eased;
        this.end = before.end + (this.aim.end - before.end) * eased;
        this.draw();
        if (part < 1) this.gliding = requestAnimationFrame(step);
      };
      this.gliding = requestAnimationFrame(step);
    }
    this.told.moved();
  }

  zoom(factor, at = (this.aim.start + this.aim.end) / 2, glide = true) {
    const width = Math.min(this.contig.length, Math.max(LEAST_BASES, (this.aim.end - this.aim.start) * factor));
    const part = (at - this.aim.start) / (this.aim.end - this.aim.start);
    const start = at - part * width;
    this.go(start, start + width, glide);
  }

  move(part, glide = true) {
    const shift = (this.aim.end - this.aim.start) * part;
    const room = Math.min(this.contig.length - this.aim.end, Math.max(-this.aim.start, shift));
    this.go(this.aim.start + room, this.aim.end + room, glide);
  }

  /** Whether a call is in view, and close enough to be told from its neighbours. */
  shows(call) {
    const anchor = this.scan.calls.anchor[call];
    const [start, end] = this.shown;
    return this.scan.calls.contig[call] === this.number &&
      anchor >= start && anchor < end && end - start <= CLOSE;
  }

  /** Bring a call into view, close enough to see what it lies before. */
  goToCall(call) {
    if (this.scan.calls.contig[call] !== this.number) this.showContig(this.scan.calls.contig[call]);
    const anchor = this.scan.calls.anchor[call];
    const width = Math.min(this.aim.end - this.aim.start, CLOSE / 5);
    this.go(anchor - width / 2, anchor + width / 2);
  }

  goToGene(gene) {
    const { contig, start, end } = this.scan.genes;
    if (contig[gene] !== this.number) this.showContig(contig[gene]);
    const margin = Math.max(600, (end[gene] - start[gene]) / 2);
    this.gene = gene;
    this.go(start[gene] - margin, end[gene] + margin);
  }

  /** Choose the next call of the contig behind the chosen one, or before it (`way` -1). */
  step(way) {
    const { calls, callsAt } = this.contig;
    if (!calls.length) {
      this.told.said("This contig has no calls.");
      return;
    }
    const chosen = calls.indexOf(this.call);
    const [start, end] = this.shown;
    const visible = chosen >= 0 && callsAt[chosen] >= start && callsAt[chosen] < end;
    let next = visible
      ? chosen + way
      : way > 0 ? lowerBound(callsAt, start) : lowerBound(callsAt, end) - 1;
    next = (next + calls.length) % calls.length;
    this.told.chose(calls[next], false);
    if (callsAt[next] < start || callsAt[next] >= end) this.goToCall(calls[next]);
  }

  // ---- Drawing ---------------------------------------------------------------------------

  get pixels() {
    return (this.width - GUTTER) / (this.end - this.start);
  }

  x(base) {
    return GUTTER + (base - this.start) * this.pixels;
  }

  base(x) {
    return this.start + (x - GUTTER) / this.pixels;
  }

  /** Whether so much is in view that calls are counted instead of scores drawn. */
  get far() {
    return 1 / this.pixels > DENSE_FROM;
  }

  /** Places, from the top, of what is drawn. */
  lay() {
    const letters = this.pixels >= LETTERS_FROM ? 34 : 0;
    const rows = { ruler: 0, callsUp: 26, top: 42 };
    rows.bottom = this.height - 58 - letters - 18;
    rows.zero = (rows.top + rows.bottom) / 2;
    rows.half = rows.zero - rows.top;
    rows.callsDown = rows.bottom + 2;
    rows.genesUp = rows.bottom + 22;
    rows.letters = rows.genesUp + 24;
    rows.genesDown = rows.letters + letters + 4;
    return rows;
  }

  resize() {
    for (const canvas of [this.canvas, this.overview]) {
      const box = canvas.getBoundingClientRect();
      const sharp = window.devicePixelRatio || 1;
      canvas.width = Math.round(box.width * sharp);
      canvas.height = Math.round(box.height * sharp);
      canvas.getContext("2d").setTransform(sharp, 0, 0, sharp, 0, 0);
    }
    const box = this.canvas.getBoundingClientRect();
    this.width = box.width;
    this.height = box.height;
    this.draw();
  }

  draw() {
    if (!this.width) return;
    const pen = this.canvas.getContext("2d");
    const rows = this.lay();
    pen.clearRect(0, 0, this.width, this.height);
    pen.font = this.font;
    this.drawRuler(pen, rows);
    if (this.far) this.drawDensity(pen, rows);
    else this.drawScores(pen, rows);
    this.drawCalls(pen, rows);
    this.drawGenes(pen, rows);
    if (rows.genesDown - rows.letters > 10) this.drawLetters(pen, rows);
    this.drawOverview();
  }

  drawRuler(pen, rows) {
    const { ink, quiet, line } = this.colours;
    const apart = niceStep(((this.end - this.start) / (this.width - GUTTER)) * 110);
    pen.textAlign = "center";
    pen.textBaseline = "top";
    // Bases are shown counted from 1, and marked at their middle.
    for (let at = Math.ceil(this.start / apart) * apart; at <= this.end; at += apart) {
      const mark = Math.max(1, at);
      const x = this.x(mark - 0.5);
      if (x < GUTTER) continue;
      pen.fillStyle = line;
      pen.fillRect(Math.round(x), 18, 1, rows.bottom - 18);
      const text = count(mark);
      const half = pen.measureText(text).width / 2;
      pen.fillStyle = quiet;
      if (x - half > 2 && x + half < this.width) pen.fillText(text, x, 2);
    }
    pen.fillStyle = ink;
    pen.fillRect(GUTTER, Math.round(rows.zero), this.width - GUTTER, 1);
  }

  /** Mark heights, each a number with what to write beside it, on both strands. */
  drawTicks(pen, rows, ticks) {
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const [height, text] of ticks) {
      for (const strand of height ? [1, -1] : [1]) {
        const y = rows.zero - strand * height * rows.half;
        pen.fillStyle = this.colours.quiet;
        pen.fillText(text, GUTTER - 6, y);
        pen.fillRect(GUTTER - 4, Math.round(y), 4, 1);
      }
    }
  }

  /** Calls per thousand bases, which is what can be seen from afar. */
  drawDensity(pen, rows) {
    const bins = Math.max(1, Math.floor((this.width - GUTTER) / BIN));
    const counts = this.countCalls(this.start, this.end, bins);
    const perBin = (this.end - this.start) / bins / 1000;
    const most = Math.max(1, ...counts[1], ...counts[-1]);
    for (const strand of [1, -1]) {
      pen.fillStyle = strand > 0 ? this.colours.forward : this.colours.reverse;
      counts[strand].forEach((n, i) => {
        const height = (n / most) * rows.half;
        pen.fillRect(GUTTER + i * BIN, strand > 0 ? rows.zero - height : rows.zero, BIN - 1, height);
      });
    }
    this.drawTicks(pen, rows, [[0, "0"], [1, (most / perBin).toPrecision(2)]]);
    pen.textAlign = "left";
    pen.fillStyle = this.colours.quiet;
    pen.fillText("calls per thousand bases; zoom in for scores", GUTTER + 4, rows.callsUp + 4);
  }

  drawScores(pen, rows) {
    const ticks = this.scale === "logOdds" ? [0.01, 0.5, 0.99, 0.9999] : [0, 0.5, 1];
    this.drawTicks(pen, rows, ticks.map((tick) => [this.scan.heightOf(tick, this.scale), String(tick)]));
    const perPixel = 1 / this.pixels;
    const length = this.contig.length;
    for (const strand of [1, -1]) {
      const scores = this.contig.strands[strand];
      pen.fillStyle = strand > 0 ? this.colours.forward : this.colours.reverse;
      pen.beginPath();
      for (let x = GUTTER; x < this.width; x++) {
        const from = this.base(x);
        const to = Math.min(length, from + perPixel);
        // Close up, a pixel lies within one base: that base's score, and no neighbour's.
        const code = perPixel <= this.scan.step
          ? scores.at(Math.min(length - 1, Math.floor(from + perPixel / 2)))
          : scores.highest(from, to);
        if (!code || from >= length) continue;
        const height = Math.max(0.6, this.scan.height(code, this.scale) * rows.half);
        pen.rect(x, strand > 0 ? rows.zero - height : rows.zero, 1, height);
      }
      pen.fill();
      pen.strokeStyle = this.colours.ink;
      pen.globalAlpha = 0.55;
      pen.setLineDash([5, 4]);
      const y = rows.zero - strand * this.scan.heightOf(this.scan.threshold, this.scale) * rows.half;
      pen.beginPath();
      pen.moveTo(GUTTER, Math.round(y) + 0.5);
      pen.lineTo(this.width, Math.round(y) + 0.5);
      pen.stroke();
      pen.setLineDash([]);
      pen.globalAlpha = 1;
    }
  }

  drawCalls(pen, rows) {
    const { calls } = this.scan;
    const last = { 1: -9, "-1": -9 };
    const mark = (call, size) => {
      const strand = calls.strand[call];
      const x = this.x(calls.anchor[call] + 0.5);
      const y = strand > 0 ? rows.callsUp + 13 : rows.callsDown + 2;
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(x - size, y - strand * size * 1.7);
      pen.lineTo(x + size, y - strand * size * 1.7);
      pen.fill();
    };
    for (const call of this.far ? [] : this.scan.callsIn(this.contig, this.start, this.end)) {
      const strand = calls.strand[call];
      const x = this.x(calls.anchor[call] + 0.5);
      // One mark for calls that share a pixel.
      if (x - last[strand] < 1) continue;
      last[strand] = x;
      pen.fillStyle = strand > 0 ? this.colours.forward : this.colours.reverse;
      mark(call, 4.5);
    }
    if (this.call >= 0 && calls.contig[this.call] === this.number) {
      const x = this.x(calls.anchor[this.call] + 0.5);
      if (x >= GUTTER && x <= this.width) {
        pen.fillStyle = this.colours.ink;
        mark(this.call, 6.5);
        pen.globalAlpha = 0.8;
        pen.fillRect(Math.round(x) - 0.5, rows.top, 1, rows.bottom - rows.top);
        pen.globalAlpha = 1;
      }
    }
  }

  drawGenes(pen, rows) {
    const { ink, quiet, forward, reverse } = this.colours;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    pen.fillStyle = quiet;
    pen.fillText("+", GUTTER - 5, rows.genesUp + 10);
    pen.fillText("−", GUTTER - 5, rows.genesDown + 10);
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, 0, this.width - GUTTER, this.height);
    pen.clip();
    pen.textAlign = "center";
    for (const { gene, start, end } of this.scan.genesIn(this.contig, this.start, this.end)) {
      const strand = this.scan.genes.strand[gene];
      const top = strand > 0 ? rows.genesUp : rows.genesDown;
      const left = Math.max(-20, this.x(start));
      const right = Math.min(this.width + 20, this.x(end));
      const width = Math.max(1, right - left);
      const head = Math.min(8, width / 2);
      pen.fillStyle = strand > 0 ? forward : reverse;
      pen.beginPath();
      if (width < 4) {
        pen.rect(left, top, width, 20);
      } else {
        const [tail, neck, tip] = strand > 0 ? [left, right - head, right] : [right, left + head, left];
        pen.moveTo(tail, top);
        pen.lineTo(neck, top);
        pen.lineTo(tip, top + 10);
        pen.lineTo(neck, top + 20);
        pen.lineTo(tail, top + 20);
        pen.closePath();
      }
      pen.globalAlpha = 0.25;
      pen.fill();
      pen.globalAlpha = 1;
      if (gene === this.gene || width >= 12) {
        pen.strokeStyle = gene === this.gene ? ink : pen.fillStyle;
        pen.lineWidth = gene === this.gene ? 2 : 0.75;
        pen.stroke();
        pen.lineWidth = 1;
      }
      const name = this.scan.genes.name[gene];
      const from = Math.max(GUTTER, left);
      const to = Math.min(this.width, right);
      if (to - from > pen.measureText(name).width + 12) {
        pen.fillStyle = ink;
        pen.fillText(name, (from + to) / 2, top + 10.5);
      }
    }
    pen.restore();
  }

  drawLetters(pen, rows) {
    const colours = { A: this.colours.a, C: this.colours.c, G: this.colours.g, T: this.colours.t, N: this.colours.quiet };
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = `bold ${this.font}`;
    const last = Math.min(this.contig.length, Math.ceil(this.end));
    for (let base = Math.max(0, Math.floor(this.start)); base < last; base++) {
      const x = this.x(base + 0.5);
      if (x < GUTTER + 4) continue;
      for (const [strand, y] of [[1, rows.letters + 8], [-1, rows.letters + 24]]) {
        const letter = this.scan.letter(this.contig, base, strand);
        pen.fillStyle = colours[letter];
        pen.fillText(letter, x, y);
      }
    }
    pen.font = this.font;
  }

  drawOverview() {
    const box = this.overview.getBoundingClientRect();
    const pen = this.overview.getContext("2d");
    const { accent, band, ink, forward, reverse } = this.colours;
    const width = box.width - GUTTER;
    const middle = box.height / 2;
    pen.clearRect(0, 0, box.width, box.height);
    pen.fillStyle = band;
    pen.fillRect(GUTTER, 0, width, box.height);
    const bins = Math.max(1, Math.floor(width / BIN));
    if (this.overviewKey !== `${this.number} ${bins}`) {
      this.overviewKey = `${this.number} ${bins}`;
      this.overviewCounts = this.countCalls(0, this.contig.length, bins);
    }
    const most = Math.max(1, ...this.overviewCounts[1], ...this.overviewCounts[-1]);
    for (const strand of [1, -1]) {
      pen.fillStyle = strand > 0 ? forward : reverse;
      this.overviewCounts[strand].forEach((n, i) => {
        const height = (n / most) * (middle - 3);
        pen.fillRect(GUTTER + i * BIN, strand > 0 ? middle - height : middle, BIN - 1, height);
      });
    }
    pen.fillStyle = ink;
    pen.fillRect(GUTTER, Math.round(middle), width, 1);
    const left = GUTTER + (this.start / this.contig.length) * width;
    const wide = Math.max(3, ((this.end - this.start) / this.contig.length) * width);
    pen.globalAlpha = 0.18;
    pen.fillStyle = accent;
    pen.fillRect(left, 0, wide, box.height);
    pen.globalAlpha = 1;
    pen.strokeStyle = accent;
    pen.lineWidth = 2;
    pen.strokeRect(left, 1, wide, box.height - 2);
    pen.lineWidth = 1;
  }

  /** Count the calls of each strand in equal parts of a stretch. */
  countCalls(start, end, bins) {
    const counts = { 1: new Array(bins).fill(0), "-1": new Array(bins).fill(0) };
    for (const call of this.scan.callsIn(this.contig, start, end)) {
      const bin = Math.floor(((this.scan.calls.anchor[call] - start) / (end - start)) * bins);
      counts[this.scan.calls.strand[call]][bin]++;
    }
    return counts;
  }

  // ---- Pointer and keys ------------------------------------------------------------------

  /** The call or gene at a place of the canvas, or -1 for either. */
  hit(x, y) {
    const rows = this.lay();
    const found = { call: -1, gene: -1 };
    if (x < GUTTER) return found;
    if (y >= rows.genesUp - 2) {
      const strand = y < rows.letters ? 1 : -1;
      const base = this.base(x);
      const near = 2 / this.pixels;
      for (const { gene, start, end } of this.scan.genesIn(this.contig, base - near, base + near)) {
        if (this.scan.genes.strand[gene] === strand && start <= base + near && end >= base - near) {
          found.gene = gene;
        }
      }
    } else if (y > rows.callsUp - 4) {
      const strand = y < rows.zero ? 1 : -1;
      const near = (this.far ? BIN : NEAR) / this.pixels;
      const base = this.base(x) - 0.5;
      let best = -Infinity;
      for (const call of this.scan.callsIn(this.contig, base - near, base + near)) {
        if (this.scan.calls.strand[call] === strand && this.scan.calls.logOdds[call] > best) {
          best = this.scan.calls.logOdds[call];
          found.call = call;
        }
      }
    }
    return found;
  }

  chooseAt(x, y) {
    const { call, gene } = this.hit(x, y);
    if (call >= 0) this.told.chose(call, true);
    else if (gene >= 0) this.chooseGene(gene);
  }

  chooseGene(gene) {
    this.gene = gene;
    this.draw();
    this.told.choseGene(gene);
  }

  listen() {
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.host.addEventListener("keydown", (event) => this.key(event));
    this.host.addEventListener("wheel", (event) => {
      const [x] = at(event);
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        this.zoom(Math.exp(event.deltaY / 250), this.base(x), false);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        const pixels = event.deltaX || event.deltaY;
        this.move(pixels / (this.width - GUTTER), false);
      }
    }, { passive: false });

    this.host.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.host.setPointerCapture(event.pointerId);
      const [x, y] = at(event);
      this.pointers.set(event.pointerId, { x, y, beganAt: x, dragged: this.pointers.size > 0 });
    });
    this.host.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      const pointer = this.pointers.get(event.pointerId);
      if (!pointer) {
        this.told.hovered(x, y);
        return;
      }
      if (Math.abs(x - pointer.beganAt) > 4) pointer.dragged = true;
      const others = [...this.pointers.values()].filter((other) => other !== pointer);
      if (others.length === 1) {
        const before = Math.abs(pointer.x - others[0].x);
        const now = Math.abs(x - others[0].x);
        others[0].dragged = true;
        if (before > 8 && now > 8) this.zoom(before / now, this.base(others[0].x), false);
      } else if (pointer.dragged) {
        this.move((pointer.x - x) / (this.width - GUTTER), false);
      }
      Object.assign(pointer, { x, y });
    });
    this.host.addEventListener("pointerup", (event) => {
      const pointer = this.pointers.get(event.pointerId);
      this.pointers.delete(event.pointerId);
      if (pointer && !pointer.dragged) this.chooseAt(pointer.x, pointer.y);
    });
    this.host.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    this.host.addEventListener("pointerleave", () => this.told.hovered(-1, -1));
    this.host.addEventListener("dblclick", (event) => this.zoom(0.4, this.base(at(event)[0])));

    const jump = (event) => {
      const box = this.overview.getBoundingClientRect();
      const part = (event.clientX - box.left - GUTTER) / (box.width - GUTTER);
      const half = (this.aim.end - this.aim.start) / 2;
      this.go(part * this.contig.length - half, part * this.contig.length + half, false);
    };
    this.overview.addEventListener("pointerdown", (event) => {
      this.overview.setPointerCapture(event.pointerId);
      jump(event);
    });
    this.overview.addEventListener("pointermove", (event) => {
      if (this.overview.hasPointerCapture(event.pointerId)) jump(event);
    });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const far = event.shiftKey ? 0.8 : 0.2;
    const actions = {
      ArrowLeft: () => this.move(-far),
      ArrowRight: () => this.move(far),
      ArrowUp: () => this.zoom(0.5),
      ArrowDown: () => this.zoom(2),
      "+": () => this.zoom(0.5),
      "=": () => this.zoom(0.5),
      "-": () => this.zoom(2),
      0: () => this.go(0, this.contig.length),
      Home: () => this.go(0, this.aim.end - this.aim.start),
      End: () => this.go(this.contig.length - (this.aim.end - this.aim.start), this.contig.length),
      n: () => this.step(1),
      p: () => this.step(-1),
      Enter: () => this.open(),
      " ": () => this.open(),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  }

  /** Open the chosen call if it is in view, else the one nearest to the middle. */
  open() {
    const [start, end] = this.shown;
    const visible = this.scan.callsIn(this.contig, start, end);
    if (!visible.length) {
      this.told.said("No call is in view. N goes to the next one.");
      return;
    }
    const middle = (start + end) / 2;
    const far = (call) => Math.abs(this.scan.calls.anchor[call] - middle);
    const nearest = visible.reduce((best, call) => (far(call) < far(best) ? call : best));
    this.told.chose(visible.includes(this.call) ? this.call : nearest, true);
  }
}

/** The least of 1, 2 and 5 times a power of ten that is not below `least`. */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least) ?? 10 * power;
}
