// Finding a place by gene name, locus tag, call or position: an editable combobox with a list.

const MOST_FOUND = 12;

class Search {
  constructor(scan, input, list, track, told) {
    Object.assign(this, { scan, input, list, track, told });
    this.found = [];
    this.active = -1;
    this.lower = {};
    for (const key of ["name", "tag", "product"]) {
      this.lower[key] = scan.genes[key].map((text) => text.toLowerCase());
    }
    this.callNames = scan.calls.name.map((text) => text.toLowerCase());
    input.addEventListener("input", () => this.look());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => this.close());
    // Pressing on an option must not take the focus away before the click.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  /** Positions first, then genes by how well they match, then calls. */
  matching(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return [];
    const ranked = [];
    const { name, tag, product } = this.lower;
    for (let gene = 0; gene < name.length; gene++) {
      let rank = -1;
      if (name[gene] === wanted || tag[gene] === wanted) rank = 0;
      else if (name[gene].startsWith(wanted) || tag[gene].startsWith(wanted)) rank = 1;
      else if (name[gene].includes(wanted) || tag[gene].includes(wanted)) rank = 2;
      else if (product[gene].includes(wanted)) rank = 3;
      if (rank >= 0) ranked.push({ rank, gene });
    }
    ranked.sort((a, b) => a.rank - b.rank || a.gene - b.gene);
    const calls = [];
    for (let call = 0; call < this.callNames.length && calls.length < MOST_FOUND; call++) {
      if (this.callNames[call] === wanted) calls.unshift({ call });
      else if (this.callNames[call].startsWith(wanted)) calls.push({ call });
    }
    return [...this.positions(text), ...ranked.slice(0, MOST_FOUND), ...calls].slice(0, MOST_FOUND);
  }

  /** `12000`, `12,000-15,000` or `contig:12000..15000`, counted from 1. */
  positions(text) {
    const parts = /^\s*(?:(.+):)?\s*([\d,]+)(?:\s*(?:-|–|\.\.)\s*([\d,]+))?\s*$/.exec(text);
    if (!parts) return [];
    const number = parts[1] === undefined
      ? this.track.number : this.scan.contigs.findIndex((contig) => contig.name === parts[1].trim());
    const start = Number(parts[2].replaceAll(",", "")) - 1;
    const end = parts[3] === undefined ? start + 1 : Number(parts[3].replaceAll(",", ""));
    if (number < 0 || start < 0 || end <= start || end > this.scan.contigs[number].length) return [];
    return [{ number, start, end }];
  }

  label(one) {
    const { genes } = this.scan;
    if (one.number !== undefined) {
      const bases = one.end - one.start === 1
        ? `base ${count(one.end)}` : `bases ${count(one.start + 1)} to ${count(one.end)}`;
      return [this.scan.contigs[one.number].name, bases];
    }
    if (one.call !== undefined) {
      return [this.scan.calls.name[one.call], `call at ${this.scan.place(one.call)}`];
    }
    const tag = genes.tag[one.gene] === genes.name[one.gene] ? "" : genes.tag[one.gene];
    const contig = this.scan.contigs.length > 1 ? this.scan.contigs[genes.contig[one.gene]].name : "";
    return [genes.name[one.gene], [tag, genes.product[one.gene], contig].filter(Boolean).join(" · ")];
  }

  look() {
    this.found = this.matching(this.input.value);
    this.active = -1;
    this.list.replaceChildren(...this.found.map((one, i) => {
      const [name, more] = this.label(one);
      return make("li", { role: "option", id: `found-${i}`, "aria-selected": "false", onclick: () => this.take(i) },
        make("b", {}, name), " ", make("span", {}, more));
    }));
    const open = this.found.length > 0;
    this.list.hidden = !open;
    this.input.setAttribute("aria-expanded", open);
    this.input.removeAttribute("aria-activedescendant");
    if (this.input.value.trim()) this.told.said(open ? `${this.found.length} found.` : "Nothing found.");
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  point(index) {
    this.active = (index + this.found.length) % this.found.length;
    [...this.list.children].forEach((item, i) => {
      item.setAttribute("aria-selected", i === this.active);
      if (i === this.active) item.scrollIntoView({ block: "nearest" });
    });
    this.input.setAttribute("aria-activedescendant", `found-${this.active}`);
  }

  take(index) {
    const one = this.found[index];
    this.input.value = this.label(one)[0];
    this.close();
    this.told.found(one);
  }

  key(event) {
    if (event.key === "Escape") {
      if (this.list.hidden) this.input.value = "";
      this.close();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.list.hidden) this.look();
      if (this.found.length) this.take(Math.max(0, this.active));
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.list.hidden) this.look();
      if (this.found.length) {
        const down = event.key === "ArrowDown";
        this.point(this.active < 0 ? (down ? 0 : -1) : this.active + (down ? 1 : -1));
      }
    }
  }
}
