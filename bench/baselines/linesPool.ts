/**
 * Lines of NDJSON read by hand: bare `node:http` requests on kept connections, `window` at a time, each parsed as soon as it has arrived. The
 * order is lost; there are no positions, no checks, and no policy for malformed records.
 */
import type { Outcome, Params, Start, Workload } from '../harness/workload.js';
import { linesName } from '../servers/shaper.js';
import { Tally, type Visit } from '../synthetic/pageVisits.js';
import { each, Http } from './httpPool.js';

const newline = 10;

/** Whole objects. Params: the server, `bucket`, `files`, `window`. */
export const objectsOfLines: Start = (params) =>
  pool(params, async (http, tally) => {
    await each(Number(params['files']), Number(params['window']), async (n) => {
      parseLines(Buffer.concat(await http.chunks(`/${linesName(n)}`)).toString(), tally);
    });
  });

/** Ranges of one object. What is before the first line end of a range, and after the last one, is joined in the end. Params: also `size`, `fragment` (bytes). */
export const rangesOfLines: Start = (params) =>
  pool(params, async (http, tally) => {
    const [size, fragment] = [Number(params['size']), Number(params['fragment'])];
    const count = Math.ceil(size / fragment);
    const pieces: Buffer[] = [];
    await each(count, Number(params['window']), async (n) => {
      const range = Buffer.concat(
        await http.chunks(`/${linesName(0)}`, n * fragment, Math.min((n + 1) * fragment, size)),
      );
      const from = range.indexOf(newline) + 1;
      const to = range.lastIndexOf(newline) + 1;
      pieces[2 * n] = range.subarray(0, from);
      pieces[2 * n + 1] = range.subarray(to);
      parseLines(range.toString('utf8', from, to), tally);
    });
    parseLines(Buffer.concat(pieces).toString(), tally);
  });

function pool(params: Params, read: (http: Http, tally: Tally) => Promise<void>): Workload {
  const http = new Http(params, Number(params['window']));
  return {
    async round(): Promise<Outcome> {
      const tally = new Tally();
      await read(http, tally);
      return { digest: tally.toString(), amount: Number(params['size']) };
    },
    close: () => {
      http.close();
      return Promise.resolve();
    },
  };
}

function parseLines(text: string, tally: Tally): void {
  for (let from = 0; from < text.length;) {
    const to = text.indexOf('\n', from);
    tally.add(JSON.parse(text.slice(from, to)) as Visit);
    from = to + 1;
  }
}
