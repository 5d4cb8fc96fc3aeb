import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as rxjs from 'rxjs';
import ts from 'typescript';
import { schema } from '../../src/config/schema/index.js';
import { errorCatalog } from './errorCatalog.js';
import { errorSites, raisedCodes } from './errorCodes.js';

const root = join(import.meta.dirname, '../..');
const page = join(root, 'docs/errors.md');

const entries = Object.entries(errorCatalog).flatMap(([room, codes]) =>
  Object.keys(codes).map((code) => ({ room, code })),
);

test('docs/errors.md has every code that the source raises, and no other', () => {
  const raised = [...raisedCodes().keys()].filter((code) => code !== 'string').sort();
  expect(entries.map(({ code }) => code).sort()).toEqual(raised);
});

test('a code is listed in a room that raises it', () => {
  const elsewhere = entries.filter(({ room, code }) => raisedCodes().get(code)?.rooms.has(room) !== true);
  expect(elsewhere).toEqual([]);
});

test('a code is a literal, unless another process sent it', () => {
  const open = errorSites().filter(({ codes }) => codes.includes('string'));
  expect(open.map(({ file }) => file)).toEqual(['src/store/s3/credentials/handover.ts']);
});

test('docs/errors.md agrees with the catalog (MILLRACE_WRITE_DOCS=1 writes it)', () => {
  const text = readFileSync(page, 'utf8');
  const should = text.replace(
    /(<!-- generated: errors -->\n)[^]*?(<!-- end -->)/,
    (_, from: string, to: string) => `${from}\n${tables()}\n\n${to}`,
  );
  if (process.env['MILLRACE_WRITE_DOCS'] === '1') writeFileSync(page, should);
  else expect(text).toBe(should);
});

function tables(): string {
  return Object.entries(errorCatalog)
    .map(([room, codes]) =>
      [
        `## ${room}`,
        '',
        '| code | what it means | what to do | retryable |',
        '|---|---|---|---|',
        ...Object.entries(codes).map(([code, [means, todo]]) => row(code, means, todo)),
      ].join('\n'),
    )
    .join('\n\n');
}

function row(code: string, means: string, todo: string): string {
  const retryable = [...(raisedCodes().get(code)?.retryable ?? [])].filter((each) => each !== 'no');
  const when =
    raisedCodes().get(code)?.retryable.has('no') === true && retryable[0] === 'yes'
      ? 'sometimes'
      : retryable[0];
  const cells = [`\`${code}\``, means, todo, when ?? 'no'];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

describe('Names in messages and in the catalog', () => {
  const advice = Object.values(errorCatalog).flatMap((codes) => Object.values(codes).flat());
  const texts = [...errorSites().flatMap(({ messages }) => messages), ...advice];
  const declared = declaredNames();

  /** Names of ours are declared in `src`, or are keys of the configuration. */
  const exists = (name: string): boolean =>
    name in rxjs ||
    schema.some(({ key }) => key === name) ||
    name.split('.').every((part) => declared.has(part));

  test('calls exist', () => {
    const calls = texts.flatMap((text) =>
      [...text.matchAll(/(?<![\w.…])([a-z]\w*)\((?!s\))/g)].map(([, name]) => name ?? ''),
    );
    expect(calls.length).toBeGreaterThan(20);
    expect([...new Set(calls)].filter((name) => !exists(name))).toEqual([]);
  });

  test('names in backticks exist', () => {
    const names = texts.flatMap((text) =>
      [...text.matchAll(/`([A-Za-z][\w.-]*)[^`]*`/g)].map(([, name]) => name ?? ''),
    );
    expect(names.length).toBeGreaterThan(20);
    expect([...new Set(names)].filter((name) => !exists(name) && !foreign.has(name))).toEqual([]);
  });

  test('options of checkpoints, s3 and the like exist', () => {
    const keys = texts.flatMap((text) =>
      [
        ...text.matchAll(
          /(?<!docs\/)\b((?:checkpoints|restart|roll|naming|s3|state|execution|security)\.[a-zA-Z][\w.-]*\w)/g,
        ),
      ].map(([, key]) => key ?? ''),
    );
    expect(keys.length).toBeGreaterThan(5);
    expect([...new Set(keys)].filter((key) => !exists(key))).toEqual([]);
  });

  test('every feature that is named exists', () => {
    const missing = /rewind|mapAsync|concatFlows|splitFlow/i;
    expect(texts.filter((text) => missing.test(text))).toEqual([]);
  });

  test('pages and commands exist', () => {
    const pages = texts.flatMap((text) => [...text.matchAll(/docs\/[\w-]+\.md/g)].map(([path]) => path));
    expect(pages.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const commands = readdirSync(join(root, 'src/cli/commands')).map((name) => name.replace('.ts', ''));
    const named = texts.flatMap((text) =>
      [...text.matchAll(/npx millrace (\w+)|`millrace (\w+)/g)].map((m) => m[1] ?? m[2]),
    );
    expect(named.filter((name) => !commands.includes(name ?? ''))).toEqual([]);
  });
});

/** What the servers, the SDK and other tools call by these names. */
const foreign = new Set(['npm', 'iconv']);

/** The names of all declarations in `src`, members included: comments and strings do not count. */
function declaredNames(): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    const { name } = node as { readonly name?: ts.Node };
    if (name !== undefined && ts.isIdentifier(name)) names.add(name.text);
    ts.forEachChild(node, visit);
  };
  for (const path of readdirSync(join(root, 'src'), { recursive: true }) as string[]) {
    if (!path.endsWith('.ts')) continue;
    visit(
      ts.createSourceFile(path, readFileSync(join(root, 'src', path), 'utf8'), ts.ScriptTarget.Latest, true),
    );
  }
  return names;
}
