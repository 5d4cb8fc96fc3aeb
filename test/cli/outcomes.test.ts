import { ceph, cephPlace, gatewayPlace, localPlace, memoryPlace, type Place } from './places.js';
import { anyText, anyNumber, cli, contents, put, records, uploadsOf, type Outcome } from './support.js';
import { rows, seed } from './outcomes.js';
import { answer } from '../store/s3support.js';

const places: [string, () => Promise<Place>][] = [
  ['memory', memoryPlace],
  ['local', localPlace],
  ['gateway', gatewayPlace],
  ...(ceph === undefined ? [] : [['Ceph', cephPlace] as [string, () => Promise<Place>]]),
];

describe.each(places)('commands at %s', (_, make) => {
  let place: Place;
  const below = async (): Promise<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(await contents(place.store, place.prefix)).map(([key, text]) => [
        key.slice(place.prefix.length),
        text,
      ]),
    );
  const sow = async (): Promise<void> => {
    const { objects } = await answer(place.store.list({ prefix: place.prefix }));
    await answer(place.store.delete(objects.map(({ key }) => key)));
    await put(
      place.store,
      Object.fromEntries(Object.entries(seed).map(([key, text]) => [place.prefix + key, text])),
    );
  };
  beforeAll(async () => {
    place = await make();
  });
  beforeEach(sow);
  afterAll(() => place.close());

  test.each(rows)('%s', async (__, argv, expected) => {
    const outcome: Outcome = await cli(argv(place.uri), { ...place.given, stdin: ['from ', 'stdin'] });
    const { code = 0, out, outHas = [], errHas = [], left = seed } = expected;
    expect({ code: outcome.code, err: outcome.err }).toEqual({
      code,
      err: code === 0 && errHas.length === 0 ? anyText : outcome.err,
    });
    if (out !== undefined) expect(outcome.out).toBe(out);
    for (const text of outHas) expect(outcome.out).toMatch(text);
    for (const text of errHas) expect(outcome.err).toMatch(text);
    expect(await below()).toEqual(left);
    // An error is one line with its code.
    if (code !== 0) expect(outcome.err).toMatch(/^millrace: \w+: [^\n]+\n$/m);
  });

  test('--json: results are complete records', async () => {
    const { code, out, err } = await cli(['ls', '-r', '--json', place.uri], place.given);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const found = records(out);
    expect(found.map(({ name, size, kind }) => ({ name, size, kind }))).toEqual([
      { name: 'a.csv', size: 4, kind: 'object' },
      { name: 'b.txt', size: 5, kind: 'object' },
      { name: 'c.csv', size: 5, kind: 'object' },
      { name: 'd e%[1].csv', size: 4, kind: 'object' },
    ]);
    // A listed URI can be used as an argument.
    const last = await cli(['cat', String(found[3]?.['uri'])], place.given);
    expect(last.out).toBe('four');
    expect(Date.parse(String(found[0]?.['modified']))).toBeGreaterThan(0);
  });

  test('uploads: listed, and aborted when they are old enough', async () => {
    await answer(place.store.createUpload(`${place.prefix}big`));
    const listed = await cli(['uploads', 'ls', '--json', place.uri], place.given);
    expect(records(listed.out)).toEqual([{ uri: `${place.uri}big`, uploadId: anyText, initiated: anyText }]);
    const young = await cli(['uploads', 'abort', '--older-than', '1d', place.uri], place.given);
    expect(young).toMatchObject({ code: 0, out: '', err: 'Aborted 0 uploads.\n' });
    const dry = await cli(['uploads', 'abort', '--older-than', '0s', '--dry-run', place.uri], place.given);
    expect(dry.err).toBe('Nothing was aborted; it would be 1 upload.\n');
    expect(await uploadsOf(place.store, place.prefix)).toBe(1);
    const done = await cli(['uploads', 'abort', '--older-than', '0s', place.uri], place.given);
    expect(done).toMatchObject({ code: 0, err: 'Aborted 1 upload.\n' });
    expect(await uploadsOf(place.store, place.prefix)).toBe(0);
  });

  test('a repeated cp copies nothing', async () => {
    await cli(['cp', '-r', `${place.uri}dir/`, `${place.uri}to/`], place.given);
    const again = await cli(['cp', '-r', `${place.uri}dir/`, `${place.uri}to/`], place.given);
    expect(again).toMatchObject({ code: 0, err: 'Nothing to do: 2 were there already.\n' });
    const told = await cli(['cp', '-r', '--json', `${place.uri}dir/`, `${place.uri}to/`], place.given);
    expect(records(told.out)).toEqual([
      {
        type: 'copied',
        objects: 2,
        bytes: 9,
        skipped: { objects: 2, bytes: 9 },
        seconds: anyNumber,
      },
    ]);
  });
});
