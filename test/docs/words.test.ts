import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { words } from './words.js';

const root = join(import.meta.dirname, '../..');
const files = execFileSync('git', ['ls-files', 'src', 'docs', 'README.md', 'CONTRIBUTING.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter((name) => /\.(ts|md)$/.test(name));

/** The table of words that are not to be used. */
const glossary = /(?<=\| write \| not \|\n)(\|.*\n)*/;

function findings(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, i) =>
      words
        .filter(([pattern]) => pattern.test(line))
        .map(([pattern, instead]) => `${i + 1}: "${pattern.exec(line)?.[0] ?? ''}": write ${instead}`),
    );
}

test('comments, messages and pages use plain words', () => {
  const found = files.flatMap((name) =>
    findings(readFileSync(join(root, name), 'utf8').replace(glossary, '')).map((what) => `${name}:${what}`),
  );
  expect(found).toEqual([]);
  expect(files.length).toBeGreaterThan(300);
});

test('each word is found, but not within a longer one', () => {
  for (const line of [
    'Whoever makes a request pays for it.',
    'what those get whom nobody provides one',
    'All that is wrong is said at once.',
    'By which each wait is longer',
    'Mend the producer of the object.',
    'It bears a mark.',
    '`<name>` stands for a name.',
    'what the protocols need, and no more',
    'A request is under way.',
    'It retries for ever.',
    'The job goes on after a restart.',
  ])
    expect(findings(line)).toHaveLength(1);
  for (const line of [
    'recommend a bearer token',
    'a standalone amendment',
    'That is what the said file has.',
    'a row for every operator, and what is going into it',
  ])
    expect(findings(line)).toEqual([]);
});
