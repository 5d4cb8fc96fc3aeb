/** What a glob of the `path` flavor matches, by exhaustive search: alternatives are expanded first, then characters matched one by one. */
export function referenceGlob(pattern: string, text: string): boolean {
  return alternatives(Array.from(pattern)).some((each) => eats(each, Array.from(text)));
}

/** Keeps stars of a choice apart from those around it: `*{*,a}` crosses no slash. */
const seam = '';

/** The pattern without its innermost first group, once for each choice; what is in brackets or escaped is no group. */
function alternatives(pattern: readonly string[]): string[][] {
  const open: number[] = [];
  const commas: number[][] = [];
  for (let i = 0; i < pattern.length; i += 1) {
    if (pattern[i] === '\\') i += 1;
    else if (pattern[i] === '[') i = bracketEnd(pattern, i);
    else if (pattern[i] === '{') {
      open.push(i);
      commas.push([]);
    } else if (pattern[i] === ',' && open.length > 0) commas.at(-1)!.push(i);
    else if (pattern[i] === '}' && open.length > 0) {
      const from = open.pop()!;
      const cuts = [from, ...commas.at(-1)!, i];
      return cuts
        .slice(1)
        .flatMap((cut, at) =>
          alternatives([
            ...pattern.slice(0, from),
            seam,
            ...pattern.slice(cuts[at]! + 1, cut),
            seam,
            ...pattern.slice(i + 1),
          ]),
        );
    }
  }
  return [[...pattern]];
}

/** The index of the bracket that closes the one at `start`; the first character in it closes nothing. */
function bracketEnd(pattern: readonly string[], start: number): number {
  const first = start + (pattern[start + 1] === '!' ? 2 : 1);
  return pattern.indexOf(']', first + 1);
}

function eats(pattern: readonly string[], text: readonly string[]): boolean {
  const [p, next] = pattern;
  const [c] = text;
  if (p === undefined) return c === undefined;
  if (p === seam) return eats(pattern.slice(1), text);
  if (p === '*') {
    const crosses = next === '*';
    const rest = pattern.slice(crosses ? 2 : 1);
    for (let taken = 0; taken <= text.length; taken += 1) {
      if (eats(rest, text.slice(taken))) return true;
      if (!crosses && text[taken] === '/') return false;
    }
    return false;
  }
  if (c === undefined) return false;
  if (p === '\\') return c === next && eats(pattern.slice(2), text.slice(1));
  if (p === '?') return c !== '/' && eats(pattern.slice(1), text.slice(1));
  if (p !== '[') return c === p && eats(pattern.slice(1), text.slice(1));
  const end = bracketEnd(pattern, 0);
  const inside = pattern.slice(1, end).join('');
  const not = inside.startsWith('!');
  const found = inClass(Array.from(not ? inside.slice(1) : inside), c);
  return c !== '/' && found !== not && eats(pattern.slice(end + 1), text.slice(1));
}

function inClass(members: readonly string[], char: string): boolean {
  const [low, dash, high] = members;
  if (low === undefined) return false;
  const point = char.codePointAt(0)!;
  if (dash === '-' && high !== undefined)
    return (point >= low.codePointAt(0)! && point <= high.codePointAt(0)!) || inClass(members.slice(3), char);
  return char === low || inClass(members.slice(1), char);
}
