import type { LawElement } from './inputs.js';
import { broken, show } from './output.js';
import type { LawOptions, LawRun } from './run.js';

export function checkPublished<A>(
  run: LawRun,
  elements: readonly LawElement<A>[],
  { published }: LawOptions,
  what: string,
): void {
  if (published === undefined) return;
  const given = elements.flatMap((element) => (element.kind === 'record' ? show(element.value) : []));
  const partitions = published(run.services).map((partition) => partition.map(show));
  const ended = elements.some(({ kind }) => kind === 'end');
  const fits = partitions.every((partition) => isSubsequence(partition, given));
  const all = partitions.flat();
  const right = ended ? isSame(all, given) : isPart(all, given);
  if (!fits || !right)
    throw broken('publishing', `in ${what}, given ${given.join()}; published ${JSON.stringify(partitions)}`);
}

function isSubsequence(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  return part.every((each) => {
    const found = whole.indexOf(each, at);
    at = found + 1;
    return found >= 0;
  });
}

/** As multisets. */
function isPart(part: readonly string[], whole: readonly string[]): boolean {
  const left = [...whole];
  return part.every((each) => {
    const found = left.indexOf(each);
    if (found >= 0) left.splice(found, 1);
    return found >= 0;
  });
}

const isSame = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && isPart(a, b);
