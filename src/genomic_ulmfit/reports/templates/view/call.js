// A call close up: where it is, what it scores, its sequence and what stands in it.

const ROW_HEIGHT = 92;
const BAR_HEIGHT = 40;
const LOGO_UP = 48; // pixels of the tallest letter, on the line or below it
const LOGO_HEIGHT = 2 * LOGO_UP;
const LETTER = { width: 8.4, height: 10.2 }; // pixels of a capital of the strip's font
const LEAST_CELL = 9.6; // pixels that a letter needs

class CallPanel {
  constructor(scan, title, body, track, told) {
    Object.assign(this, { scan, title, body, track, told });
    this.call = -1;
    new ResizeObserver(() => this.drawStrip()).observe(body);
  }

  show(call) {
    this.call = call;
    const { calls, genes } = this.scan;
    const strand = calls.strand[call];
    const seen = this.scan.window(call);
    this.seen = seen;
    this.logo = this.scan.logo(call);
    this.hint = this.scan.promoters ? bestHexamers(seen.letters, this.scan.anchor) : null;
    if (this.hint) this.hint.byChance = shufflesAsGood(seen.letters, this.scan.anchor, this.hint.same);

    const gene = calls.gene[call];
    const near = make("dd", {}, `${this.scan.sayGeneOf(call)}. `);
    if (gene >= 0) {
      const label = genes.tag[gene] && genes.tag[gene] !== genes.name[gene]
        ? `Show ${genes.name[gene]} (${genes.tag[gene]})` : `Show ${genes.name[gene]}`;
      near.append(make("button", { type: "button", class: "link", onclick: () => this.told.gene(gene) }, label));
      if (genes.product[gene]) near.append(make("span", { class: "product" }, genes.product[gene]));
    }
    const ends = [seen.bases[0], seen.bases.at(-1)];
    const [low, high] = strand > 0 ? ends : ends.reverse();
    const where = `${this.scan.contigs[calls.contig[call]].name}:${low + 1}-${high + 1}`;
    const header = `>${calls.name[call]} ${where} ${STRAND_WORDS[strand]}`;
    const fasta = `${header}\n${seen.letters.match(/.{1,70}/g).join("\n")}`;
    this.strip = make("div", { class: "strip" });
    const sequence = make("pre", { tabindex: "0", "aria-label": "Sequence of the window, FASTA" }, fasta);

    this.title.replaceChildren(
      calls.name[call], " ",
      make("span", { class: `badge ${STRAND_WORDS[strand]}` }, `${STRAND_WORDS[strand]} strand`));
    this.body.replaceChildren(
      make("dl", { class: "facts" },
        make("div", {}, make("dt", {}, "Anchor"), make("dd", {}, this.scan.place(call))),
        make("div", {}, make("dt", {}, "Probability"),
          make("dd", {}, make("b", {}, chance(toProbability(calls.logOdds[call]))),
            ` (log-odds ${calls.logOdds[call].toFixed(2)})`)),
        make("div", {}, make("dt", {}, "Window"), make("dd", {},
          `${count(low + 1)} to ${count(high + 1)}`)),
        make("div", { class: "wide" }, make("dt", {}, "Nearest gene downstream"), near)),
      make("figure", {}, this.strip, make("figcaption", {}, this.caption())),
      make("details", {}, make("summary", {}, "Sequence"), sequence,
        make("button", { type: "button", onclick: () => this.copy(fasta, sequence) }, "Copy FASTA")),
      make("div", { class: "buttons" },
        make("button", { type: "button", onclick: () => this.told.step(-1) }, "Previous call"),
        make("button", { type: "button", onclick: () => this.told.step(1) }, "Next call"),
        make("button", { type: "button", onclick: () => this.told.back() }, "Back to the track")));
    this.drawStrip();
  }

  caption() {
    const said = [
      `The window read 5′ to 3′, its anchor marked ▾ and numbered +1; no base is 0. Bars: the score of the window ` +
        `that has its anchor at that base. ${this.sayLogo()}`,
    ];
    if (this.hint) {
      said.push(
        ` Boxed: the two hexamers before the anchor, 15 to 19 bases apart, that are most like ` +
          `the σ70 boxes ${MINUS_35} (−35) and ${MINUS_10} (−10). They are found by their letters ` +
          `alone: ${this.hint.same} of 12 match, ${this.hint.spacer} bases apart. In ` +
          `${this.hint.byChance} of ${SHUFFLES} shufflings of this window a pair is as good or better.`);
    }
    return said.join("");
  }

  /** What the logo is, or why there is none. */
  sayLogo() {
    const { logos } = this.scan;
    if (this.logo) {
      return "Logo: how far each base lifts (up) or lowers (down) the log-odds of the window, read by " +
        "itself, over those of equal parts of all bases (integrated gradients); the tallest letter " +
        `stands for ${this.logo.tallest.toFixed(2)}.`;
    }
    if (logos.call.length) {
      return `Logos are drawn for the ${count(logos.call.length)} highest calls alone; letters do not ` +
        "tell which bases the model went by.";
    }
    return "Letters are coloured by base; they do not tell which bases the model went by.";
  }

