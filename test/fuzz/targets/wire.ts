import { readInfo } from '#src/store/local/uploadState.js';
import { decodeChunked } from '#src/store/gateway/chunked.js';
import { GatewayError } from '#src/store/gateway/errors.js';
import { targetOf } from '#src/store/gateway/target.js';
import { parseXml } from '#src/store/gateway/xml.js';
import { deserializeToken } from 'millrace/stores';
import { pick } from '../../simulation/random.js';
import { mutated, mutatedJson } from '../mutate.js';
import { target } from '../target.js';

const changed = (random: () => number, from: readonly string[]): string =>
  mutated(random, Buffer.from(pick(random, from))).toString('latin1');

/** The gateway's own refusals are as good as typed errors. */
function refused(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
  }
}

const unsigned = {
  payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  chunk: () => undefined,
  trailer: () => undefined,
};

export const wireTargets = [
  target({
    name: 'XML of a request',
    errors: [],
    draw: (random) =>
      changed(random, [
        '<?xml version="1.0"?><Delete xmlns="x"><Object><Key>a&amp;&#x62;</Key></Object><Quiet>true</Quiet></Delete>',
        '<!-- c --><A><![CDATA[x]]><B/></A>',
      ]),
    run: (text: string) => {
      refused(() => parseXml(text));
    },
  }),
  target({
    name: 'aws-chunked body',
    errors: [],
    draw: (random) =>
      mutated(
        random,
        Buffer.from('5\r\nhello\r\na\r\n0123456789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n'),
      ),
    run: (body: Buffer) => {
      refused(() => decodeChunked(body, unsigned as never));
    },
  }),
  target({
    name: 'request target',
    errors: [],
    draw: (random) => ({
      url: changed(random, ['/lake/a%20b//c?list-type=2&prefix=%C3%BC&x', '/?versions', '/a/%']),
      host: changed(random, ['lake.s3.example:80', '127.0.0.1', '[::1]:9000']),
    }),
    run: ({ url, host }: { url: string; host: string }) => {
      refused(() => targetOf(url, host, 's3.example'));
    },
  }),
  target({
    name: 'token handed over',
    errors: ['InvalidToken', 'NoTokens', 'InvalidOption'],
    draw: (random) =>
      mutatedJson(random, {
        version: 1,
        credentials: { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' },
        expiresAt: 1_700_000_000_000,
      }),
    run: (plain) => deserializeToken(plain as never),
  }),
  target({
    name: 'state of a local upload',
    errors: [],
    draw: (random) =>
      mutated(random, Buffer.from('{"name":"a","initiated":1,"metadata":{"a":"b"},"content":{"type":"x"}}')),
    run: async (bytes: Buffer) => {
      const disk = {
        lstat: () => Promise.resolve({ isDirectory: () => true }),
        readFile: () => Promise.resolve(bytes.toString()),
      };
      const info = await readInfo(disk as never, '/upload');
      if (info !== undefined && info.name.includes('/')) throw new TypeError(info.name);
    },
  }),
];
