/** Reads entries of a job's log, independent of the product's decoder. */

interface Committable {
  readonly objects?: readonly string[];
}

export interface Entry {
  readonly n: number;
  readonly operators: Readonly<
    Record<
      string,
      {
        readonly snapshot?: unknown;
        readonly ended?: boolean;
        readonly open: readonly Committable[];
        readonly objects: readonly string[];
      }
    >
  >;
  readonly pending: readonly { readonly committable: Committable }[];
}

/** The JSON follows a line with the checksum. */
export function entryOf(text: string): Entry {
  return JSON.parse(text.slice(text.indexOf('\n') + 1)) as Entry;
}

/**
 * The keys that may be in the checkpoint directory `dir` of a job that has finished, given the newest entry of its log: the
 * log, what the entry names, and what the probe has found. One checkpoint is retained.
 */
export function keptBy({ n, operators, pending }: Entry, dir: string, job: string): Set<string> {
  const committables = [
    ...Object.values(operators).flatMap(({ open }) => open),
    ...pending.map(({ committable }) => committable),
  ];
  const objects = [
    ...Object.values(operators).flatMap((operator) => operator.objects),
    ...committables.flatMap((each) => each.objects ?? []),
  ];
  // Two are kept: the writer of the next one verifies its predecessor.
  const entries = [n, n - 1].map((each) => `log/${String(each).padStart(20, '0')}`);
  return new Set([`${dir}/probe.json`, ...[...entries, ...objects].map((name) => `${dir}/${job}/${name}`)]);
}
