import { Audit, type Verdict } from '../../examples/main-job/verify/audit.js';
import { lines, Partial, type Count } from '../../examples/main-job/verify/objects.js';
import { Truth } from '../../examples/main-job/verify/truth.js';

const day = '2026-03-02';
const click = (id: number, user: string, kind = 'click') => ({ id, user, kind, at: `${day}T10:00:00.000Z` });
const input = [click(1, 'ann'), click(2, 'bob'), click(3, 'ann', 'view'), click(4, 'ann'), click(5, 'ann')];
const count = (id: number, user: string, clicks: number): Count => ({ id, user, day, clicks });
const output = [count(1, 'ann', 1), count(2, 'bob', 1), count(4, 'ann', 2), count(5, 'ann', 3)];
const key = `clicks/day=${day}/a.ndjson`;

function audit(...objects: (readonly Count[])[]): Omit<Verdict, 'findings' | 'records'> {
  const truth = new Truth();
  for (const event of input) truth.add(event);
  const one = new Audit(truth);
  for (const records of objects) {
    const on = one.object(key);
    for (const record of records) on(record);
  }
  const { lost, duplicated, misplaced } = one.verdict();
  return { lost, duplicated, misplaced };
}

describe('the verifier', () => {
  it('finds nothing in an exact output, however it is spread over objects', () => {
    const exact = { lost: 0, duplicated: 0, misplaced: 0 };
    expect(audit(output)).toEqual(exact);
    expect(audit(output.slice(2), output.slice(0, 2))).toEqual(exact);
  });

  it('finds a lost record', () => {
    expect(audit(output.slice(0, 3))).toMatchObject({ lost: 1, duplicated: 0 });
    expect(audit()).toMatchObject({ lost: 4 });
  });

  it('finds a duplicated record, in one object or in two', () => {
    expect(audit([...output, output[3]!])).toMatchObject({ lost: 0, duplicated: 1 });
    expect(audit(output, [output[1]!])).toMatchObject({ lost: 0, duplicated: 1 });
  });

  it('finds an event that was counted twice although every record is there', () => {
    expect(
      audit([count(1, 'ann', 1), count(2, 'bob', 1), count(4, 'ann', 2), count(5, 'ann', 4)]),
    ).toMatchObject({ lost: 1, duplicated: 1 });
  });

  it('finds an event that has the count of another', () => {
    expect(audit([output[0]!, output[1]!, count(1, 'ann', 2), output[3]!])).toMatchObject({
      lost: 1,
      duplicated: 1,
    });
  });

  it('finds counts that restarted because the state was lost', () => {
    expect(
      audit([count(1, 'ann', 1), count(2, 'bob', 1)], [count(4, 'ann', 1), count(5, 'ann', 2)]),
    ).toMatchObject({ lost: 1, duplicated: 1 });
  });

  it('finds records that are not clicks of the input, or are of another user', () => {
    expect(audit([...output, count(3, 'ann', 4)])).toMatchObject({ duplicated: 1 });
    expect(audit([...output, count(99, 'ann', 4)])).toMatchObject({ duplicated: 1 });
    expect(audit([count(1, 'bob', 1), ...output.slice(1)])).toMatchObject({ lost: 1, duplicated: 1 });
  });

  it('finds records out of order in an object, or in another day’s folder', () => {
    expect(audit([output[2]!, output[0]!, output[1]!, output[3]!])).toEqual({
      lost: 0,
      duplicated: 0,
      misplaced: 1,
    });
    const truth = new Truth();
    truth.add(click(1, 'ann'));
    const one = new Audit(truth);
    one.object('clicks/day=2026-03-03/a.ndjson')(output[0]!);
    expect(one.verdict()).toMatchObject({ lost: 0, misplaced: 1 });
  });

  it('refuses an input whose ids are not unique', () => {
    const truth = new Truth();
    truth.add(click(1, 'ann'));
    expect(() => truth.add(click(1, 'bob'))).toThrow('twice');
  });
});

describe('lines of an object', () => {
  const read = async (...chunks: string[]): Promise<string[]> => {
    const found: string[] = [];
    async function* bytes(): AsyncGenerator<Buffer> {
      for (const chunk of chunks) yield await Promise.resolve(Buffer.from(chunk));
    }
    for await (const block of lines(bytes(), 'a')) found.push(...block);
    return found;
  };

  it('are found wherever chunks are cut', async () => {
    expect(await read('{"a":1}\n{"b', '":', '2}', '\n', '{"c":3}\n')).toEqual([
      '{"a":1}',
      '{"b":2}',
      '{"c":3}',
    ]);
    expect(await read()).toEqual([]);
  });

  it('make the object partial if the last one has no newline', async () => {
    await expect(read('{"a":1}\n{"b"')).rejects.toThrow(Partial);
    await expect(read('{"a":1}')).rejects.toThrow(Partial);
  });
});
