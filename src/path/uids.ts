/**
 * Every file has a uid that is unique over all attempts, sinks and jobs. It is part of the file's name, because a
 * listing of uploads shows keys but no metadata: the owner of an orphan must follow from its name.
 *
 * `<job id>-<sink>-<epoch, 10 digits>-<counter, 9 digits>`, where `<sink>` is the sink's id with all but letters and
 * digits escaped. Its form in a key is `…part-<uid>…`.
 */
export interface Uid {
  readonly jobId: string;
  readonly sink: string;
  readonly epoch: number;
  readonly counter: number;
}

export function formatUid({ jobId, sink, epoch, counter }: Uid): string {
  return `${jobId}-${escapeSink(sink)}-${String(epoch).padStart(10, '0')}-${String(counter).padStart(9, '0')}`;
}

// Greedy at the start, as a user's prefix may contain `part-`, too.
const inKey = /^(?:.*[^A-Za-z0-9_]|)part-([A-Za-z0-9_-]{12})-([A-Za-z0-9_]+)-(\d{10})-(\d{9})/s;

/** The uid in the last segment of a key, if a file sink created that key. */
export function parseUid(key: string): Uid | undefined {
  const match = inKey.exec(key.slice(key.lastIndexOf('/') + 1));
  if (match === null) return undefined;
  const [, jobId = '', sink = '', epoch, counter] = match;
  return { jobId, sink: unescape(sink), epoch: Number(epoch), counter: Number(counter) };
}

/** A sink's id with letters, digits and underscores only. */
export function escapeSink(id: string): string {
  return id.replace(/[^A-Za-z0-9]/gu, (c) => `_${(c.codePointAt(0) ?? 0).toString(16)}_`);
}

function unescape(id: string): string {
  return id.replace(/_([0-9a-f]+)_/g, (_, hex: string) => String.fromCodePoint(parseInt(hex, 16)));
}
