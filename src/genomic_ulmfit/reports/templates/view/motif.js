// Where a window looks most like a σ70 promoter, by its letters alone.

const MINUS_35 = "TTGACA";
const MINUS_10 = "TATAAT";
const SPACERS = [17, 16, 18, 15, 19];
const SHUFFLES = 100;

function matches(letters, place, consensus) {
  let same = 0;
  for (let i = 0; i < consensus.length; i++) if (letters[place + i] === consensus[i]) same++;
  return same;
}

/**
 * Find the pair of hexamers with most bases in common with TTGACA and TATAAT, 15 to 19 bases
 * apart, that ends before letter `until`. Of equal pairs, the more usual spacing and then the one
 * nearer to `until` is taken. Null if there is no room for a pair.
 */
function bestHexamers(letters, until) {
  let best = null;
  for (const spacer of SPACERS) {
    for (let last = until - 6; last - spacer - 6 >= 0; last--) {
      const first = last - spacer - 6;
      const same = matches(letters, first, MINUS_35) + matches(letters, last, MINUS_10);
      if (best === null || same > best.same) best = { minus35: first, minus10: last, spacer, same };
    }
  }
  return best;
}

/** In how many of 100 shufflings of the letters a pair as good as `same` or better is found. */
function shufflesAsGood(letters, until, same) {
  const shuffled = [...letters];
  let state = 1;
  let found = 0;
  for (let round = 0; round < SHUFFLES; round++) {
    for (let i = shuffled.length - 1; i > 0; i--) {
      // Park and Miller's generator (1988), so that a window always gives the same number.
      state = (state * 48271) % 2147483647;
      const other = state % (i + 1);
      [shuffled[i], shuffled[other]] = [shuffled[other], shuffled[i]];
    }
    if (bestHexamers(shuffled, until).same >= same) found++;
  }
  return found;
}
