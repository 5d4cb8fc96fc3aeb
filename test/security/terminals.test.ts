/** Strings from stores and servers are shown on terminals, and must not control them. */
import fc from 'fast-check';
import { createMemoryStore, StoreError } from '../../src/entries/stores.js';
import { printable, printableJson } from '../../src/cli/render/text.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import type { OpenedStores } from '../../src/store/open.js';
import { createStores } from '../../src/store/registry.js';
import { throwError } from 'rxjs';
import { cli, put, records } from '../cli/support.js';

/** Controls of both sets, Arabic letter mark, marks, embeddings, isolates, separators, tags, invisible operators. */
const bad = [
  '\u0000\u0007\u0008\u001b\u007f\u0080\u0085\u009b\u009d\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029',
  '\u202a\u202e\u2060\u2066\u2069\ufeff\u{e0001}\u{e007f}',
].join('');
const visible = 'grüße \u{1f469}\u200d\u{1f52c} می\u200cخواهم';
const forbidden = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const linesOf = (text: string): string[] => text.split('\n');

test('invisible characters are escaped, and all others kept', () => {
  expect(printable(visible)).toBe(visible);
  for (const char of bad) expect(printable(char)).toMatch(/^\\u\{[0-9a-f]+\}$/);
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...Array.from(bad), 'a', '\n', ...Array.from(visible)) }),
      (text) => {
        expect(printable(text)).not.toMatch(forbidden);
        expect(printable(printable(text))).toBe(printable(text));
      },
    ),
  );
});

test('JSON is the same value, without such characters', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...Array.from(bad), 'a', '"', '\\', '\n', ...Array.from(visible)) }),
      (text) => {
        const json = printableJson({ [text]: text });
        expect(json).not.toMatch(forbidden);
        expect(JSON.parse(json)).toEqual({ [text]: text });
      },
    ),
  );
});

const name = `a${bad.replace('\u0000', '')}b`;

function stores(failing = false): OpenedStores {
  const store = createMemoryStore();
  const error = new StoreError('PermissionDenied', `Denied: ${bad}${visible}`, {
    cause: new Error(`deeper ${bad}`),
  });
  const opened = createStores({
    schemes: {
      memory: () => (failing ? decorate(store, () => throwError(() => error)) : store),
    },
  });
  return { open: (uri) => opened.open(uri), close: () => undefined, [Symbol.dispose]: () => undefined };
}

test.each([[[]], [['--json']], [['--debug']], [['--json', '--debug']]])(
  'a failure, with %j',
  async (flags) => {
    const { err, out, code } = await cli([...flags, 'ls', 'memory://lake/'], { stores: stores(true) });
    expect(code).not.toBe(0);
    for (const line of linesOf(out + err)) expect(line).not.toMatch(forbidden);
    expect(err).toContain('grüße');
    if (flags.includes('--debug')) expect(err).toContain('deeper');
    if (flags.includes('--json')) expect(records(err).at(-1)?.['message']).toContain(bad);
  },
);

test.each([
  ['ls', 'memory://lake/'],
  ['ls', '-r', 'memory://lake/'],
  ['stat', `memory://lake/${encodeURIComponent(name)}`],
  ['du', '-a', 'memory://lake/'],
  ['cp', '-v', `memory://lake/${encodeURIComponent(name)}`, 'memory://lake/c/'],
  ['rm', '--dry-run', `memory://lake/${encodeURIComponent(name)}`],
])('names in %s, for people and for programs', async (...argv) => {
  for (const flags of [[], ['--json']]) {
    const world = stores();
    await put(world.open('memory://lake/').store, { [name]: 'x', [`${name}/y`]: 'y' });
    const { out, err } = await cli([...flags, ...argv], { stores: world });
    for (const line of linesOf(out + err)) expect(line).not.toMatch(forbidden);
    if (flags.length > 0) records(out);
  }
});
