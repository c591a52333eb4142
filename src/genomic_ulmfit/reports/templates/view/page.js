// Puts the page together.

async function begin() {
  const [forward, reverse, sequence] = await Promise.all(["forward", "reverse", "sequence"].map(unpack));
  const logos = document.getElementById("logos") ? await unpack("logos") : new Uint8Array();
  const content = document.getElementById("content");
  const scan = new Scan(JSON.parse(content.textContent), forward, reverse, sequence, logos);
  content.remove();
  performance.mark("view:unpacked");

  const [host, status, readout, contigs, scale] = ["track", "status", "readout", "contig", "scale"]
    .map((id) => document.getElementById(id));
  const where = document.getElementById("where");
  const title = document.getElementById("call-name");
  let cameFrom = host;

  const said = (sentence) => (status.textContent = sentence);
  const sayView = afterPause(600, () => {
    const [start, end] = track.shown;
    const calls = scan.callsIn(track.contig, start, end).length;
    if (document.activeElement === host) said(`${where.textContent}. ${count(calls)} calls in view.`);
  });
  const fillTable = afterPause(120, () => {
    if (table.which.value === "view") table.fill();
  });

  const chose = (call, open) => {
    track.call = call;
    panel.show(call);
    if (open && !track.shows(call)) track.goToCall(call);
    else track.draw();
    table.mark();
    if (open) {
      if (document.activeElement !== title) cameFrom = document.activeElement;
      title.focus();
    } else {
      said(scan.sayCall(call));
    }
  };

  const track = new Track(scan, host, document.getElementById("canvas"), document.getElementById("overview"), {
    moved() {
      const [start, end] = track.shown;
      where.textContent =
        `${track.contig.name}: bases ${count(start + 1)} to ${count(end)} (${count(end - start)})`;
      contigs.value = track.number;
      fillTable();
      sayView();
    },
    chose,
    choseGene: (gene) => {
      said(scan.sayGene(gene));
      readout.textContent = scan.sayGene(gene);
    },
    hovered(x, y) {
      const base = Math.floor(track.base(x));
      if (x < GUTTER || base < 0 || base >= track.contig.length) return;
      const { call, gene } = track.hit(x, y);
      const scores = [1, -1].map((strand) => {
        const code = track.contig.strands[strand].at(base);
        return `${STRAND_WORDS[strand]} ${code ? chance(scan.probabilities[code]) : "no score"}`;
      });
      host.style.cursor = call >= 0 || gene >= 0 ? "pointer" : "";
      const more = call >= 0 ? scan.sayCall(call) : gene >= 0 ? scan.sayGene(gene) : "";
      readout.textContent = `Base ${count(base + 1)}: ${scores.join(", ")}. ${more}`;
    },
    said,
  });
  const back = () => {
    // What opened the call may be gone from the page by now.
    (cameFrom.isConnected && cameFrom !== document.body ? cameFrom : host).focus();
  };
  const panel = new CallPanel(scan, title, document.getElementById("call-body"), track, {
    said,
    back: () => host.focus(),
    step: (way) => track.step(way),
    gene: (gene) => {
      track.goToGene(gene);
      said(scan.sayGene(gene));
      host.focus();
    },
  });
  const table = new CallTable(scan, track, { said, chose });
  new Search(scan, document.getElementById("find"), document.getElementById("found"), track, {
    said,
    found(one) {
      if (one.call !== undefined) {
        chose(one.call, true);
      } else if (one.gene !== undefined) {
        track.goToGene(one.gene);
        said(scan.sayGene(one.gene));
        readout.textContent = scan.sayGene(one.gene);
      } else {
        if (one.number !== track.number) track.showContig(one.number);
        const margin = one.end - one.start === 1 ? 500 : 0;
        track.go(one.start - margin, one.end + margin);
        said(where.textContent);
      }
    },
  });

  contigs.append(...scan.contigs.map((contig, number) => make("option", { value: number },
    `${contig.name} (${count(contig.length)} bases, ${count(contig.calls.length)} calls)`)));
  contigs.addEventListener("change", () => {
    track.showContig(Number(contigs.value));
    table.fill();
    said(`${where.textContent}. ${count(track.contig.calls.length)} calls.`);
  });
  scale.addEventListener("change", () => {
    track.scale = scale.value;
    track.draw();
    panel.drawn = 0;
    panel.drawStrip();
  });
  const buttons = {
    left: () => track.move(-0.2),
    right: () => track.move(0.2),
    in: () => track.zoom(0.5),
    out: () => track.zoom(2),
    whole: () => track.go(0, track.contig.length),
  };
  for (const [id, action] of Object.entries(buttons)) {
    document.getElementById(id).addEventListener("click", () => {
      action();
      said(where.textContent);
    });
  }
  document.getElementById("call").addEventListener("keydown", (event) => {
    if (event.key === "Escape") back();
  });
  const repaint = () => {
    track.readColours();
    track.draw();
  };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

  track.showContig(scan.first.contig);
  track.go(scan.first.start, scan.first.end, false);
  const [start, end] = track.shown;
  const visible = scan.callsIn(track.contig, start, end);
  if (visible.length) {
    const { logOdds } = scan.calls;
    track.call = visible.reduce((best, call) => (logOdds[call] > logOdds[best] ? call : best));
    panel.show(track.call);
  }
  track.resize();
  new ResizeObserver(() => track.resize()).observe(host);
  table.fill();

  // Ready is what has been painted, not what has been asked for.
  requestAnimationFrame(() => setTimeout(() => {
    document.querySelector("main").setAttribute("aria-busy", "false");
    performance.mark("view:ready");
  }));
}

begin().catch((error) => {
  const failure = document.getElementById("failure");
  failure.textContent = typeof DecompressionStream === "undefined"
    ? "This browser is too old to unpack the track; open the page in one from 2023 or later."
    : `The page cannot be shown: ${error.message}. Make it again with genomic-ulmfit view.`;
  failure.hidden = false;
  document.querySelector("main").setAttribute("aria-busy", "false");
  throw error;
});
