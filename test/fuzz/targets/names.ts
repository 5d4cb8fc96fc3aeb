import { formatUri, parseUri, S3Path } from 'millrace/stores';
import { loadConfig } from 'millrace';
import { compileGlob, compileUriGlob } from '#src/path/index.js';
import { parseAuthority } from '#src/path/authority.js';
import { readOwnName } from '#src/store/local/names.js';
import { decodeHeader, encodeHeader } from '#src/store/headerText.js';
import { ListedKeys } from '#src/store/s3/listedKeys.js';
import { Settings } from '#src/config/load/settings.js';
import { readYaml } from '#src/config/load/file.js';
import { between, pick } from '../../simulation/random.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

const asText = (bytes: Buffer): string => bytes.toString(bytes.length % 2 === 0 ? 'utf8' : 'latin1');
const changed = (random: () => number, from: readonly string[]): string =>
  asText(mutated(random, Buffer.from(pick(random, from))));

const uris = [
  's3://bucket/a/b c/%41?versions#x',
  's3x://key:sec%2Fret@[::1]:9000/bucket/key',
  'file:///tmp/a%20b/../c',
  'memory://lake/x//y/',
];

export const nameTargets = [
  target({
    name: 'URI',
    errors: ['InvalidUri', 'UnknownScheme'],
    draw: (random) => changed(random, uris),
    run: (uri: string) => parseUri(formatUri(parseUri(uri))),
  }),
  target({
    name: 'authority',
    errors: ['InvalidUri'],
    draw: (random) => changed(random, ['key:sec%2Fret@[::1]:9000', 'host.example:80', 'k:s@münchen.example']),
    run: parseAuthority,
  }),
  target({
    name: 'glob',
    errors: ['InvalidGlob', 'InvalidUri'],
    draw: (random) => ({
      flavor: pick(random, ['files', 'path'] as const),
      pattern: changed(random, ['a/**/b*/[!a-z]?/{x,y{1..3}}', '**/**/*.{gz,ndjson}', '\\*[[:alpha:]]*']),
      key: changed(random, ['a/b/c/bx/1y/x', `${'a/'.repeat(60)}b`]),
    }),
    run: ({ pattern, key, flavor }: { pattern: string; key: string; flavor: 'files' | 'path' }) => {
      compileGlob(pattern, { flavor }).matches(key);
      compileUriGlob(pattern).matches(key);
    },
  }),
  target({
    name: 'path',
    errors: ['InvalidUri', 'UnknownScheme', 'InvalidPath', 'DifferentBucket', 'NotAbsolute', 'NotRelative'],
    draw: (random) => [
      changed(random, ['a/../b', '/a//b/', './.', '']),
      changed(random, ['../../x', '/y', 'z/.']),
    ],
    run: ([a = '', b = '']: string[]) => {
      const path = S3Path.of('bucket', a);
      return path.resolve(b).normalize().toString();
    },
  }),
  target({
    name: 'text of a header',
    errors: [],
    draw: (random) =>
      changed(random, ['=?UTF-8?Q?gr=C3=BC=C3=9Fe?= =?utf-8?b?w7w=?=', 'plain', 'gr\u00c3\u00bc']),
    run: (raw: string) => encodeHeader(decodeHeader(raw)),
  }),
  target({
    name: 'keys of a listing',
    errors: [],
    draw: (random) =>
      Array.from({ length: between(random, 0, 5) }, () =>
        changed(random, ['a+b', 'a%20b', 'a%2Bb c', '%', '%e4']),
      ),
    run: (keys: string[]) => {
      const listed = new ListedKeys();
      listed.decode(keys, true);
      listed.learn(keys, [...keys].reverse());
    },
  }),
  target({
    name: 'name in a local store',
    errors: [],
    draw: (random) => changed(random, ['a%25b%o', 'x%+', '%00%d']),
    run: (name: string) => readOwnName(name, name.length % 2 === 0),
  }),
  target({
    name: 'configuration file',
    errors: [],
    draw: (random) =>
      changed(random, [
        's3:\n  region: eu-central-1\n  connection: {max: 20}\ntransfer.part-size: 16MiB\n',
        's3.access-key: &a AKIA\ns3.secret-key: *a\n',
        'state:\n  checkpoints.dir: "s3://lake/x"\n? [a]\n: b\n',
      ]),
    run: (yaml: string) => {
      readYaml(new Settings(), '/millrace.yaml', yaml);
    },
  }),
  target({
    name: 'configuration by environment and flags',
    errors: ['InvalidConfig'],
    draw: (random) => ({
      name: changed(random, ['s3.bucket.logs.region', 'transfer.part-size', 'state.compression']),
      value: changed(random, ['16MiB', 'true', '10 s', '5']),
      variable: changed(random, ['MILLRACE_S3_REGION', 'AWS_REGION']).replaceAll(/[=\0]/g, ''),
    }),
    run: ({ name, value, variable }: { name: string; value: string; variable: string }) =>
      loadConfig({ file: false, set: { [name]: value }, env: { [variable]: value } }),
  }),
];
