import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Decision {
  readonly file: string;
  readonly number: number;
  readonly title: string;
  /** `accepted`, or `superseded by N`. */
  readonly status: string;
  readonly supersedes: readonly number[];
}

const folder = join(import.meta.dirname, '../../docs/decisions');

const decisions: readonly Decision[] = readdirSync(folder)
  .filter((file) => file !== 'README.md')
  .flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .split(/^## /m)
      .slice(1)
      .map((text) => {
        const [, number = '', title = '', status = '', supersedes = ''] =
          /^(\d+)\. (.+)\n\n\*\*Status:\*\* (accepted|superseded by \d+)(?:; supersedes ([\d, ]+))?\n\n./.exec(
            text,
          ) ?? [];
        return {
          file,
          number: Number(number),
          title: title === '' ? text : title,
          status,
          supersedes: supersedes === '' ? [] : supersedes.split(', ').map(Number),
        };
      }),
  );

describe('Decisions', () => {
  test('each has a number, a sentence, a status and a reason', () => {
    expect(decisions.filter(({ status }) => status === '').map(({ title }) => title)).toEqual([]);
    expect(decisions.length).toBeGreaterThan(100);
  });

  test('numbers are unique, and ascend within a file', () => {
    const numbers = decisions.map(({ number }) => number);
    expect(numbers.filter((number, i) => numbers.indexOf(number) !== i)).toEqual([]);
    const descending = decisions.filter(
      ({ file, number }, i) => decisions[i - 1]?.file === file && number < (decisions[i - 1]?.number ?? 0),
    );
    expect(descending).toEqual([]);
  });

  test('a decision and the one that supersedes it name each other', () => {
    const forth = decisions.flatMap(({ number, supersedes }) =>
      supersedes.map((old) => `${old} by ${number}`),
    );
    const back = decisions
      .filter(({ status }) => status.startsWith('superseded'))
      .map(({ number, status }) => `${number} by ${status.replace('superseded by ', '')}`);
    expect(forth.sort()).toEqual(back.sort());
  });
});
