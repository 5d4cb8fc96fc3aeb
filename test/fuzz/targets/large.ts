import { gzipSync } from 'node:zlib';
import { loadConfig, ndjson } from 'millrace';
import { parseUri, S3Path } from 'millrace/stores';
import { printable } from '#src/cli/render/text.js';
import { errorLines } from '#src/cli/render/errors.js';
import { redactor } from '#src/cli/redact.js';
import { readYaml } from '#src/config/load/file.js';
import { Settings } from '#src/config/load/settings.js';
import { Gunzipper } from '#src/formats/gzip.js';
import { compileGlob } from '#src/path/index.js';
import { withoutUserInfo } from '#src/path/errors.js';
import { decodeHeader } from '#src/store/headerText.js';
import { atStart } from '../../formats/atStart.js';
import { target } from '../target.js';

const many = (count: number, each: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => each(i)).join('');

function gunzip(stored: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let at = 0;
    let total = 0;
    let pumping = false;
    const pump = (): void => {
      if (pumping) return;
      pumping = true;
      while (!gunzipper.over) {
        for (let chunk = gunzipper.read(); chunk !== undefined; chunk = gunzipper.read()) {
          total += chunk.length;
          gunzipper.member(total);
        }
        if (!gunzipper.hungry) break;
        if (at < stored.length) gunzipper.push(stored.subarray(at, (at += 65_536)));
        else gunzipper.finish();
      }
      pumping = false;
      if (gunzipper.over) resolve(total);
    };
    const gunzipper = new Gunzipper({
      object: 'o',
      from: { at: 0, offset: 0 },
      ready: () => queueMicrotask(pump),
      fail: reject,
    });
    pump();
  });
}

function decode(block: Buffer): number {
  let records = 0;
  const decoder = ndjson().decoder(atStart);
  decoder.decode(
    block,
    0,
    1,
    () => records++,
    () => undefined,
  );
  return records;
}

/** Inputs so large that a decoder takes minutes if its time grows with their square. */
export const largeTargets = [
  target({
    name: 'a URI of a million slashes',
    errors: [],
    draw: () => `s3:${'/'.repeat(1_000_000)}`,
    run: withoutUserInfo,
  }),
  target({
    name: 'a URI that is none, of a million characters',
    errors: ['InvalidUri', 'UnknownScheme'],
    draw: () => `${'a:/'.repeat(300_000)}@`,
    run: parseUri,
  }),
  target({
    name: 'a glob of 300 `**/` and a key of 30,000 characters',
    errors: [],
    draw: () => ({ pattern: `${'**/'.repeat(300)}x`, key: 'a/'.repeat(15_000) }),
    run: ({ pattern, key }: { pattern: string; key: string }) => compileGlob(pattern).matches(key),
  }),
  target({
    name: 'a glob of nested choices of `**`',
    errors: [],
    draw: () => ({ pattern: `${'{a,**/'.repeat(200)}b${'}'.repeat(200)}`, key: 'a/'.repeat(10_000) }),
    run: ({ pattern, key }: { pattern: string; key: string }) => compileGlob(pattern).matches(key),
  }),
  target({
    name: 'a glob of 100,000 open choices',
    errors: ['InvalidGlob'],
    draw: () => '{'.repeat(100_000),
    run: (pattern: string) => compileGlob(pattern),
  }),
  target({
    name: 'a path of 100,000 names',
    errors: [],
    draw: () => 'a/../'.repeat(100_000),
    run: (text: string) => S3Path.of('b', text).normalize(),
  }),
  target({
    name: 'a file of 50,000 keys that are no options',
    errors: [],
    draw: () => many(50_000, (i) => `s3.${'conection'.repeat(20)}${i}: x\n`),
    run: (yaml: string) => readYaml(new Settings(), '/millrace.yaml', yaml),
  }),
  target({
    name: 'a file of 100,000 buckets',
    errors: [],
    draw: () => many(100_000, (i) => `s3.bucket.b${i}.region: r\n`),
    run: (yaml: string) => readYaml(new Settings(), '/millrace.yaml', yaml),
  }),
  target({
    name: 'settings of 50,000 keys that are no options',
    errors: ['InvalidConfig'],
    draw: () =>
      Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`s3.${'conection'.repeat(20)}${i}`, 'x'])),
    run: (set: Record<string, string>) => loadConfig({ file: false, env: {}, set }),
  }),
  target({
    name: 'a string of a million digits',
    errors: [],
    draw: () => Buffer.from(`{"a":"x${'1'.repeat(1_000_000)}"}\n`),
    run: decode,
  }),
  target({
    name: 'a number of a million digits',
    errors: [],
    draw: () => Buffer.from(`{"a":${'7'.repeat(1_000_000)}}\n`),
    run: decode,
  }),
  target({
    name: 'gzip of 100,000 members of a byte',
    errors: [],
    draw: () => Buffer.concat(Array<Buffer>(100_000).fill(gzipSync('x'))),
    run: gunzip,
  }),
  target({
    name: 'gzip of 100,000 members of nothing',
    errors: [],
    draw: () => Buffer.concat(Array<Buffer>(100_000).fill(gzipSync(''))),
    run: gunzip,
  }),
  target({
    name: 'a message of 100,000 URIs',
    errors: [],
    draw: () => 'https://a:'.repeat(100_000),
    run: redactor({}, []),
  }),
  target({
    name: 'a message of a million spaces',
    errors: [],
    draw: () => new Error(`a${' '.repeat(1_000_000)}b`),
    run: (error: Error) => errorLines(error).map(printable),
  }),
  target({
    name: 'a header of a million marks',
    errors: [],
    draw: () => '=?a?q?'.repeat(200_000),
    run: decodeHeader,
  }),
];