  /** Draw letters, bars and the logo in as many rows as the panel's width asks for. */
  drawStrip() {
    if (this.call < 0) return;
    const room = this.body.clientWidth;
    const perRow = Math.max(20, Math.floor((room - 4) / LEAST_CELL / 10) * 10);
    const cell = Math.min(13, (room - 4) / perRow);
    if (!room || (this.strip.firstChild && this.drawn === room)) return;
    this.drawn = room;
    const { letters, codes } = this.seen;
    const rows = Math.ceil(letters.length / perRow);
    const rowHeight = ROW_HEIGHT + (this.logo ? LOGO_HEIGHT : 0);
    const [width, height] = [perRow * cell + 4, rows * rowHeight];
    const { minus35, minus10 } = this.hint ?? { minus35: -99, minus10: -99 };
    const picture = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
    picture.setAttribute("aria-label", this.describe());
    const put = (tag, attributes, text) => picture.append(makeSvg(tag, attributes, text));
    for (let i = 0; i < letters.length; i++) {
      const x = 2 + (i % perRow) * cell;
      const y = Math.floor(i / perRow) * rowHeight;
      const base = y + 16 + BAR_HEIGHT;
      const boxed = [minus35, minus10].find((first) => i >= first && i < first + 6);
      if (boxed !== undefined) {
        put("rect", { x, y: base + 3, width: cell, height: 19, class: "box" });
        if (i === boxed || i % perRow === 0) {
          put("text", { x: x + 1, y: base + 33, class: "note" }, boxed === minus35 ? "−35?" : "−10?");
        }
      }
      if (codes[i]) {
        const tall = Math.max(0.8, this.scan.height(codes[i], this.track.scale) * BAR_HEIGHT);
        put("rect", { x: x + 1, y: base - tall, width: cell - 2, height: tall, class: `bar ${STRAND_WORDS[this.scan.calls.strand[this.call]]}` });
      }
      put("text", { x: x + cell / 2, y: base + 17, class: `base ${letters[i].toLowerCase()}` }, letters[i]);
      if (this.logo) this.drawLogoLetter(put, i, x + cell / 2, y + ROW_HEIGHT + LOGO_UP, cell);
      if (i === this.scan.anchor) put("text", { x: x + cell / 2, y: y + 14, class: "anchor" }, "▾");
      else if (this.fromSite(i) % 20 === 0) {
        // At either end of a row, half of it would be cut off.
        let at = { x: x + cell / 2 };
        if (i % perRow === 0) at = { x, style: "text-anchor: start" };
        if (i % perRow === perRow - 1) at = { x: x + cell, style: "text-anchor: end" };
        put("text", { ...at, y: y + 11, class: "place" }, this.sayFromSite(i));
      }
    }
    for (let row = 0; this.logo && row < rows; row++) {
      const y = row * rowHeight + ROW_HEIGHT + LOGO_UP;
      const inRow = Math.min(perRow, letters.length - row * perRow);
      put("line", { x1: 2, x2: 2 + inRow * cell, y1: y, y2: y, class: "level" });
    }
    this.strip.replaceChildren(picture);
  }

  /** Stand a base's letter on the line at `y`, or hang it below, as tall as what it contributes. */
  drawLogoLetter(put, i, x, y, cell) {
    const share = this.logo.shares[i];
    if (!share) return;
    const tall = Math.abs(share) * LOGO_UP;
    const [wide, high] = [cell / LETTER.width, tall / LETTER.height];
    const letter = this.seen.letters[i];
    put("text", {
      transform: `translate(${x} ${share > 0 ? y : y + tall}) scale(${wide} ${high})`,
      class: `logo ${letter.toLowerCase()}`,
    }, letter);
  }

  /** Number a base of the window from the site, which is +1; as `explain` does. */
  fromSite(i) {
    return i - this.scan.anchor + (i >= this.scan.anchor ? 1 : 0);
  }

  sayFromSite(i) {
    return `${i < this.scan.anchor ? "−" : "+"}${Math.abs(this.fromSite(i))}`;
  }

  describe() {
    const { letters } = this.seen;
    let said = `Sequence of ${letters.length} bases with the score at each.`;
    if (this.logo) {
      const { shares } = this.logo;
      const order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]);
      const most = order.slice(0, 5).filter((i) => shares[i] > 0);
      const listed = most.map((i) => `${letters[i]} at ${this.sayFromSite(i)}`).join(", ");
      said += ` Bases that speak most for the call: ${listed || "none"}.`;
    }
    if (!this.hint) return said;
    const { minus35, minus10 } = this.hint;
    const at = (first) => `${letters.slice(first, first + 6)} from ${this.sayFromSite(first)} on`;
    return `${said} Nearest to the −35 box: ${at(minus35)}. Nearest to the −10 box: ${at(minus10)}.`;
  }

  async copy(text, sequence) {
    try {
      await navigator.clipboard.writeText(text);
      this.told.said("Copied.");
    } catch {
      getSelection().selectAllChildren(sequence);
      this.told.said("Selected; copy it with Control and C.");
    }
  }
}
