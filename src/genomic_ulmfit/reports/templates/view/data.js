"use strict";
// What the page was written with: unpacking it, and looking things up in it.
// Bases are counted from 0 here and from 1 wherever they are shown; strands are 1 and -1.

const BEGUN = performance.mark("view:start");
const STRAND_WORDS = { 1: "forward", "-1": "reverse" };
const FOLD = 4;

/** Read bytes that were deflated and written in base64 into an element. */
async function unpack(id) {
  const element = document.getElementById(id);
  const text = element.textContent;
  element.remove();
  const packed = Uint8Array.fromBase64
    ? Uint8Array.fromBase64(text)
    : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Index of the first of ascending `values` that is not below `least`. */
function lowerBound(values, least) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Scores of one strand of one contig, at every zoom: each level folds four bins of the last. */
class Scores {
  constructor(codes, origin, step) {
    this.origin = origin;
    this.step = step;
    this.levels = [codes];
  }

  /** Fold bins until few are left. Done when a contig is first shown. */
  fold() {
    while (this.levels.at(-1).length > 256) {
      const fine = this.levels.at(-1);
      const coarse = new Uint8Array(Math.ceil(fine.length / FOLD));
      for (let i = 0; i < fine.length; i++) {
        const bin = i >> 2;
        if (fine[i] > coarse[bin]) coarse[bin] = fine[i];
      }
      this.levels.push(coarse);
    }
  }

  /** Code of one base; 0 is no score. */
  at(base) {
    return this.levels[0][Math.floor((base - this.origin) / this.step)] ?? 0;
  }

  /** Highest code of bases from `start` to below `end`. */
  highest(start, end) {
    let size = this.step;
    let level = 0;
    while (level + 1 < this.levels.length && size * FOLD <= end - start) {
      size *= FOLD;
      level++;
    }
    const bins = this.levels[level];
    const last = Math.min(bins.length, Math.ceil((end - this.origin) / size));
    let best = 0;
    for (let i = Math.max(0, Math.floor((start - this.origin) / size)); i < last; i++) {
      if (bins[i] > best) best = bins[i];
    }
    return best;
  }
}

class Scan {
  constructor(content, forward, reverse, sequence, logos) {
    Object.assign(this, content);
    this.logoHeights = new Int8Array(logos.buffer, logos.byteOffset, logos.byteLength);
    this.logoOf = new Map(content.logos.call.map((call, row) => [call, row]));
    this.sequence = sequence;
    this.contigs = [];
    const offsets = { forward: 0, reverse: 0, bases: 0 };
    const { name, length } = content.contigs;
    for (let i = 0; i < name.length; i++) {
      const strands = {};
      for (const [strand, word, codes] of [[1, "forward", forward], [-1, "reverse", reverse]]) {
        const [origin, bins] = content.contigs[word][i];
        const part = codes.subarray(offsets[word], offsets[word] + bins);
        strands[strand] = new Scores(part, origin, content.step);
        offsets[word] += bins;
      }
      this.contigs.push({ name: name[i], length: length[i], offset: offsets.bases, strands });
      offsets.bases += length[i];
    }
    for (const [kind, place] of [["genes", "start"], ["calls", "anchor"]]) {
      this.contigs.forEach((contig) => (contig[kind] = []));
      this[kind].contig.forEach((contig, index) => this.contigs[contig][kind].push(index));
      for (const contig of this.contigs) {
        contig[kind].sort((a, b) => this[kind][place][a] - this[kind][place][b]);
        contig[`${kind}At`] = contig[kind].map((index) => this[kind][place][index]);
      }
    }
    for (const contig of this.contigs) {
      contig.longestGene = contig.genes.reduce(
        (most, gene) => Math.max(most, this.genes.end[gene] - this.genes.start[gene]), 0);
    }
    this.probabilities = Float64Array.from({ length: this.steps + 2 }, (_, code) =>
      code ? toProbability(((code - 1) / this.steps) * 2 * this.limit - this.limit) : NaN);
  }

  /** How high a code stands, 0 to 1, on one of the two scales. */
  height(code, scale) {
    return scale === "logOdds" ? (code - 1) / this.steps : this.probabilities[code];
  }

  /** How high a probability stands, 0 to 1, on one of the two scales. */
  heightOf(probability, scale) {
    if (scale !== "logOdds") return probability;
    const logOdds = Math.log(probability / (1 - probability));
    return Math.min(1, Math.max(0, (logOdds + this.limit) / (2 * this.limit)));
  }

  /** Base of the forward strand: 0 to 3 for A, C, G, T and 4 for an ambiguous one. */
  code(contig, base) {
    const place = contig.offset + base;
    const run = lowerBound(this.unknown.end, place + 1);
    if (run < this.unknown.start.length && this.unknown.start[run] <= place) return 4;
    return (this.sequence[place >> 2] >> (6 - 2 * (place & 3))) & 3;
  }

  /** Letter of a base as one of the strands has it. */
  letter(contig, base, strand) {
    const code = this.code(contig, base);
    return strand > 0 || code === 4 ? "ACGTN"[code] : "TGCA"[code];
  }

  /** The window of a call, 5' to 3' on its strand: bases, their letters and their scores. */
  window(call) {
    const contig = this.contigs[this.calls.contig[call]];
    const strand = this.calls.strand[call];
    const first = this.calls.anchor[call] - strand * this.anchor;
    // Only on a circular contig may a window run over the end.
    const bases = Array.from({ length: this.windowLength }, (_, i) =>
      (((first + strand * i) % contig.length) + contig.length) % contig.length);
    return {
      bases,
      letters: bases.map((base) => this.letter(contig, base, strand)).join(""),
      codes: bases.map((base) => contig.strands[strand].at(base)),
    };
  }

  /** What each base of a call's window contributes to its log-odds; null if that is not known. */
  logo(call) {
    const row = this.logoOf.get(call);
    if (row === undefined) return null;
    const tallest = this.logos.tallest[row];
    const heights = this.logoHeights.subarray(row * this.windowLength, (row + 1) * this.windowLength);
    return { tallest, shares: Array.from(heights, (height) => height / this.logoSteps) };
  }

  /** Genes of a contig that touch bases `start` to `end`, each with the bounds it shows there. */
  genesIn(contig, start, end) {
    const found = [];
    const add = (gene, shift) => {
      const from = this.genes.start[gene] + shift;
      const to = this.genes.end[gene] + shift;
      if (from < end && to > start) found.push({ gene, start: from, end: to });
    };
    const from = lowerBound(contig.genesAt, start - contig.longestGene);
    for (let i = from; i < contig.genes.length && contig.genesAt[i] < end; i++) {
      add(contig.genes[i], 0);
    }
    // A gene over the origin is seen from both of its ends.
    const wrapped = lowerBound(contig.genesAt, contig.length - contig.longestGene);
    for (let i = wrapped; i < contig.genes.length; i++) {
      if (this.genes.end[contig.genes[i]] > contig.length) add(contig.genes[i], -contig.length);
    }
    return found;
  }

  /** Calls of a contig whose anchors lie from `start` to below `end`, in order of position. */
  callsIn(contig, start, end) {
    return contig.calls.slice(lowerBound(contig.callsAt, start), lowerBound(contig.callsAt, end));
  }

  place(call) {
    const contig = this.contigs[this.calls.contig[call]].name;
    return `${contig}:${count(this.calls.anchor[call] + 1)}`;
  }

  /** One sentence on a call, for people who listen. */
  sayCall(call) {
    return `${this.calls.name[call]}, ${STRAND_WORDS[this.calls.strand[call]]} strand, ` +
      `base ${count(this.calls.anchor[call] + 1)}, ` +
      `probability ${chance(toProbability(this.calls.logOdds[call]))}. ${this.sayGeneOf(call)}.`;
  }

  sayGeneOf(call) {
    const distance = this.calls.distance[call];
    if (distance === null) return "No gene downstream";
    const name = this.calls.geneName[call];
    if (distance === 0) return `At the start of ${name}`;
    const far = `${count(Math.abs(distance))} ${Math.abs(distance) === 1 ? "base" : "bases"}`;
    return distance > 0 ? `${far} before ${name}` : `${far} into ${name}`;
  }

  sayGene(gene) {
    const { name, tag, product, strand, start, end, contig } = this.genes;
    const length = this.contigs[contig[gene]].length;
    const last = end[gene] > length ? end[gene] - length : end[gene]; // over a circle's origin
    const known = tag[gene] && tag[gene] !== name[gene] ? ` (${tag[gene]})` : "";
    return `Gene ${name[gene]}${known}, ${STRAND_WORDS[strand[gene]]} strand, bases ` +
      `${count(start[gene] + 1)} to ${count(last)}${product[gene] ? `: ${product[gene]}` : ""}.`;
  }
}

function toProbability(logOdds) {
  return 1 / (1 + Math.exp(-logOdds));
}

/** A probability with as many decimals as it deserves. */
function chance(probability) {
  if (probability >= 0.99995) return "> 0.9999";
  if (probability < 0.00005) return "< 0.0001";
  return probability.toFixed(4);
}

function count(number) {
  return number.toLocaleString("en");
}

/** Make an element; text is never read as markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function makeSvg(tag, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/** Run `action` once when calls to the function it returns have paused. */
function afterPause(milliseconds, action) {
  let waiting = 0;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(action, milliseconds);
  };
}
