/**
 * The same content parsed by hand: blocks that end with a line, and a loop over each. They have no positions, no policy for
 * malformed records, and no backpressure.
 */
import Papa from 'papaparse';
import { createGunzip, gunzipSync } from 'node:zlib';
import type { Start } from '../harness/workload.js';
import { Tally, visits, type Visit } from '../synthetic/pageVisits.js';

const blockBytes = 64 * 1024;
const newline = 10;

/** Params: `form` and `size`. */
export const parseLoop: Start = ({ form, size }) => {
  const content = visits(String(form), Number(size));
  return {
    async round() {
      const tally = new Tally();
      if (form === 'csv') rowsOf(content, tally);
      else if (form === 'ndjson') linesOf(content, tally);
      else await unzipped(content, tally);
      return { digest: tally.toString(), amount: tally.records };
    },
  };
};

/** Decompressed at once, so that all of it is in memory. */
export const gunzipAtOnce: Start = ({ form, size }) => {
  const content = visits(String(form), Number(size));
  return {
    round() {
      const tally = new Tally();
      linesOf(gunzipSync(content), tally);
      return Promise.resolve({ digest: tally.toString(), amount: tally.records });
    },
  };
};

function* blocks(content: Buffer): Generator<string> {
  for (let from = 0; from < content.length;) {
    const last = content.lastIndexOf(newline, from + blockBytes);
    const to = last < from ? content.length : last + 1;
    yield content.toString('utf8', from, to);
    from = to;
  }
}

function linesOf(content: Buffer, tally: Tally): void {
  for (const text of blocks(content)) parseLines(text, tally);
}

function parseLines(text: string, tally: Tally): void {
  for (let from = 0; from < text.length;) {
    const to = text.indexOf('\n', from);
    tally.add(JSON.parse(text.slice(from, to)) as Visit);
    from = to + 1;
  }
}

function rowsOf(content: Buffer, tally: Tally): void {
  let names: readonly string[] | undefined;
  for (const text of blocks(content)) {
    const { data } = Papa.parse<string[]>(text, { delimiter: ',', newline: '\n', fastMode: false });
    // After the last line end.
    data.pop();
    for (const row of data) {
      if (names === undefined) {
        names = row;
        continue;
      }
      const record: Record<string, string> = {};
      for (let i = 0; i < names.length; i++) record[names[i]!] = row[i]!;
      tally.add(record as unknown as Visit);
    }
  }
}

async function unzipped(content: Buffer, tally: Tally): Promise<void> {
  const unzip = createGunzip({ chunkSize: blockBytes });
  unzip.end(content);
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of unzip as AsyncIterable<Buffer>) {
    const last = chunk.lastIndexOf(newline) + 1;
    if (last > 0) parseLines(Buffer.concat([rest, chunk.subarray(0, last)]).toString('utf8'), tally);
    rest = Buffer.concat(last > 0 ? [chunk.subarray(last)] : [rest, chunk]);
  }
}
